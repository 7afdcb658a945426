import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type AdmittedAlg, admitJwk, admitJwks, selectKey } from '../../../functions/auth/domain/admit-jwk.ts'

type Jwk = Record<string, unknown>

const jwkOf = (pair: { publicKey: { export(options: { format: 'jwk' }): object } }): Jwk => ({
  ...pair.publicKey.export({ format: 'jwk' }),
})
const EC = jwkOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }))
const EC384 = jwkOf(generateKeyPairSync('ec', { namedCurve: 'P-384' }))
const EC521 = jwkOf(generateKeyPairSync('ec', { namedCurve: 'P-521' }))
const SECP = jwkOf(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }))
const RSA = jwkOf(generateKeyPairSync('rsa', { modulusLength: 2048 }))
const RSA1024 = jwkOf(generateKeyPairSync('rsa', { modulusLength: 1024 }))
const RSA_E3 = jwkOf(generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }))
const ED = jwkOf(generateKeyPairSync('ed25519'))
const X25519 = jwkOf(generateKeyPairSync('x25519'))
const ED448 = jwkOf(generateKeyPairSync('ed448'))

const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')
const bytesOf = (text: unknown): Buffer => Buffer.from(String(text), 'base64url')
const modulus = (change: (n: bigint) => bigint): string => {
  const hex = change(BigInt(`0x${bytesOf(RSA['n']).toString('hex')}`)).toString(16)
  return base64url(Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex'))
}
const point = (y: bigint): string => base64url(Buffer.from(y.toString(16).padStart(64, '0'), 'hex').reverse())
const FIELD = (1n << 255n) - 19n

test.each<[string, Jwk, readonly AdmittedAlg[]]>([
  ['P-256', EC, ['ES256']],
  ['P-384', EC384, ['ES384']],
  ['P-521', EC521, ['ES512']],
  ['Ed25519', ED, ['EdDSA']],
  ['Ed25519 by its full name', { ...ED, alg: 'Ed25519' }, ['EdDSA']],
  ['RSA', RSA, ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']],
  ['RSA for one algorithm', { ...RSA, alg: 'PS256' }, ['PS256']],
  ['a key for signatures', { ...EC, use: 'sig', key_ops: ['verify'], alg: 'ES256', kid: 'a' }, ['ES256']],
  [
    'a key with a certificate, which nobody reads',
    { ...EC, x5c: ['AAAA'], x5t: 'AA', 'x5t#S256': 'AA', x5u: 'http://x' },
    ['ES256'],
  ],
])('%s is taken, for its algorithms alone', (_name, jwk, algs) => {
  const admitted = admitJwk(jwk)
  expect(admitted).toMatchObject({ ok: true, value: { algs } })
})

test.each<[string, unknown]>([
  ['null', null],
  ['an array', [EC]],
  ['a text', 'key'],
  ['nothing', {}],
  ['a secret', { kty: 'oct', k: 'AAAA' }],
  ['a public key that says it is a secret too', { ...EC, k: 'AAAA' }],
  ['a private EC key', { ...EC, d: 'AAAA' }],
  ['an empty private member', { ...RSA, d: '' }],
  ...['p', 'q', 'dp', 'dq', 'qi', 'oth', 'priv'].map((name): [string, unknown] => [
    `private member ${name}`,
    { ...RSA, [name]: 'AA' },
  ]),
  ['a post-quantum key', { kty: 'AKP', alg: 'ML-DSA-44', pub: 'AAAA' }],
  ['kty in lower case', { ...EC, kty: 'ec' }],
  ['kty from a prototype', { ...EC, kty: '__proto__' }],
  ['secp256k1', SECP],
  ['X25519', X25519],
  ['Ed448', ED448],
  ['a curve from a prototype', { ...EC, crv: 'constructor' }],
  ['an EC key with the curve of Ed25519', { ...EC, crv: 'Ed25519' }],
  ['P-256 coordinates on P-384', { ...EC, crv: 'P-384' }],
  ['a point off the curve', { ...EC, y: EC['x'] }],
  ['the point at infinity', { ...EC, x: base64url(Buffer.alloc(32)), y: base64url(Buffer.alloc(32)) }],
  ['a coordinate that is too short', { ...EC, x: base64url(bytesOf(EC['x']).subarray(1)) }],
  [
    'a coordinate with a zero before it',
    { ...EC, x: base64url(Buffer.concat([Buffer.alloc(1), bytesOf(EC['x'])])) },
  ],
  ['a coordinate in another spelling', { ...EC, x: `${String(EC['x'])}=` }],
  [
    'a coordinate with stray bits',
    { ...EC, x: String(EC['x']).slice(0, -1) + (String(EC['x']).endsWith('E') ? 'F' : 'B') },
  ],
  ['a coordinate that is a number', { ...EC, x: 1 }],
  ['no y', { ...EC, y: undefined }],
  ['1024 bits', RSA1024],
  ['exponent 3', RSA_E3],
  ['exponent 1', { ...RSA, e: 'AQ' }],
  ['exponent 0', { ...RSA, e: 'AA' }],
  ['an even exponent', { ...RSA, e: base64url(Buffer.from([1, 0, 0])) }],
  ['an exponent of 8 bytes', { ...RSA, e: base64url(Buffer.alloc(8, 0xff)) }],
  ['an exponent with a leading zero', { ...RSA, e: base64url(Buffer.from([0, 1, 0, 1])) }],
  [
    'a modulus with a leading zero',
    { ...RSA, n: base64url(Buffer.concat([Buffer.alloc(1), bytesOf(RSA['n'])])) },
  ],
  ['an even modulus', { ...RSA, n: modulus((n) => n - 1n) }],
  ['a modulus with a small factor', { ...RSA, n: modulus((n) => n - (n % 6n) + 3n) }],
  ['a modulus of 8200 bits', { ...RSA, n: base64url(Buffer.alloc(1025, 0xff)) }],
  ['a modulus of a hundred thousand bits', { ...RSA, n: base64url(Buffer.alloc(12_500, 0xff)) }],
  ['a modulus as a number', { ...RSA, n: 5 }],
  ['Ed25519 with y = 0', { ...ED, x: point(0n) }],
  ['the neutral element', { ...ED, x: point(1n) }],
  ['the neutral element with a sign', { ...ED, x: point(1n + (1n << 255n)) }],
  ['the point of order two', { ...ED, x: point(FIELD - 1n) }],
  [
    'a point of order eight',
    { ...ED, x: point(2707385501144840649318225287225658788936804267575313519463743609750303402022n) },
  ],
  ['the neutral element in another spelling', { ...ED, x: point(FIELD + 1n) }],
  ['Ed25519 of 31 bytes', { ...ED, x: base64url(Buffer.alloc(31, 9)) }],
  ['Ed25519 with kty EC', { ...ED, kty: 'EC' }],
  ['use enc', { ...EC, use: 'enc' }],
  ['use of another type', { ...EC, use: ['sig'] }],
  ['key_ops to sign', { ...EC, key_ops: ['sign'] }],
  ['key_ops twice', { ...EC, key_ops: ['verify', 'verify'] }],
  ['key_ops of both', { ...EC, key_ops: ['verify', 'encrypt'] }],
  ['no key_ops at all', { ...EC, key_ops: [] }],
  ['key_ops of another type', { ...EC, key_ops: 'verify' }],
  ['alg none', { ...EC, alg: 'none' }],
  ['alg HS256', { ...RSA, alg: 'HS256' }],
  ['an RSA key for ES256', { ...RSA, alg: 'ES256' }],
  ['P-256 for ES384', { ...EC, alg: 'ES384' }],
  ['RSA for encryption', { ...RSA, alg: 'RSA-OAEP' }],
  ['alg of another type', { ...EC, alg: 5 }],
  ['a kid that is a number', { ...EC, kid: 1 }],
  ['an empty kid', { ...EC, kid: '' }],
  ['an endless kid', { ...EC, kid: 'a'.repeat(257) }],
])('%s is not taken', (_name, jwk) => {
  expect(admitJwk(jwk).ok).toBe(false)
})

test('no input makes it throw', () => {
  const members = fc.constantFrom('kty', 'crv', 'x', 'y', 'n', 'e', 'alg', 'use', 'key_ops', 'kid')
  const values = fc.oneof(
    fc.anything(),
    fc.constantFrom('RSA', 'EC', 'OKP', 'P-256', 'Ed25519', EC['x'], RSA['n'], 'AQAB'),
  )
  fc.assert(fc.property(fc.dictionary(members, values), (jwk) => void admitJwk(jwk)))
  fc.assert(fc.property(fc.anything(), (document) => void admitJwks(document)))
})

describe('a set of keys', () => {
  const one = { ...EC, kid: 'one' }
  const two = { ...RSA, kid: 'two' }

  test('keeps what is good and leaves out what is for something else', () => {
    const admitted = admitJwks({
      keys: [one, { ...two, use: 'enc' }, { kty: 'new' }, RSA1024, { ...ED, kid: 'three' }],
    })
    expect(admitted.ok && admitted.value.keys.map(({ kid }) => kid)).toEqual(['one', 'three'])
    expect(admitted.ok && admitted.value.left).toHaveLength(3)
  })

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['an array', [one]],
    ['keys that are no list', { keys: { 0: one } }],
    ['a key that is no object', { keys: [one, 'two'] }],
    ['a secret in it', { keys: [one, { kty: 'oct', k: 'AAAA' }] }],
    ['a private key in it', { keys: [one, { ...two, d: 'AA' }] }],
    ['a private key for something else in it', { keys: [one, { kty: 'new', use: 'enc', d: 'AA' }] }],
    ['one kid for two keys', { keys: [one, { ...two, kid: 'one' }] }],
    ['one key twice', { keys: [one, one] }],
    ['fifty-one keys', { keys: Array.from({ length: 51 }, () => ({ kty: 'new' })) }],
  ])('with %s is refused as a whole', (_name, document) => {
    expect(admitJwks(document).ok).toBe(false)
  })

  test('gives the key that has both the id and the algorithm, and none by guessing', () => {
    const admitted = admitJwks({
      keys: [one, two, { ...EC384, kid: 'four' }, jwkOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }))],
    })
    const keys = admitted.ok ? admitted.value.keys : []
    expect(selectKey(keys, { kid: 'one', alg: 'ES256' })).toBeDefined()
    expect(selectKey(keys, { kid: 'two', alg: 'PS256' })).toBeDefined()
    expect(selectKey(keys, { kid: 'two', alg: 'ES256' })).toBeUndefined()
    expect(selectKey(keys, { kid: 'nine', alg: 'ES256' })).toBeUndefined()
    expect(selectKey(keys, { kid: undefined, alg: 'ES384' })).toBeDefined()
    // Two fit: which one was meant is not for the sender to choose.
    expect(selectKey(keys, { kid: undefined, alg: 'ES256' })).toBeUndefined()
  })
})
