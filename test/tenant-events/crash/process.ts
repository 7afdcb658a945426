import { DependencyFailed } from '#shared/deadline.ts'
import type { Failure } from '../../../functions/tenant-events/domain/operation.ts'
import type { CloudPorts } from '../../../functions/tenant-events/ports/cloud.ts'
import type { Cluster, LifecycleDeps } from '../../../functions/tenant-events/ports.ts'
import { memoryPurge } from '../memory-purge.ts'
import { type Link, memoryStore } from '../memory-store.ts'
import type { Message } from '../messages.ts'
import type { Kernel, Process, Unheard } from './kernel.ts'
import { clusterOf, type Ground, SHARED_CLUSTER } from './world.ts'

/** What one process works with: every call of every port may be its last. */
export function depsOf(
  kernel: Kernel,
  process: Process,
  ground: Ground,
  on: { readonly committed: (process: Process) => void; readonly publish: (message: Message) => void },
): LifecycleDeps {
  const linkOf =
    (port: string): Link =>
    (what, effect) => {
      const effected = (): ReturnType<typeof effect> => {
        const value = effect()
        if (what === 'commit') on.committed(process)
        return value
      }
      return kernel.call(process, port, what, effected, unavailable)
    }
  const store = memoryStore(kernel.time.now, ground.documents, linkOf('store'))
  const reach = <P extends object>(name: string, port: P): P => reached(kernel, process, name, port)
  const { kms, iam, secrets, clusters, memberships } = ground.cloud
  const cloud: CloudPorts = {
    kms: reach('kms', kms),
    iam: reach('iam', iam),
    secrets: reach('secrets', secrets),
    clusters: reach('clusters', clusters),
    memberships: reach('memberships', memberships),
  }
  return {
    store,
    directory: store,
    timers: store.timerBook,
    queue: {
      enqueue: (_tenantId, message) =>
        kernel.call(process, 'pubsub', 'publish', () => on.publish(message), unavailable),
    },
    world: { ...cloud, ...memoryPurge(ground.documents, ground.leaving, linkOf('objects')) },
    clusterNamed: (name) => reach<Cluster>(name, clusterOf(ground, name)),
    clock: { now: process.now },
    ids: process.ids,
    elapsedMs: kernel.time.now,
    budgetMs: 480_000,
    defaultCluster: SHARED_CLUSTER,
  }
}

const unavailable: Unheard<never> = (why) => {
  throw new DependencyFailed(`no answer: ${why}`)
}

/** What a port says whose failures are values. */
function failed(why: Parameters<Unheard<never>>[0]): { ok: false; failure: Failure } {
  const [code, more] = WORDS[why] ?? ['cluster.unreachable', {}]
  return { ok: false, failure: { kind: 'transient', code, text: why, ...more } }
}

/** Of what was not answered it is not known whether it took effect, so there is one word for all of it. */
const WORDS: Readonly<Record<string, readonly [string, { retryAfterMs?: number }]>> = {
  throttled: ['cluster.too_many_requests', { retryAfterMs: 30_000 }],
  broken: ['cluster.internal_error', {}],
  conflict: ['cluster.conflict', {}],
}

/** The port's functions, each as a call from this process; one whose signal is over is not even sent. */
function reached<P extends object>(kernel: Kernel, process: Process, name: string, port: P): P {
  const functions = Object.entries(port).filter(([, member]) => typeof member === 'function')
  const calls = functions.map(([verb, member]) => [
    verb,
    (...args: unknown[]) => {
      if (args.some((arg) => arg instanceof AbortSignal && arg.aborted)) return failed('late')
      const what = `${verb} ${nameOf(args[0])} ${nameOf(args[1])}`
      return kernel.call(process, name, what, () => member.apply(port, args), failed)
    },
  ])
  return { ...port, ...Object.fromEntries(calls) }
}

/** What a call is about, for the trace. */
function nameOf(arg: unknown): string {
  if (typeof arg === 'string') return arg
  if (typeof arg !== 'object' || arg === null || !('kind' in arg)) return ''
  const { metadata } = arg as { metadata?: { name?: string } }
  return `${arg.kind}/${metadata?.name ?? ''}`
}
