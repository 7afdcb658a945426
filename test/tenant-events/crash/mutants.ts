import { ok, type Result } from '#shared/result.ts'
import type { OutgoingEvent } from '../../../functions/tenant-events/domain/facts.ts'
import type { Failure } from '../../../functions/tenant-events/domain/operation.ts'
import type { Work } from '../../../functions/tenant-events/domain/work.ts'
import type {
  Change,
  Cluster,
  LifecycleDeps,
  LifecycleStore,
} from '../../../functions/tenant-events/ports.ts'
import type { Mutant } from './mutant.ts'

/** A lease whose number never grows: who was given up and wakes again still believes to hold it. */
const leaseWithoutFence: Mutant = {
  name: 'lease without fence',
  deps: (deps) => altering(deps, (change) => replaced(change, 'fence', () => 0)),
}

/** Publishes once the commit is done: a process that dies between the two says nothing, for ever. */
const eventsAfterCommit: Mutant = {
  name: 'events after the commit',
  deps: (deps) => {
    const { store } = deps
    const change: LifecycleStore['change'] = async (ctx, claim, operationId, decide) => {
      let held: readonly OutgoingEvent[] = []
      const committed = await store.change(ctx, claim, operationId, (work) => {
        const decided = decide(work)
        if (!decided.ok) return decided
        held = decided.value.events ?? []
        return ok({ ...decided.value, events: held.filter(({ topic }) => topic === 'tenant-facts') })
      })
      const others = held.filter(({ topic }) => topic !== 'tenant-facts')
      for (const event of others) await deps.queue.enqueue(ctx.tenantId, event)
      return committed
    }
    return { ...deps, store: { ...store, change } }
  },
}

/** Forgets to write down before an effect that it is to be undone. */
const undoNotOwed: Mutant = {
  name: 'undoing not written down',
  deps: (deps) => altering(deps, (change) => replaced(change, 'undo', () => 'none')),
}

/** Takes a call that was not answered for one that was refused. */
const silenceIsRefusal: Mutant = {
  name: 'silence is a refusal',
  deps: (deps) =>
    ontoCluster(deps, (cluster) => {
      const permanent = (failure: Failure): Failure => ({ ...failure, kind: 'permanent' })
      const apply: Cluster['apply'] = async (object, signal) => {
        const applied = await cluster.apply(object, signal)
        return applied.ok ? applied : { ok: false, failure: permanent(applied.failure) }
      }
      return { ...cluster, apply }
    }),
}

/** Decides on what the process read before, and not on what the commit is guarded by. */
const decidesOnMemory: Mutant = {
  name: 'decides on what it remembers',
  deps: (deps) => {
    const { store } = deps
    const remembered = new Map<string, Work>()
    const change: LifecycleStore['change'] = (ctx, claim, operationId, decide) =>
      store.change(ctx, claim, operationId, (work) => {
        const before = remembered.get(operationId)
        remembered.set(operationId, work)
        return decide(before ?? work)
      })
    return { ...deps, store: { ...store, change } }
  },
}

/** Believes that what it asked to be deleted is gone. */
const goneWhenAsked: Mutant = {
  name: 'gone as soon as it was asked for',
  deps: (deps) =>
    ontoCluster(deps, (cluster) => {
      const find: Cluster['find'] = async (kind, name, signal) => {
        const found = await cluster.find(kind, name, signal)
        return found.ok && found.value?.terminating === true ? { ok: true, value: undefined } : found
      }
      return { ...cluster, find }
    }),
}

/** Goes on with what was put aside, and never with what a dead worker held. */
const deadAreNotReplaced: Mutant = {
  name: 'dead workers are not replaced',
  deps: (deps) => {
    const due: LifecycleDeps['directory']['due'] = async (nowMs, limit) => {
      const found = await deps.directory.due(nowMs, limit)
      return found.filter(({ op }) => op?.leaseUntilMs === 0)
    }
    return { ...deps, directory: { ...deps.directory, due } }
  },
}

/** Does not recognise a request that comes again. */
const requestsAreNew: Mutant = {
  name: 'a request is new each time',
  deps: (deps) => {
    const create: LifecycleStore['create'] = (ctx, _claim, decide) =>
      deps.store.create(ctx, undefined, decide)
    return { ...deps, store: { ...deps.store, create } }
  },
}

/** The bugs that the runs must see. */
export const MUTANTS: readonly Mutant[] = [
  leaseWithoutFence,
  eventsAfterCommit,
  undoNotOwed,
  silenceIsRefusal,
  decidesOnMemory,
  goneWhenAsked,
  deadAreNotReplaced,
  requestsAreNew,
]

/** The process with every change of an operation under way gone through `altered`. */
function altering(deps: LifecycleDeps, altered: <T>(change: Change<T>) => Change<T>): LifecycleDeps {
  const { store } = deps
  const change: LifecycleStore['change'] = <T>(
    ...[ctx, claim, operationId, decide]: Parameters<typeof store.change<T>>
  ) =>
    store.change<T>(ctx, claim, operationId, (work): Result<Change<T>> => {
      const decided = decide(work)
      return decided.ok ? ok(altered(decided.value)) : decided
    })
  return { ...deps, store: { ...store, change } }
}

function ontoCluster(deps: LifecycleDeps, altered: (cluster: Cluster) => Cluster): LifecycleDeps {
  return {
    ...deps,
    clusterNamed: (name) => {
      const cluster = deps.clusterNamed(name)
      return cluster === undefined ? undefined : altered(cluster)
    },
  }
}

/** The value with every member of that name replaced. */
function replaced<V>(value: V, name: string, by: () => unknown): V {
  if (Array.isArray(value)) return value.map((member) => replaced(member, name, by)) as V
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, key === name ? by() : replaced(member, name, by)]),
  ) as V
}
