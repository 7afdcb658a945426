import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import fc from 'fast-check'
import type { CryptoKey } from 'jose'
import { expect, test } from 'vitest'
import { manualClock } from '#shared/clock.ts'
import type { AuthState } from '#shared/firestore/auth-state.ts'
import { accessTokenVerifier } from '#shared/tokens/verify-access-token.ts'
import { callerVerifier, REMOVED_SIGNATURE } from '#shared/tokens/verify-caller.ts'
import {
  ACTIVE,
  accessClaims,
  BASE_URL,
  FUNCTION_URI,
  GATEWAY,
  idClaims,
  nothingRevoked,
  START_MS,
  testConfig,
} from '../shared/support/platform.ts'

const SECONDS = START_MS / 1000
const KID = 'fuzz'
const ours = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const theirs = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const publicKey = (await crypto.subtle.importKey(
  'spki',
  ours.publicKey.export({ type: 'spki', format: 'der' }),
  { name: 'ECDSA', namedCurve: 'P-256' },
  true,
  ['verify'],
)) as CryptoKey
const states: Readonly<Record<string, AuthState>> = { acme: ACTIVE, globex: ACTIVE, platform: ACTIVE }
const verify = accessTokenVerifier({
  issuer: BASE_URL,
  audience: BASE_URL,
  keys: async (kid) => (kid === KID ? publicKey : undefined),
  authState: async (tenantId) => (Object.hasOwn(states, tenantId) ? states[tenantId] : undefined),
  revocations: nothingRevoked,
  clock: manualClock(START_MS),
})

const HEADER = { alg: 'ES256', typ: 'at+jwt', kid: KID }
const b64 = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64url')

/** Signs whatever it is given: JSON texts no serializer would write among them. */
function signRaw(header: string, payload: string, key: KeyObject = ours.privateKey, hash = 'sha256'): string {
  const input = `${b64(header)}.${b64(payload)}`
  return `${input}.${b64(sign(hash, Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }))}`
}
const good = signRaw(JSON.stringify(HEADER), JSON.stringify(accessClaims()))
const other = signRaw(JSON.stringify(HEADER), JSON.stringify(accessClaims({ tenant: 'globex', jti: 'j2' })))
const [head = '', body = '', signature = ''] = good.split('.')
const [, otherBody = '', otherSignature = ''] = other.split('.')

let tried = 0
async function refused(token: string): Promise<boolean> {
  tried += 1
  return !(await verify(token, undefined)).ok
}

test('the token that everything here is a change of is a good one', async () => {
  expect(await verify(good, body)).toMatchObject({ ok: true, value: { claims: { tenant: 'acme' } } })
  expect(await verify(other, undefined)).toMatchObject({ ok: true, value: { claims: { tenant: 'globex' } } })
})

test('no bit of a token can be turned', async () => {
  const bytes = Buffer.from(good)
  for (let at = 0; at < bytes.length; at += 1) {
    for (let bit = 0; bit < 8; bit += 1) {
      const changed = Buffer.from(bytes)
      changed[at] = (bytes[at] ?? 0) ^ (1 << bit)
      expect(await refused(changed.toString('latin1')), `byte ${at} bit ${bit}`).toBe(true)
    }
  }
})

test('no bit of a signature can be turned, however it is spelt', async () => {
  const bytes = Buffer.from(signature, 'base64url')
  for (let at = 0; at < bytes.length; at += 1) {
    for (let bit = 0; bit < 8; bit += 1) {
      const changed = Buffer.from(bytes)
      changed[at] = (bytes[at] ?? 0) ^ (1 << bit)
      expect(await refused(`${head}.${body}.${b64(changed)}`)).toBe(true)
    }
  }
})

