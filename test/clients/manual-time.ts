/** Time that moves when it is told to, and lets everything that is due happen on the way. */
export function manualTime() {
  const due: { atMs: number; run: () => void }[] = []
  let nowMs = 0
  let state = 1
  return {
    after: (ms: number, run: () => void) => {
      const timer = { atMs: nowMs + ms, run }
      due.push(timer)
      return () => {
        const at = due.indexOf(timer)
        if (at >= 0) due.splice(at, 1)
      }
    },
    /** Chance that is the same in every run. */
    random: () => {
      state = (state * 48_271) % 2_147_483_647
      return state / 2_147_483_647
    },
    advance: async (ms: number): Promise<void> => {
      const endMs = nowMs + ms
      for (;;) {
        await turn()
        const next = due.toSorted((left, right) => left.atMs - right.atMs)[0]
        if (next === undefined || next.atMs > endMs) break
        due.splice(due.indexOf(next), 1)
        nowMs = next.atMs
        next.run()
      }
      nowMs = endMs
      await turn()
    },
    waiting: () => due.length,
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
