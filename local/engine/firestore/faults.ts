import { setTimeout as sleep } from 'node:timers/promises'
import { CODES, rpcError } from './status.ts'

/**
 * How a call goes wrong: `refuse` and `error` fail it before anything happens, `delay` lets it through
 * later, `lostAnswer` lets it take effect and then fails it, as a cut connection does.
 *
 * `code` is a gRPC code: UNAVAILABLE unless said otherwise, INTERNAL for `error`.
 */
export type Fault = {
  mode: 'refuse' | 'delay' | 'error' | 'lostAnswer'
  code?: number
  delayMs?: number
}

/** Decides per call, by the rpc's name (`Commit`, `RunQuery`, …) and its request. */
export type FaultPlan = (rpc: string, request: unknown) => Fault | undefined

/** Runs a call under a fault, or plainly without one. The delay is real time: it stands for a slow network. */
export async function underFault<T>(fault: Fault | undefined, run: () => T): Promise<T> {
  if (fault === undefined) return run()
  if (fault.delayMs !== undefined && fault.delayMs > 0) await sleep(fault.delayMs)
  if (fault.mode === 'delay') return run()
  if (fault.mode === 'lostAnswer') {
    run()
    throw rpcError(fault.code ?? CODES.unavailable, 'The answer was lost after the call took effect (fault).')
  }
  const usual = fault.mode === 'refuse' ? CODES.unavailable : CODES.internal
  throw rpcError(fault.code ?? usual, `The call was failed on purpose (fault: ${fault.mode}).`)
}
