/** What can be revoked, and so what a token is judged by besides its signature (`auth.md` §6). */
export const REVOCATION_KINDS = [
  'tenant',
  'user',
  'client',
  'apiKey',
  'session',
  'token',
  'signingKey',
] as const
export type RevocationKind = (typeof REVOCATION_KINDS)[number]

/**
 * Something whose tokens are good no longer: it becomes true with the commit that names it, and every
 * verifier knows within two seconds.
 *
 * `before` and `exp` are whole seconds since the epoch. Tokens of the thing with `iat` at or before
 * `before` are refused (of a `token` that one token, of a `signingKey` all that it signed, whatever the
 * `iat`: a thief writes what he likes); after `exp` none of them can
 * live and the entry may go.
 */
export type Revocation = {
  readonly kind: RevocationKind
  /** Of a tenant its tenant id, of a session its `sid`, of a token its `jti`, of a signing key its `kid`. */
  readonly id: string
  readonly before: number
  readonly exp: number
  /** A word for listeners and the audit, such as `refresh_reuse`; never personal data. */
  readonly reason?: string
}

/** The longest life of a token that any verifier accepts, in seconds. */
export const LONGEST_TOKEN_LIFE_SECONDS = 3_600
/** How far clocks may differ, in seconds, before a verifier refuses. */
export const TOKEN_SKEW_SECONDS = 5

/** Every token of `id` issued until now. A new one is issued in a later second: see `watermark` in `accessClaims`. */
export function revokeUntilNow(
  kind: Exclude<RevocationKind, 'token'>,
  id: string,
  nowMs: number,
  reason?: string,
): Revocation {
  const before = Math.floor(nowMs / 1000)
  return { kind, id, before, exp: latestExpiry(before), ...(reason === undefined ? {} : { reason }) }
}

/** One token, by its `jti`, `iat` and `exp`. */
export function revokeToken(
  token: { readonly jti: string; readonly iat: number; readonly exp: number },
  reason?: string,
): Revocation {
  const exp = token.exp + TOKEN_SKEW_SECONDS
  return { kind: 'token', id: token.jti, before: token.iat, exp, ...(reason === undefined ? {} : { reason }) }
}

/** When the last token issued at or before `before` can have been accepted, with a margin for clocks. */
export function latestExpiry(before: number): number {
  return before + LONGEST_TOKEN_LIFE_SECONDS + 2 * TOKEN_SKEW_SECONDS
}
