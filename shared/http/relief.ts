/**
 * Requests that only wait, and can be answered early: as soon as this instance has to end, or has no
 * room for the next request. There is one instance in a process.
 */
const waiting = new Set<() => void>()

/** Calls `run` once when waiting should end; the returned function takes that back. */
export function onRelief(run: () => void): () => void {
  waiting.add(run)
  return () => void waiting.delete(run)
}

/** Ends all waiting: what was waiting answers with what it has. */
export function relieve(): void {
  for (const run of [...waiting]) run()
  waiting.clear()
}
