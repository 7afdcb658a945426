import { type KeyObject, sign } from 'node:crypto'
import type { Scope } from '#shared/catalogue/scopes.ts'
import type { Tier } from '#shared/catalogue/tiers.ts'
import type { TenantId } from '#shared/ids.ts'

/** The claims of an access token (RFC 9068 and `auth.md` §4), in the order they are written. */
export type AccessClaims = {
  readonly iss: string
  readonly sub: string
  readonly aud: string
  readonly exp: number
  readonly iat: number
  readonly jti: string
  readonly client_id: string
  readonly scope: string
  readonly tenant: TenantId
  readonly tier: Tier
  readonly roles: readonly string[]
  /** The tenant's policy version when the token was made. */
  readonly ver: number
}

export type Signer = {
  readonly kid: string
  readonly key: KeyObject
}

export const ACCESS_TOKEN_LIFE_SECONDS = 600
const MOST_SHORTENED_SECONDS = 30

export type Grantee = {
  readonly issuer: string
  readonly subject: string
  readonly clientId: string
  readonly scopes: readonly Scope[]
  readonly tenantId: TenantId
  readonly tier: Tier
  readonly roles: readonly string[]
  readonly policyVersion: number
  /** The latest second whose tokens are refused. */
  readonly watermark: number
}

/**
 * The claims of a new token.
 *
 * `chance` (at least 17 bytes) gives the token's id and takes up to 5 % off its life, so that a fleet
 * that started together does not come back together. `iat` is later than the watermark even in the
 * second of a revocation: a watermark cannot tell two tokens of one second apart.
 */
export function accessClaims(grantee: Grantee, chance: Uint8Array, nowMs: number): AccessClaims {
  if (chance.length < 17) throw new RangeError('a token takes 17 bytes of chance')
  const issuedAt = Math.max(Math.floor(nowMs / 1000), grantee.watermark + 1)
  const shortened = Math.floor(((chance[0] ?? 0) / 256) * (MOST_SHORTENED_SECONDS + 1))
  return {
    iss: grantee.issuer,
    sub: grantee.subject,
    aud: grantee.issuer,
    exp: issuedAt + ACCESS_TOKEN_LIFE_SECONDS - shortened,
    iat: issuedAt,
    jti: Buffer.from(chance.subarray(1, 17)).toString('base64url'),
    client_id: grantee.clientId,
    scope: grantee.scopes.join(' '),
    tenant: grantee.tenantId,
    tier: grantee.tier,
    roles: grantee.roles,
    ver: grantee.policyVersion,
  }
}

/** Signs with ES256; the signature is r ‖ s (RFC 7518 §3.4), not the DER that OpenSSL makes by default. */
export function signAccessToken(claims: AccessClaims, signer: Signer): string {
  const header = encode({ alg: 'ES256', typ: 'at+jwt', kid: signer.kid })
  const signed = `${header}.${encode(claims)}`
  const signature = sign('sha256', Buffer.from(signed, 'ascii'), {
    key: signer.key,
    dsaEncoding: 'ieee-p1363',
  })
  return `${signed}.${signature.toString('base64url')}`
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value), 'utf8').toString('base64url')
}
