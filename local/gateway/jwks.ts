import {
  createHmac,
  createPublicKey,
  type JsonWebKey,
  type KeyObject,
  timingSafeEqual,
  verify,
} from 'node:crypto'
import { decodeBase64Url, type Jwt } from './jwt.ts'

/** One usable key of a JWK set. */
export type VerificationKey = {
  readonly keyId: string
  readonly algorithm: string
  readonly material:
    | { readonly type: 'RSA' | 'EC' | 'OKP'; readonly key: KeyObject }
    | { readonly type: 'oct'; readonly secret: Buffer }
}

const CURVES: Readonly<Record<string, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }

/** The usable keys of a JWK set (RFC 7517 section 5); `undefined` when it is none or has none. */
export function parseJwks(text: string): VerificationKey[] | undefined {
  try {
    const document: unknown = JSON.parse(text)
    if (typeof document !== 'object' || document === null || !('keys' in document)) return undefined
    if (!Array.isArray(document.keys)) return undefined
    const keys = document.keys.flatMap((jwk: unknown) => parseKey(jwk) ?? [])
    return keys.length > 0 ? keys : undefined
  } catch {
    return undefined
  }
}

/**
 * Verifies a signature as Envoy does: keys of the token's `kid` and `alg`, or every key where either side
 * names none. Returns the refusal's text, or nothing when a key fits.
 */
export function refuseSignature(jwt: Jwt, keys: readonly VerificationKey[]): string | undefined {
  const candidates = keys.filter(
    (key) =>
      (jwt.keyId === '' || key.keyId === '' || key.keyId === jwt.keyId) &&
      (key.algorithm === '' || key.algorithm === jwt.algorithm),
  )
  if (candidates.length === 0) return "Jwks doesn't have key to match kid or alg from Jwt"
  for (const { material } of candidates) {
    if (material.type === 'OKP' && jwt.signature.length !== 64) return 'Jwt ED25519 signature is wrong length'
    if (material.type === 'oct' ? verifiesSecret(jwt, material.secret) : verifiesKey(jwt, material))
      return undefined
  }
  return 'Jwt verification fails'
}

function parseKey(jwk: unknown): VerificationKey | undefined {
  if (typeof jwk !== 'object' || jwk === null) return undefined
  const fields: Record<string, unknown> = Object.fromEntries(Object.entries(jwk))
  const { kty, kid = '', alg = '', crv } = fields
  if (typeof kid !== 'string' || typeof alg !== 'string') return undefined
  if (kty === 'oct') {
    const secret =
      typeof fields['k'] === 'string' && startsWith(alg, ['HS']) ? decodeBase64Url(fields['k']) : undefined
    return secret && { keyId: kid, algorithm: alg, material: { type: 'oct', secret } }
  }
  if (
    kty === 'RSA' ? !startsWith(alg, ['RS', 'PS']) : kty === 'EC' ? !startsWith(alg, ['ES']) : kty !== 'OKP'
  )
    return undefined
  if (kty === 'EC' && alg !== '' && CURVES[alg] !== crv) return undefined
  if (kty === 'OKP' && (crv !== 'Ed25519' || (alg !== '' && alg !== 'EdDSA'))) return undefined
  const key = importKey(fields)
  const type = kty === 'RSA' ? 'RSA' : kty === 'EC' ? 'EC' : 'OKP'
  return key && { keyId: kid, algorithm: alg, material: { type, key } }
}

function importKey(jwk: JsonWebKey): KeyObject | undefined {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' })
  } catch {
    return undefined
  }
}

function verifiesKey(jwt: Jwt, material: { type: 'RSA' | 'EC' | 'OKP'; key: KeyObject }): boolean {
  const { key } = material
  const data = Buffer.from(jwt.signedText)
  try {
    if (material.type === 'OKP') return verify(null, data, key, jwt.signature)
    const hash = hashOf(jwt.algorithm)
    if (material.type === 'EC') return verify(hash, data, { key, dsaEncoding: 'ieee-p1363' }, jwt.signature)
    if (jwt.algorithm.startsWith('RS')) return verify(hash, data, key, jwt.signature)
    if (!jwt.algorithm.startsWith('PS')) return false
    return verify(hash, data, { key, padding: PSS_PADDING, saltLength: SALT_AS_FOUND }, jwt.signature)
  } catch {
    return false
  }
}

// constants.RSA_PKCS1_PSS_PADDING and constants.RSA_PSS_SALTLEN_AUTO of OpenSSL.
const PSS_PADDING = 6
const SALT_AS_FOUND = -2

function verifiesSecret(jwt: Jwt, secret: Buffer): boolean {
  const expected = createHmac(hashOf(jwt.algorithm), secret).update(jwt.signedText).digest()
  return expected.length === jwt.signature.length && timingSafeEqual(expected, jwt.signature)
}

function hashOf(algorithm: string): string {
  if (algorithm.endsWith('384')) return 'sha384'
  return algorithm.endsWith('512') ? 'sha512' : 'sha256'
}

function startsWith(algorithm: string, prefixes: readonly string[]): boolean {
  return algorithm === '' || prefixes.some((prefix) => algorithm.startsWith(prefix))
}
