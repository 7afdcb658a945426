import type { ApiReply } from './types.ts'

/** What a page may read of an answer beside its body. */
const EXPOSED = 'ETag, Location, Retry-After, WWW-Authenticate, X-Request-Id, Idempotency-Replayed'
/** What a page may send. */
const ACCEPTED = 'Authorization, Content-Type, DPoP, Idempotency-Key, If-Match, If-None-Match, Traceparent'
/** For how long a browser may remember the answer to a preflight, in seconds. */
const MAX_AGE_SECONDS = '600'

/**
 * The headers that let a page of an allowed origin read an answer (Fetch standard §3.2).
 *
 * Only origins that the setting names, each in full: never a wildcard, and never credentials. Our
 * tokens travel in a header that the page sets itself, so a browser has nothing to add of its own.
 */
export function corsHeaders(
  origins: readonly string[] | undefined,
  origin: string | undefined,
): Record<string, string> {
  if (origins === undefined) return {}
  // The answer depends on who asks, so a cache must not give it to another.
  const vary = { vary: 'Origin' }
  if (origin === undefined || !origins.includes(origin)) return vary
  return { ...vary, 'access-control-allow-origin': origin, 'access-control-expose-headers': EXPOSED }
}

/** The answer to a preflight: what the path's methods and headers are. It lets in nobody `corsHeaders` does not. */
export function preflightReply(
  origins: readonly string[] | undefined,
  origin: string | undefined,
  methods: readonly string[],
): ApiReply {
  const allowed = origin !== undefined && origins?.includes(origin) === true
  return {
    status: 204,
    headers: {
      allow: [...methods, 'OPTIONS'].join(', '),
      ...(allowed
        ? {
            'access-control-allow-methods': methods.join(', '),
            'access-control-allow-headers': ACCEPTED,
            'access-control-max-age': MAX_AGE_SECONDS,
          }
        : {}),
    },
  }
}
