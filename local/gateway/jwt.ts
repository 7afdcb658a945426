/** A token taken apart, nothing verified yet. Times are seconds since the epoch, 0 where absent. */
export type Jwt = {
  readonly algorithm: string
  readonly keyId: string
  readonly issuer: string
  readonly audiences: readonly string[]
  readonly notBefore: number
  readonly expires: number
  readonly issued: number
  readonly signedText: string
  readonly signature: Buffer
  /** The payload as it was sent, base64url. */
  readonly payload: string
  readonly claims: Readonly<Record<string, unknown>>
}

/** Why a token is refused, in the words of Envoy's JWT library (google/jwt_verify_lib, status.cc). */
type JwtRefusal = { readonly refused: string }

export const JWT_MISSING = 'Jwt is missing'
export const JWT_UNKNOWN_ISSUER = 'Jwt issuer is not configured'
export const JWT_AUDIENCE = 'Audiences in Jwt are not allowed'

const ALGORITHMS = new Set([
  ...[
    'ES256',
    'ES384',
    'ES512',
    'HS256',
    'HS384',
    'HS512',
    'RS256',
    'RS384',
    'RS512',
    'PS256',
    'PS384',
    'PS512',
  ],
  'EdDSA',
])
const BAD_FORMAT = 'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections'

/** Takes a token apart in Envoy's order, so that of several faults the same one is named. */
export function parseJwt(token: string): Jwt | JwtRefusal {
  const [header = '', payload = '', signature = '', ...more] = token.split('.')
  if (more.length > 0 || header === '' || payload === '' || signature === '') return refused(BAD_FORMAT)
  const headerBytes = decodeBase64Url(header)
  if (!headerBytes) return refused('Jwt header is an invalid Base64url encoded')
  const head = parseObject(headerBytes)
  if (!head) return refused('Jwt header is an invalid JSON')
  const algorithm = head['alg']
  if (typeof algorithm !== 'string') return refused('Jwt header [alg] field is required and must be a string')
  if (!ALGORITHMS.has(algorithm)) return refused('Jwt header [alg] is not supported')
  const keyId = head['kid'] === undefined ? '' : head['kid']
  if (typeof keyId !== 'string') return refused('Jwt header [kid] field is not a string')
  const payloadBytes = decodeBase64Url(payload)
  if (!payloadBytes) return refused('Jwt payload is an invalid Base64url encoded')
  const claims = parseObject(payloadBytes)
  if (!claims) return refused('Jwt payload is an invalid JSON')
  const fault = claimFault(claims)
  if (fault !== undefined) return refused(fault)
  const signatureBytes = decodeBase64Url(signature)
  if (!signatureBytes) return refused('Jwt signature is an invalid Base64url encoded')
  return {
    algorithm,
    keyId,
    issuer: typeof claims['iss'] === 'string' ? claims['iss'] : '',
    audiences: audiencesOf(claims['aud']) ?? [],
    notBefore: Math.trunc(Number(claims['nbf'] ?? 0)),
    expires: Math.trunc(Number(claims['exp'] ?? 0)),
    issued: Math.trunc(Number(claims['iat'] ?? 0)),
    signedText: `${header}.${payload}`,
    signature: signatureBytes,
    payload,
    claims,
  }
}

/** Base64url bytes, padded or not; `undefined` for anything else. */
export function decodeBase64Url(text: string): Buffer | undefined {
  const body = text.replace(/={1,2}$/, '')
  return /^[A-Za-z0-9_-]*$/.test(body) && body.length % 4 !== 1 ? Buffer.from(body, 'base64url') : undefined
}

function claimFault(claims: Record<string, unknown>): string | undefined {
  for (const name of ['iss', 'sub']) {
    if (!isOptional(claims[name], 'string')) return `Jwt payload [${name}] field is not a string`
  }
  for (const name of ['iat', 'nbf', 'exp']) {
    const value = claims[name]
    if (!isOptional(value, 'number')) return `Jwt payload [${name}] field is not an integer`
    if (typeof value === 'number' && !(value >= 0 && value < 2 ** 63)) {
      return `Jwt payload [${name}] field is not a positive 64 bit integer`
    }
  }
  if (!isOptional(claims['jti'], 'string')) return 'Jwt payload [jti] field is not a string'
  if (!audiencesOf(claims['aud'])) return 'Jwt payload [aud] field is not a string or string list'
  return undefined
}

function isOptional(value: unknown, type: 'string' | 'number'): boolean {
  return value === undefined || typeof value === type
}

function audiencesOf(value: unknown): readonly string[] | undefined {
  if (value === undefined) return []
  if (typeof value === 'string') return [value]
  if (!Array.isArray(value)) return undefined
  return value.every((one): one is string => typeof one === 'string') ? value : undefined
}

function parseObject(bytes: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(
      new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes),
    )
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    return Object.fromEntries(Object.entries(value))
  } catch {
    return undefined
  }
}

function refused(reason: string): JwtRefusal {
  return { refused: reason }
}
