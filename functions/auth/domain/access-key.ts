import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'

/** The secret in Secret Manager whose versions are the private keys. */
export const ACCESS_KEYS_SECRET = 'auth-access-keys'
/** The same for the keys that sign security event tokens. */
export const EVENT_KEYS_SECRET = 'auth-event-keys'

/** The public half of a signing key (RFC 7517), with nothing in it that is not needed to verify. */
export type PublicJwk = {
  readonly kty: 'EC'
  readonly crv: 'P-256'
  readonly x: string
  readonly y: string
}

/** The key id: the thumbprint of RFC 7638, over the required members in lexical order. */
export function thumbprintOf(jwk: PublicJwk): string {
  const canonical = JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y })
  return createHash('sha256').update(canonical, 'utf8').digest('base64url')
}

/** The private key of a PEM; throws unless it is the key that `kid` names. */
export function privateKeyOf(privatePem: string, kid: string): KeyObject {
  const key = createPrivateKey(privatePem)
  if (thumbprintOf(publicJwkOf(createPublicKey(key))) !== kid) {
    throw new Error(`the stored private key is not the one of ${kid}`)
  }
  return key
}

/** The public members of a P-256 key; throws on any other kind. */
export function publicJwkOf(key: KeyObject): PublicJwk {
  const { kty, crv, x, y } = key.export({ format: 'jwk' })
  if (kty !== 'EC' || crv !== 'P-256' || x === undefined || y === undefined) {
    throw new Error('not a P-256 key')
  }
  return { kty, crv, x, y }
}