test('nothing can be cut out, put in, doubled or exchanged', async () => {
  const slice = fc.tuple(fc.nat({ max: good.length }), fc.nat({ max: 40 }))
  const piece = fc.constantFrom(
    head,
    body,
    signature,
    otherBody,
    otherSignature,
    '',
    '.',
    'e30',
    '=',
    ' ',
    '\0',
  )
  const surgery = fc.oneof(
    slice.map(([at, length]) => good.slice(0, at) + good.slice(at + length)),
    slice.map(([at, length]) => good.slice(0, at) + good.slice(at, at + length) + good.slice(at)),
    fc
      .tuple(fc.nat({ max: good.length }), fc.string({ minLength: 1, maxLength: 4, unit: 'binary' }))
      .map(([at, text]) => good.slice(0, at) + text + good.slice(at)),
    fc.array(piece, { minLength: 1, maxLength: 5 }).map((pieces) => pieces.join('.')),
    fc.nat({ max: good.length - 1 }).map((at) => {
      const letter = good[at] ?? ''
      const turned = letter === letter.toUpperCase() ? letter.toLowerCase() : letter.toUpperCase()
      return good.slice(0, at) + turned + good.slice(at + 1)
    }),
  )
  await fc.assert(
    fc.asyncProperty(surgery, async (token) => {
      if (token !== good && token !== other) expect(await refused(token)).toBe(true)
    }),
    { numRuns: 1_500 },
  )
})

/** What no claim and no header member of ours is. */
const HOSTILE: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  7.5,
  1e21,
  {},
  [],
  ['acme'],
  [BASE_URL],
  { tenant: 'acme' },
  '',
  ' ',
  '\0',
  'acme\0',
  '__proto__',
  'constructor',
  'ACME',
  'acme ',
  'acme/globex',
  '../acme',
  '%61cme',
  'аcme',
  '*',
  'x'.repeat(5_000),
]

