import { eventClaim } from '#shared/firestore/claim.ts'
import type { TenantId } from '#shared/ids.ts'
import { asRecord, digestOf } from '#shared/json.ts'
import { silentLogger } from '#shared/log.ts'
import type { Result } from '#shared/result.ts'
import { lifecycleEvents } from '../../../functions/tenant-events/events.ts'
import type { LifecycleDeps } from '../../../functions/tenant-events/ports.ts'
import type { Message } from '../messages.ts'
import { contextOf, NO_DEADLINE, TRACE } from '../world.ts'
import type { Ending, Kernel, Process } from './kernel.ts'
import type { Mutant } from './mutant.ts'
import { depsOf } from './process.ts'
import type { Ground } from './world.ts'

/** One process and what it answers with. */
export type Host = {
  readonly process: Process
  readonly deps: LifecycleDeps
  /** As the event edge has it: parsed, claimed, and routed by its type. */
  readonly handlers: (nowMs: number, message: Message) => Promise<Result<unknown>>
}

export type Fleet = {
  /** In one of the processes, or in one of its own whose calls take no time. */
  invoke<T>(
    cause: string,
    work: (host: Host) => Promise<T>,
    ended: (ending: Ending<T>) => void,
    hurried?: boolean,
  ): void
  /** Of what others say. */
  publish(message: Message): void
  /** Invocations that have not ended. */
  open(): number
}

/** As many processes as the faults say; one that died is replaced by the next message. */
export function createFleet(
  kernel: Kernel,
  ground: Ground,
  mutant: Mutant,
  on: { readonly committed: (process: Process) => void; readonly publish: (message: Message) => void },
): Fleet {
  const routing = kernel.random('routing')
  const hosts: Host[] = []
  let open = 0
  const hostAt = (at: number, hurried: boolean): Host => {
    const running = hosts[at]
    if (running?.process.alive === true) return running
    const process = kernel.start(hurried)
    const wired = depsOf(kernel, process, ground, on)
    const deps = mutant.deps?.(wired) ?? wired
    const host = { process, deps, handlers: handlersOf(deps) }
    hosts[at] = host
    return host
  }
  return {
    invoke: (cause, work, ended, hurried = false) => {
      open += 1
      const { processes } = kernel.faults
      const host = hurried ? hostAt(processes, true) : hostAt(routing.between(0, processes - 1), false)
      kernel.invoke(
        host.process,
        cause,
        () => work(host),
        (ending) => {
          open -= 1
          if (ending.kind === 'failed' && !isExpected(ending.error)) {
            kernel.violations.push(`${cause} threw ${String(ending.error)}`)
          }
          ended(ending)
        },
      )
    },
    publish: on.publish,
    open: () => open,
  }
}

/** What is unavailable may throw; anything else is a mistake, which no redelivery will mend. */
function isExpected(error: unknown): boolean {
  return error instanceof Error && error.name === 'DependencyFailed'
}

function handlersOf(deps: LifecycleDeps): Host['handlers'] {
  const byType = new Map(lifecycleEvents(deps).map((handler) => [handler.type, handler]))
  return async (nowMs, { event }) => {
    const handler = byType.get(event.type)
    if (handler === undefined) throw new TypeError(`nobody hears ${event.type}`)
    return handler.receive({
      event: { ...event, data: asRecord(event.data) ?? {} },
      ctx: contextOf(event.tenantid as TenantId),
      claim: eventClaim(event, digestOf(event)),
      ...{ nowMs, trace: TRACE, signal: NO_DEADLINE, log: silentLogger },
    })
  }
}
