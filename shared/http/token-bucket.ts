/**
 * Token buckets by key, in this process: each holds up to one second's worth and fills evenly.
 *
 * A bound per instance, not for the whole service: n instances allow n times the rate. At most
 * `mostKeys` are kept; the one unused for longest is forgotten first, which only ever gives a key
 * more than its share.
 */
export type TokenBuckets = {
  /** Takes one token of `key`; false when there is none. `perSecond` may differ from call to call. */
  take(key: string, perSecond: number, nowMs: number): boolean
}

export function tokenBuckets(mostKeys = 10_000): TokenBuckets {
  const buckets = new Map<string, { tokens: number; atMs: number }>()
  return {
    take: (key, perSecond, nowMs) => {
      const known = buckets.get(key)
      const elapsedMs = Math.max(0, nowMs - (known?.atMs ?? nowMs))
      const filled = Math.min(perSecond, (known?.tokens ?? perSecond) + (elapsedMs * perSecond) / 1000)
      const allowed = filled >= 1
      buckets.delete(key)
      buckets.set(key, { tokens: allowed ? filled - 1 : filled, atMs: nowMs })
      const oldest = buckets.size > mostKeys ? buckets.keys().next().value : undefined
      if (oldest !== undefined) buckets.delete(oldest)
      return allowed
    },
  }
}