/** Values that say something else, and something that may be said: a good token with them is another good token. */
const ALLOWED: Readonly<Record<string, (value: unknown) => boolean>> = {
  sub: (value) => typeof value === 'string' && value.length > 0 && value.length <= 255,
  jti: (value) => typeof value === 'string' && value.length > 0 && value.length <= 256,
  client_id: (value) => typeof value === 'string' && value.length > 0 && value.length <= 255,
  scope: (value) => typeof value === 'string' && value.length <= 4096,
  tier: (value) => typeof value === 'string',
  roles: (value) => Array.isArray(value) && value.every((role) => typeof role === 'string'),
  ver: (value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= 1 && Number.isSafeInteger(value),
}

test('no claim can be missing, of another kind or of another meaning, even in a token we signed', async () => {
  for (const claim of Object.keys(accessClaims())) {
    const { [claim]: _gone, ...rest } = accessClaims()
    expect(await refused(signRaw(JSON.stringify(HEADER), JSON.stringify(rest))), `no ${claim}`).toBe(true)
    for (const value of HOSTILE) {
      if (ALLOWED[claim]?.(value) === true) continue
      const token = signRaw(JSON.stringify(HEADER), JSON.stringify({ ...accessClaims(), [claim]: value }))
      expect(await refused(token), `${claim} ${JSON.stringify(value)?.slice(0, 40)}`).toBe(true)
    }
  }
})

test('times that do not hold together are refused', async () => {
  const second = fc.integer({ min: -4_000_000_000, max: 4_000_000_000 })
  await fc.assert(
    fc.asyncProperty(second, second, async (iat, life) => {
      const exp = iat + life
      const holds = iat <= SECONDS + 5 && exp > SECONDS - 5 && life <= 3_600 && iat > 0
      const token = signRaw(JSON.stringify(HEADER), JSON.stringify({ ...accessClaims(), iat, exp }))
      if (!holds) expect(await refused(token), `iat ${iat} exp ${exp}`).toBe(true)
    }),
    { numRuns: 300 },
  )
})

test('two readers cannot see two tokens: JSON that a serializer would not write is refused', async () => {
  const claims = JSON.stringify(accessClaims())
  const twins = Object.entries(accessClaims()).flatMap(([claim, value]) => {
    const escaped = `\\u${claim.charCodeAt(0).toString(16).padStart(4, '0')}${claim.slice(1)}`
    return [
      `{"${claim}":${JSON.stringify(value)},${claims.slice(1)}`,
      `${claims.slice(0, -1)},"${claim}":"globex"}`,
      `{"${escaped}":"globex",${claims.slice(1)}`,
      claims.replace(`"${claim}":`, `"${claim}" :`),
      claims.replace(`"${claim}":`, `"${escaped}":`),
    ]
  })
  const odd = [
    ` ${claims}`,
    `${claims}\n`,
    `\ufeff${claims}`,
    `[${claims}]`,
    `${claims}${claims}`,
    '{}',
    'null',
    '1',
    '""',
    claims.replace('"acme"', '"\\u0061cme"'),
    `{"__proto__":{"tenant":"globex"},${claims.slice(1)}`,
    `{"constructor":{"prototype":{}},${claims.slice(1)}`.replace('"tenant":"acme"', '"tenant":null'),
  ]
  for (const payload of [...twins, ...odd]) {
    expect(await refused(signRaw(JSON.stringify(HEADER), payload)), payload.slice(0, 60)).toBe(true)
  }
  for (const header of [
    '{"alg":"ES256","alg":"none","typ":"at+jwt","kid":"fuzz"}',
    ` ${JSON.stringify(HEADER)}`,
    '{"alg":"ES256","typ":"at+jwt","kid":"other","kid":"fuzz"}',
    '{"\\u0061lg":"ES256","typ":"at+jwt","kid":"fuzz"}',
  ]) {
    expect(await refused(signRaw(header, claims)), header).toBe(true)
  }
})

test('no header but ours, whoever signed', async () => {
  const claims = JSON.stringify(accessClaims())
  const algs = [
    'none',
    'None',
    'NONE',
    '',
    'HS256',
    'HS512',
    'ES384',
    'ES512',
    'ES256K',
    'EdDSA',
    'RS256',
    'PS256',
    'es256',
    'ES256 ',
  ]
  const types = ['JWT', 'jwt', 'AT+JWT2', 'application/jwt', 'dpop+jwt', 'logout+jwt', '', 'at+jwt ']
  const members = {
    crit: ['exp'],
    b64: false,
    jwk: ours.publicKey.export({ format: 'jwk' }),
    jku: 'https://evil.test/jwks',
    x5u: 'https://evil.test/x',
    x5c: ['MII'],
    x5t: 'x',
    zip: 'DEF',
    cty: 'JWT',
    enc: 'A128GCM',
    apu: 'x',
    url: 'x',
    nonce: 'x',
  }
  const headers = [
    ...algs.map((alg) => ({ ...HEADER, alg })),
    ...types.map((typ) => ({ ...HEADER, typ })),
    ...Object.entries(members).map(([name, value]) => ({ ...HEADER, [name]: value })),
    ...['', 'x', '../fuzz', 'fuzz\0', 'FUZZ', '__proto__'].map((kid) => ({ ...HEADER, kid })),
    ...HOSTILE.flatMap((value) => Object.keys(HEADER).map((member) => ({ ...HEADER, [member]: value }))),
    { alg: 'ES256', typ: 'at+jwt' },
    { alg: 'ES256', kid: KID },
    { typ: 'at+jwt', kid: KID },
    {},
    [],
  ]
  for (const header of headers) {
    expect(await refused(signRaw(JSON.stringify(header), claims)), JSON.stringify(header).slice(0, 60)).toBe(
      true,
    )
  }
})

test('no other key, hash or form of signature', async () => {
  const header = JSON.stringify(HEADER)
  const claims = JSON.stringify(accessClaims())
  const input = Buffer.from(`${head}.${body}`)
  const der = sign('sha256', input, { key: ours.privateKey, dsaEncoding: 'der' })
  const raw = Buffer.from(signature, 'base64url')
  const order = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex')
  for (const forged of [
    signRaw(header, claims, theirs.privateKey),
    signRaw(header, claims, ours.privateKey, 'sha512'),
    `${head}.${body}.${b64(der)}`,
    ...[0, 1, 63, 65, 96, 128, 4_000].map((length) => `${head}.${body}.${b64(Buffer.alloc(length))}`),
    `${head}.${body}.${b64(Buffer.alloc(64, 255))}`,
    `${head}.${body}.${b64(Buffer.concat([order, order]))}`,
    `${head}.${body}.${b64(Buffer.concat([raw, Buffer.alloc(1)]))}`,
    `${head}.${body}.${b64(Buffer.concat([Buffer.alloc(1), raw]))}`,
    `${head}.${body}.${b64(Buffer.concat([raw.subarray(32), raw.subarray(0, 32)]))}`,
    `${head}.${otherBody}.${signature}`,
    `${head}.${body}.${otherSignature}`,
  ]) {
    expect(await refused(forged), forged.slice(-40)).toBe(true)
  }
})

test('the gateway’s copy must be the very same bytes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.string(),
        fc.nat({ max: body.length }).map((at) => body.slice(0, at)),
        fc.constantFrom(otherBody, `${body}=`, ` ${body}`),
      ),
      async (userInfo) => {
        tried += 1
        if (userInfo !== body) expect((await verify(good, userInfo)).ok).toBe(false)
      },
    ),
    { numRuns: 300 },
  )
})

