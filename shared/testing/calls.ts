import type { CallFault } from './fault-plan.ts'
import type { Random } from './random.ts'
import type { VirtualTime } from './virtual-time.ts'

/** One call on its way: what the caller may hear, and the moments it passes. */
export type Call = {
  readonly fault: CallFault | undefined
  /** What happens at the other end; returns how the caller is told. */
  apply(): () => void
  /** Tells the caller, as far as it still lives to hear it. */
  answer(settle: () => void): void
  reject(error: Error): void
  crash(): void
  readonly name: string
}

/** Codes of gRPC. */
const CODES: Readonly<Partial<Record<CallFault, number>>> = {
  unavailable: 14,
  aborted: 10,
  exhausted: 8,
  'answer-lost': 14,
  'deadline-after': 4,
}

const NEVER_APPLIED: readonly (CallFault | undefined)[] = ['unavailable', 'aborted', 'exhausted']

/** Lets a call take its time, have its effect or not, and its answer come back or not. */
export function travel(call: Call, time: VirtualTime, latency: Random): void {
  const { fault, name } = call
  const code = fault === undefined ? undefined : CODES[fault]
  const failed = (): void => call.reject(Object.assign(new Error(`${name}: ${fault}`), { code }))
  const unheard = fault === 'hang' && latency.chance(0.5)
  const slowMs = fault === 'slow' ? latency.between(1_000, 30_000) : 0
  time.after(latency.between(1, 15) + slowMs, () => {
    if (unheard) return
    if (NEVER_APPLIED.includes(fault)) {
      call.answer(failed)
      return
    }
    const settle = call.apply()
    if (fault === 'crash-after') call.crash()
    else if (fault !== 'hang') call.answer(code === undefined ? settle : failed)
  })
}
