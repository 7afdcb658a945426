import { compactVerify } from 'jose'
import { ok, type Result, refuse } from '#shared/result.ts'
import { checkForeignTimes, type ForeignJwt, splitForeignJwt } from '#shared/tokens/foreign-jwt.ts'
import { type AdmittedAlg, isAdmittedAlg } from '../../domain/admit-jwk.ts'
import type { ForeignKeys, KeyOrigin } from '../../ports/outbound.ts'

export type ForeignTokenDeps = { readonly foreignKeys: ForeignKeys }

/** How tokens of one issuer are verified: where its keys are, and what it signs with. */
export type IssuerRules = {
  readonly keys: KeyOrigin
  readonly algs: readonly AdmittedAlg[]
  readonly longestLifeSeconds: number
}

export type ForeignToken = {
  readonly payload: Readonly<Record<string, unknown>>
  readonly issuedAt: number
  readonly expiresAt: number
}

/** A token of another issuer in the right form; its `iss` says whose rules to verify it by, and nothing else yet. */
export function readForeignToken(token: string): Result<ForeignJwt & { readonly issuer: string }> {
  const parts = splitForeignJwt(token)
  if (!parts.ok) return parts
  const { iss } = parts.value.payload
  if (typeof iss !== 'string' || iss === '') return refuse('token.invalid', 'no iss')
  // Other kinds of tokens have a type of their own: a logout token or an access token is no ID token.
  const { typ } = parts.value
  if (typ !== undefined && typ.toUpperCase() !== 'JWT') return refuse('token.invalid', 'typ')
  return ok({ ...parts.value, issuer: iss })
}

/**
 * Verifies signature and times with the keys of the one issuer whose rules these are; a key of another
 * issuer is never tried (RFC 8725 §3.8). Throws when the keys cannot be read.
 */
export async function verifyForeignToken(
  deps: ForeignTokenDeps,
  token: string,
  parts: ForeignJwt,
  rules: IssuerRules,
  nowMs: number,
): Promise<Result<ForeignToken>> {
  // Before the keys: what is expired or of another algorithm makes nobody fetch anything.
  const times = checkForeignTimes(parts.payload, { nowMs, longestLifeSeconds: rules.longestLifeSeconds })
  if (!times.ok) return times
  const alg = parts.alg === 'Ed25519' ? 'EdDSA' : parts.alg
  if (!isAdmittedAlg(alg) || !rules.algs.includes(alg)) return refuse('token.invalid', 'alg')
  const key = await deps.foreignKeys.find(rules.keys, { kid: parts.kid, alg }, nowMs)
  if (key === undefined) return refuse('token.invalid', 'no key of the issuer')
  try {
    await compactVerify(token, key, { algorithms: [parts.alg] })
  } catch {
    // The key is in hand: whatever jose throws is about the token.
    return refuse('token.invalid', 'signature')
  }
  return ok({ payload: parts.payload, ...times.value })
}
