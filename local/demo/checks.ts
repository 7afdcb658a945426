import { setTimeout as pause } from 'node:timers/promises'
import type { Answer } from '#local/stack/api-client.ts'
import { StepFailed } from './narrator.ts'

/** Looks again and again until there is something to see, or the time is over: then undefined. */
export async function until<T>(limitMs: number, look: () => Promise<T | undefined>): Promise<T | undefined> {
  const endMs = performance.now() + limitMs
  while (performance.now() < endMs) {
    const seen = await look()
    if (seen !== undefined) return seen
    await pause(60)
  }
  return undefined
}

/** Fails the step unless it holds, with the answer that does not fit. */
export function expect(holds: boolean, what: string, answer?: Answer): void {
  if (holds) return
  throw new StepFailed(
    answer === undefined ? what : `${what}; got ${answer.status} ${JSON.stringify(answer.body)}`,
  )
}

/** Moves the stack's clock on, with all that comes due on the way. */
export async function moveClock(
  stack: { readonly controlUrl: string },
  to: { readonly now: string } | { readonly advanceSeconds: number },
): Promise<void> {
  const answer = await fetch(`${stack.controlUrl}/clock`, { method: 'POST', body: JSON.stringify(to) })
  if (answer.status !== 200) throw new StepFailed(`the clock stays: ${await answer.text()}`)
}
