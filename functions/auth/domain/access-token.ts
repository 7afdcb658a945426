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
} & OptionalClaims

/** What only some tokens say. */
export type OptionalClaims = {
  /** Of users: the session, when and how they signed in. */
  readonly sid?: string
  readonly auth_time?: number
  readonly acr?: string
  readonly amr?: readonly string[]
  /** The key the token is bound to (RFC 9449 §6.1). */
  readonly cnf?: { readonly jkt: string }
  /** Who acts for the subject (RFC 8693 §4.1), three deep at most. */
  readonly act?: ActorClaim
  /** Of an operators' machine: the person who answers for it, so that what takes two people finds two. */
  readonly own?: string
  /** The workload behind an exchanged token. */
  readonly wl?: { readonly cluster: string; readonly ns: string; readonly sa: string; readonly pod?: string }
  /** The end that no further exchange can put off, in seconds. */
  readonly oexp?: number
}

export type ActorClaim = { readonly sub: string; readonly client_id?: string; readonly act?: ActorClaim }

export type Signer = {
  readonly kid: string
  readonly key: KeyObject
}

/** Of users and machines. */
export const ACCESS_TOKEN_LIFE_SECONDS = 600
export const WORKLOAD_TOKEN_LIFE_SECONDS = 300
/** Shortened by at most this share, so that a fleet that started together does not come back together. */
const MOST_SHORTENED = 0.05

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
  /** 600 unless given. */
  readonly lifeSeconds?: number
  /** The last second it may live to, whatever its life: of the subject token, of a session. */
  readonly notAfter?: number
  readonly claims?: OptionalClaims
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
  const life = grantee.lifeSeconds ?? ACCESS_TOKEN_LIFE_SECONDS
  const shortened = Math.floor(((chance[0] ?? 0) / 256) * (life * MOST_SHORTENED + 1))
  return {
    iss: grantee.issuer,
    sub: grantee.subject,
    aud: grantee.issuer,
    exp: Math.min(issuedAt + life - shortened, grantee.notAfter ?? Number.MAX_SAFE_INTEGER),
    iat: issuedAt,
    jti: Buffer.from(chance.subarray(1, 17)).toString('base64url'),
    client_id: grantee.clientId,
    scope: grantee.scopes.join(' '),
    tenant: grantee.tenantId,
    tier: grantee.tier,
    roles: grantee.roles,
    ver: grantee.policyVersion,
    ...grantee.claims,
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
