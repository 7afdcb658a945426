import { type HeaderList, headerValues } from '#local/proxy/header-list.ts'
import { refuseSignature } from './jwks.ts'
import type { JwksCache } from './jwks-cache.ts'
import { JWT_AUDIENCE, JWT_MISSING, JWT_UNKNOWN_ISSUER, parseJwt } from './jwt.ts'
import { findQueryParameter } from './request-path.ts'
import type { JwtProvider } from './spec.ts'

/** Verified payloads as sent, or why the request is refused. */
type JwtDecision = { readonly payloads: readonly string[] } | { readonly refused: string }

export type JwtContext = {
  readonly now: () => number
  readonly jwks: (provider: JwtProvider) => JwksCache
}

const CLOCK_SKEW_SECONDS = 60

/**
 * Checks a request's tokens against every provider until one accepts. When none does, the last failure
 * that says more than "missing" or "another issuer" is the answer (Envoy, jwt_authn/verifier.cc).
 */
export async function checkJwt(
  context: JwtContext,
  providers: readonly JwtProvider[],
  headers: HeaderList,
  query: string,
): Promise<JwtDecision> {
  let answer = JWT_MISSING
  for (const provider of providers) {
    const decision = await checkProvider(context, provider, extractTokens(provider, headers, query))
    if (!('refused' in decision)) return decision
    const telling = decision.refused !== JWT_MISSING && decision.refused !== JWT_UNKNOWN_ISSUER
    if (telling || answer === JWT_MISSING) answer = decision.refused
  }
  return { refused: answer }
}

// All tokens of a request must be valid, the last one found checked first: otherwise a backend might
// take a bad token for the good one beside it (Envoy, authenticator.cc).
async function checkProvider(
  context: JwtContext,
  provider: JwtProvider,
  tokens: readonly string[],
): Promise<JwtDecision> {
  if (tokens.length === 0) return { refused: JWT_MISSING }
  const payloads: string[] = []
  for (const token of tokens.toReversed()) {
    const jwt = parseJwt(token)
    if ('refused' in jwt) return jwt
    if (jwt.issuer !== provider.issuer) return { refused: JWT_UNKNOWN_ISSUER }
    const nowSeconds = Math.floor(context.now() / 1000)
    if (nowSeconds + CLOCK_SKEW_SECONDS < jwt.notBefore) return { refused: 'Jwt not yet valid' }
    // A token without an expiry passes: a backend that wants one must insist on it itself.
    if (jwt.expires > 0 && nowSeconds > jwt.expires + CLOCK_SKEW_SECONDS) return { refused: 'Jwt is expired' }
    if (!audienceAllowed(provider.audiences, jwt.audiences)) return { refused: JWT_AUDIENCE }
    const keys = await context.jwks(provider).keys()
    if (!keys) return { refused: 'Jwks remote fetch is failed' }
    const fault = refuseSignature(jwt, keys)
    if (fault !== undefined) return { refused: fault }
    payloads.push(jwt.payload)
  }
  return { payloads }
}

/** Every token at a provider's locations: headers ordered by name and prefix, then query parameters. */
function extractTokens(provider: JwtProvider, headers: HeaderList, query: string): string[] {
  const places = provider.locations.toSorted((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1))
  const inHeaders = places.flatMap((place) => {
    if (place.in !== 'header') return []
    return headerValues(headers, place.name).flatMap((value) => tokenIn(value, place.prefix) ?? [])
  })
  const inQuery = places.flatMap((place) => {
    const value = place.in === 'query' ? findQueryParameter(query, place.name) : undefined
    return value === undefined ? [] : [decodeParameter(value)]
  })
  return [...inHeaders, ...inQuery]
}

function sortKey(place: JwtProvider['locations'][number]): string {
  return place.in === 'header' ? `${place.name}${place.prefix}` : place.name
}

// The prefix may stand anywhere in the value, and what cannot begin a token is skipped (extractor.cc).
function tokenIn(value: string, prefix: string): string | undefined {
  if (prefix === '') return value
  const at = value.indexOf(prefix)
  if (at < 0) return undefined
  const begin = value.slice(at + prefix.length).search(/[A-Za-z0-9_.-]/)
  return begin < 0 ? value : value.slice(at + prefix.length + begin)
}

function decodeParameter(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

// With or without scheme and last slash it is the same audience (check_audience.cc).
function audienceAllowed(allowed: readonly string[], presented: readonly string[]): boolean {
  if (allowed.length === 0) return true
  const plain = new Set(allowed.map(plainAudience))
  return presented.some((audience) => plain.has(plainAudience(audience)))
}

function plainAudience(audience: string): string {
  return audience.replace(/^https?:\/\//, '').replace(/\/$/, '')
}
