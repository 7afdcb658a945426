import { createHash, sign } from 'node:crypto'
import type { TenantId } from '#shared/ids.ts'
import type { Signer } from './access-token.ts'
import type { ClientId } from './client-id.ts'
import type { Session } from './session.ts'

/** What we tell a client about who has signed in (OpenID Connect Core §2). Nothing personal stands in it. */
export type IdTokenClaims = {
  readonly iss: string
  readonly sub: string
  readonly aud: ClientId
  readonly exp: number
  readonly iat: number
  readonly auth_time: number
  readonly nonce?: string
  readonly acr?: string
  readonly amr?: readonly string[]
  readonly at_hash: string
  readonly sid: string
  readonly tenant: TenantId
}

const ID_TOKEN_LIFE_SECONDS = 600

export function idTokenClaims(
  issuer: string,
  tenantId: TenantId,
  session: Session,
  answered: { readonly nonce: string | null; readonly accessToken: string; readonly issuedAt: number },
): IdTokenClaims {
  return {
    iss: issuer,
    sub: session.userId,
    aud: session.clientId,
    exp: answered.issuedAt + ID_TOKEN_LIFE_SECONDS,
    iat: answered.issuedAt,
    auth_time: session.authTime,
    ...(answered.nonce === null ? {} : { nonce: answered.nonce }),
    ...(session.acr === null ? {} : { acr: session.acr }),
    ...(session.amr.length === 0 ? {} : { amr: session.amr }),
    at_hash: leftHalfHash(answered.accessToken),
    sid: session.sessionId,
    tenant: tenantId,
  }
}

/**
 * Signs with the key of the access ring. Type and audience keep the two apart: an access token has
 * `at+jwt` and is for us, an ID token has `JWT` and is for a client (RFC 8725 §3.11).
 */
export function signIdToken(claims: IdTokenClaims, signer: Signer): string {
  const signed = `${encode({ alg: 'ES256', typ: 'JWT', kid: signer.kid })}.${encode(claims)}`
  const key = { key: signer.key, dsaEncoding: 'ieee-p1363' } as const
  return `${signed}.${sign('sha256', Buffer.from(signed, 'ascii'), key).toString('base64url')}`
}

/** `at_hash`: the left half of the hash that goes with ES256, over the token as sent (§3.1.3.6). */
function leftHalfHash(token: string): string {
  return createHash('sha256').update(token, 'ascii').digest().subarray(0, 16).toString('base64url')
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value), 'utf8').toString('base64url')
}