test('a caller’s identity token may say nothing else', async () => {
  const check = callerVerifier(testConfig('platform'), manualClock(START_MS))
  const call = (authorization: string | undefined, more: Readonly<Record<string, string>> = {}) =>
    check((name) => ({ ...(authorization === undefined ? {} : { authorization }), ...more })[name])
  const platformToken = (claims: object): string =>
    `${b64('{"alg":"RS256"}')}.${b64(JSON.stringify(claims))}.${REMOVED_SIGNATURE}`
  const right = platformToken(idClaims(GATEWAY))
  expect(await call(`Bearer ${right}`)).toEqual({ ok: true, value: GATEWAY })
  for (const claim of ['iss', 'aud', 'exp', 'email', 'email_verified']) {
    const { [claim]: _gone, ...rest } = idClaims(GATEWAY)
    expect((await call(`Bearer ${platformToken(rest)}`)).ok, `no ${claim}`).toBe(false)
    for (const value of [...HOSTILE, [FUNCTION_URI], `${FUNCTION_URI}/`, 'true', SECONDS, SECONDS - 1]) {
      // A text is an e-mail address like any other: the edge compares it with the one it expects.
      if ((claim === 'email' && typeof value === 'string') || (claim === 'email_verified' && value === true))
        continue
      if (claim === 'exp' && typeof value === 'number' && value > SECONDS) continue
      expect(
        (await call(`Bearer ${platformToken({ ...idClaims(GATEWAY), [claim]: value })}`)).ok,
        `${claim} ${String(value).slice(0, 30)}`,
      ).toBe(false)
      tried += 1
    }
  }
  for (const wrong of [
    undefined,
    '',
    right,
    `Basic ${right}`,
    `Bearer  ${right}`,
    `Bearer ${right} `,
    `Bearer ${right}, Bearer ${right}`,
    `Bearer ${right.replace(REMOVED_SIGNATURE, 'AAAA')}`,
    `Bearer ${right}.x`,
    `Bearer ${right.slice(0, -1)}`,
  ]) {
    expect((await call(wrong)).ok, String(wrong).slice(-30)).toBe(false)
  }
  expect((await call(`Bearer ${right}`, { 'x-serverless-authorization': `Bearer ${right}` })).ok).toBe(false)
})

test('thousands were tried', () => {
  expect(tried).toBeGreaterThan(5_000)
})
