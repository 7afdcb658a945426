import { parseJwks, type VerificationKey } from './jwks.ts'

/** Keeps the keys behind one URL. */
export type JwksCache = {
  /** The keys, fetched now if they are too old; `undefined` when they never could be fetched. */
  keys(): Promise<readonly VerificationKey[] | undefined>
}

export type FetchText = (url: string) => Promise<string>

// ESPv2's jwks_cache_duration_in_s. There is no refetch on an unknown kid within it, so a new key must
// be published at least this long before it signs.
const CACHE_MS = 300_000
// Envoy's pause after a failed fetch. Only with old keys at hand: without any, every request tries.
const FAILURE_PAUSE_MS = 1_000
const FETCH_TIMEOUT_MS = 5_000
const MAX_JWKS_BYTES = 1024 * 1024

/**
 * Caches a JWK set for 300 seconds of `now`. When a later fetch fails the old keys stay, as with Envoy's
 * asynchronous fetch; requests arriving meanwhile share one fetch.
 */
export function createJwksCache(url: string, now: () => number, fetchText: FetchText = fetchJwks): JwksCache {
  let known: readonly VerificationKey[] | undefined
  let fetchedAt = 0
  let failedAt = Number.NEGATIVE_INFINITY
  let underWay: Promise<void> | undefined
  const within = (since: number, spanMs: number) => now() >= since && now() - since < spanMs
  const fresh = () => known && (within(fetchedAt, CACHE_MS) || within(failedAt, FAILURE_PAUSE_MS))
  const refetch = async () => {
    try {
      const keys = parseJwks(await fetchText(url))
      if (!keys) throw new Error(`${url} holds no usable key`)
      known = keys
      fetchedAt = now()
    } catch {
      // The caller says what it means that there are no keys; old ones stay in use.
      failedAt = now()
    }
  }
  return {
    keys: async () => {
      if (!fresh()) {
        underWay ??= refetch().finally(() => {
          underWay = undefined
        })
        await underWay
      }
      return known
    },
  }
}

async function fetchJwks(url: string): Promise<string> {
  const response = await fetch(url, {
    redirect: 'manual',
    headers: { accept: 'application/json' },
    // Real time: the other side answers in real time.
    signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
  })
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}`)
  const text = await response.text()
  if (text.length > MAX_JWKS_BYTES) throw new Error(`${url} answered more than ${MAX_JWKS_BYTES} bytes`)
  return text
}
