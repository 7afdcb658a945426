import {
  createHash,
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomUUID,
  sign,
} from 'node:crypto'

export type Members = Readonly<Record<string, unknown>>
export type Signer = { readonly kid: string; readonly key: KeyObject }

export const b64 = (bytes: string | Uint8Array): string => Buffer.from(bytes).toString('base64url')
export const part = (value: unknown): string => b64(JSON.stringify(value))

/** A member that is `undefined` is left out. */
export const without = (members: Members): Members =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))

/** Signs with ES256 whatever the header says; the parts may be given as they are to be sent. */
export function signed(
  header: Members | string,
  claims: Members | string,
  key: KeyObject,
  hash = 'sha256',
): string {
  const head = `${segment(header)}.${segment(claims)}`
  return `${head}.${signatureOf(head, key, hash)}`
}

function segment(value: Members | string): string {
  return typeof value === 'string' ? b64(value) : part(without(value))
}

export function signatureOf(head: string, key: KeyObject, hash: string | null = 'sha256'): string {
  return sign(hash, Buffer.from(head), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')
}

/** The old confusion: an HMAC whose secret is something public. */
export function hmacSigned(header: Members, claims: Members, secret: string | Uint8Array): string {
  const hash = `sha${String(header['alg']).slice(2)}`
  const head = `${part(header)}.${part(claims)}`
  return `${head}.${createHmac(hash, secret).update(head).digest('base64url')}`
}

export function unsigned(header: Members, claims: Members, signature = ''): string {
  return `${part(header)}.${part(claims)}.${signature}`
}

export const ecKey = (curve = 'P-256') => generateKeyPairSync('ec', { namedCurve: curve })
export const jwkOf = (key: KeyObject): JsonWebKey => createPublicKey(key).export({ format: 'jwk' })
export const pemOf = (key: KeyObject): string =>
  createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString()

export const claimsOf = (token: string): Members =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) as Members

/** A token with one of its three parts changed. */
export function withPart(token: string, at: 0 | 1 | 2, change: (part: string) => string): string {
  return token
    .split('.')
    .map((one, index) => (index === at ? change(one) : one))
    .join('.')
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Another spelling of the same bytes: a bit that base64url leaves over. Only where there is one. */
export function stray(segmentText: string): string {
  if (segmentText.length % 4 === 0) throw new RangeError('this segment has no bits to spare')
  return `${segmentText.slice(0, -1)}${ALPHABET[ALPHABET.indexOf(segmentText.at(-1) ?? '') ^ 1]}`
}

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

/** The other signature of the same key and message: s and n - s both verify. */
export function otherS(signature: string): string {
  const bytes = Buffer.from(signature, 'base64url')
  const s = BigInt(`0x${bytes.subarray(32).toString('hex')}`)
  const other = (ORDER - s).toString(16).padStart(64, '0')
  return Buffer.concat([bytes.subarray(0, 32), Buffer.from(other, 'hex')]).toString('base64url')
}

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url')

export type ProofOptions = {
  readonly key: KeyObject
  readonly method: string
  readonly url: string
  readonly nowSeconds: number
  readonly token?: string
  readonly header?: Members
  readonly claims?: Members
}

/** A DPoP proof (RFC 9449) with anything in the place of anything. */
export function proof(options: ProofOptions): string {
  const { key, method, url, nowSeconds, token, header, claims } = options
  return signed(
    { typ: 'dpop+jwt', alg: 'ES256', jwk: jwkOf(key), ...header },
    {
      ...{ jti: randomUUID(), htm: method, htu: url, iat: nowSeconds },
      ...(token === undefined ? {} : { ath: sha256(token) }),
      ...claims,
    },
    key,
  )
}
