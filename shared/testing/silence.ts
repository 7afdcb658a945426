import { CALL_DEADLINE_MS } from '../deadline.ts'

/** A call that answers, or its deadline, comes sooner than this. */
const LONGEST_SILENCE_MS = CALL_DEADLINE_MS + 1_000

/** Watches one invocation for calls without a deadline. */
export type Silence = {
  /** A call of the port began (1) or ended (-1). */
  call(port: string, by: 1 | -1): void
  /** The invocation is over; what it left behind may take as long as it likes. */
  end(): void
}

/**
 * Complains when an invocation stood still for longer than any call may take.
 *
 * `patience` names ports whose callers wait longer, in milliseconds; `frozenUntilMs` is until when the
 * process could do nothing anyway.
 */
export function watchSilence(options: {
  readonly now: () => number
  readonly frozenUntilMs: () => number
  readonly patience: Readonly<Record<string, number>>
  readonly complain: (silentMs: number) => void
}): Silence {
  const { now, frozenUntilMs, patience, complain } = options
  const patient = new Map<string, number>()
  let lastMs = now()
  let over = false
  const moved = (): void => {
    const waits = [...patient].filter(([, calls]) => calls > 0).map(([port]) => patience[port] ?? 0)
    const silentMs = now() - Math.max(lastMs, frozenUntilMs())
    if (!over && silentMs > Math.max(LONGEST_SILENCE_MS, ...waits)) complain(silentMs)
    lastMs = now()
  }
  return {
    call: (port, by) => {
      moved()
      if (patience[port] !== undefined) patient.set(port, (patient.get(port) ?? 0) + by)
    },
    end: () => {
      moved()
      over = true
    },
  }
}
