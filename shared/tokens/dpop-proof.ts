import { createHash } from 'node:crypto'
import { calculateJwkThumbprint, compactVerify, type JWK } from 'jose'
import { z } from 'zod'
import { parser } from '../json.ts'
import { ok, type Result, refuse } from '../result.ts'
import { admitJwk } from './admit-jwk.ts'
import { DPOP_MEMBERS, splitForeignJwt } from './foreign-jwt.ts'

/** What a proof may be signed with, as the metadata say. `Ed25519` is the newer name of `EdDSA` (RFC 9864). */
export const DPOP_ALGS = ['ES256', 'EdDSA', 'Ed25519', 'PS256'] as const

/** How long ago a proof may have been made, in seconds. */
export const PROOF_LIFE_SECONDS = 60
/** How far ahead of ours the clock may be that dated it. */
export const PROOF_SKEW_SECONDS = 30

const MOST_BYTES = 8 * 1024

/** What a proof must be about. */
export type ProofTarget = {
  readonly method: string
  /** The public URL of the request; its query counts for nothing (RFC 9449 §4.3). */
  readonly url: string
  readonly nowMs: number
  /** The access token that comes with it, where one does. */
  readonly accessToken?: string
}

/** A proof that is what it must be, but for having been used before. */
export type DpopProof = {
  /** Thumbprint of its key (RFC 7638). */
  readonly jkt: string
  /** What must not come again. */
  readonly id: string
}

const parseClaims = parser(
  z.object({
    jti: z.string().min(1).max(256),
    htm: z.string().max(16),
    htu: z.string().max(2048),
    iat: z.number().int().nonnegative(),
    ath: z.string().max(64).optional(),
  }),
  'dpop.invalid',
)

/**
 * Checks a DPoP proof against the request it came with (RFC 9449 §4.3): its form, a public key of its own
 * that is strong enough, its signature, method, URL, age, and the token it is for.
 *
 * Pure but for the cryptography: whether it was used before is for the caller, who must also compare
 * `jkt` with the token.
 */
export async function checkDpopProof(proof: string, target: ProofTarget): Promise<Result<DpopProof>> {
  const parts = splitForeignJwt(proof, { members: DPOP_MEMBERS, maxBytes: MOST_BYTES })
  if (!parts.ok) return invalid(parts.detail)
  const { alg, typ, header, payload } = parts.value
  if (typ !== 'dpop+jwt') return invalid('typ')
  if (!(DPOP_ALGS as readonly string[]).includes(alg)) return invalid('alg')
  const admitted = admitJwk(header['jwk'])
  if (!admitted.ok) return invalid(admitted.detail)
  const named = alg === 'Ed25519' ? 'EdDSA' : alg
  if (!admitted.value.algs.some((own) => own === named)) return invalid('alg is not of the key')
  const claims = parseClaims(payload)
  if (!claims.ok) return claims
  const fault = faultOf(claims.value, target)
  if (fault !== undefined) return fault
  try {
    await compactVerify(proof, admitted.value.key, { algorithms: [alg] })
  } catch {
    return invalid('signature')
  }
  const jkt = await calculateJwkThumbprint(header['jwk'] as JWK)
  return ok({
    jkt,
    id: createHash('sha256').update(`${jkt}\n${claims.value.jti}`, 'utf8').digest('base64url'),
  })
}

type Claims = {
  readonly htm: string
  readonly htu: string
  readonly iat: number
  readonly ath?: string | undefined
}

function faultOf(claims: Claims, target: ProofTarget): Result<never> | undefined {
  if (claims.htm !== target.method) return invalid('htm')
  if (!isSameUrl(claims.htu, target.url)) return invalid('htu')
  if (target.accessToken !== undefined && claims.ath !== athOf(target.accessToken)) return invalid('ath')
  const nowSeconds = target.nowMs / 1000
  const fresh = claims.iat > nowSeconds - PROOF_LIFE_SECONDS && claims.iat < nowSeconds + PROOF_SKEW_SECONDS
  return fresh ? undefined : invalid('iat')
}

/** The hash of a token as a proof names it. */
export function athOf(accessToken: string): string {
  return createHash('sha256').update(accessToken, 'ascii').digest('base64url')
}

/**
 * Compared after what RFC 3986 §6.2 calls normalization: case of scheme, host and escapes, default
 * port, dot segments. Query and fragment are left out (RFC 9449 §4.3).
 */
function isSameUrl(claimed: string, wanted: string): boolean {
  const left = normalized(claimed)
  return left !== undefined && left === normalized(wanted)
}

function normalized(text: string): string | undefined {
  if (!/^https?:\/\/[\x21-\x7E]+$/i.test(text) || !URL.canParse(text)) return undefined
  const { origin, pathname, username, password } = new URL(text)
  if (username !== '' || password !== '') return undefined
  return origin + pathname.replace(/%[0-9a-f]{2}/gi, (octet) => octet.toUpperCase())
}

function invalid(detail: string) {
  return refuse('dpop.invalid', `proof: ${detail}`, 'The DPoP proof is not valid for this request.')
}
