import { setTimeout as sleep } from 'node:timers/promises'

/**
 * How one call to a stand-in goes wrong: `refuse` and `error` fail it before anything happens, `delay`
 * lets it through later, `lostAnswer` lets it take effect and then fails it, as a cut connection does.
 *
 * `code` is the service's own: a gRPC status or an HTTP status.
 */
export type Fault = {
  readonly mode: 'refuse' | 'delay' | 'error' | 'lostAnswer'
  readonly code?: number
  readonly delayMs?: number
}

/** Decides, call by call, whether it goes wrong and how; nothing lets the call through. */
export type FaultHook<Request = unknown> = (operation: string, request: Request) => Fault | undefined

const USUAL_DELAY_MS = 1000

/** Runs `work` under the fault that applies, if any; `fail` is how a call of this service fails. */
export async function underFault<Done, Failed = never>(
  fault: Fault | undefined,
  work: () => Done | Promise<Done>,
  fail: (fault: Fault) => Failed,
): Promise<Done | Failed> {
  if (fault === undefined) return work()
  if (fault.mode === 'refuse' || fault.mode === 'error') return fail(fault)
  // Real time on purpose: it stands for a slow network and tries out the caller's own time-outs.
  if (fault.mode === 'delay') await sleep(fault.delayMs ?? USUAL_DELAY_MS)
  const done = await work()
  return fault.mode === 'lostAnswer' ? fail(fault) : done
}
