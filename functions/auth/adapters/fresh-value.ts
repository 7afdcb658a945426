/** A value read from elsewhere, kept for a while. */
export type FreshValue<T> = {
  /** The value, read at most `maxAgeMs` ago. Rejects when it cannot be read. */
  get(nowMs: number, maxAgeMs: number): Promise<T>
  /** The last value ever read, whatever its age. */
  last(): T | undefined
  /** Makes the next `get` read again. */
  forget(): void
}

/** Reads through `read`, which callers that ask at once share; a read that fails is not kept. */
export function freshValue<T>(read: (nowMs: number) => Promise<T>): FreshValue<T> {
  let kept: { readonly value: T; readonly atMs: number } | undefined
  let stale = false
  let reading: Promise<T> | undefined
  const start = async (nowMs: number): Promise<T> => {
    try {
      const value = await read(nowMs)
      kept = { value, atMs: nowMs }
      return value
    } finally {
      reading = undefined
    }
  }
  return {
    get: (nowMs, maxAgeMs) => {
      // A clock that was set back makes no value fresh for longer.
      if (kept !== undefined && !stale && Math.abs(nowMs - kept.atMs) <= maxAgeMs)
        return Promise.resolve(kept.value)
      if (reading === undefined) {
        stale = false
        reading = start(nowMs)
      }
      return reading
    },
    last: () => kept?.value,
    forget: () => {
      stale = true
    },
  }
}
