import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import fc from 'fast-check'
import { calculateJwkThumbprint } from 'jose'
import { describe, expect, test } from 'vitest'
import { athOf, checkDpopProof, type ProofTarget } from '#shared/tokens/dpop-proof.ts'
import { proofMemory } from '#shared/tokens/proof-memory.ts'

const NOW_MS = Date.parse('2026-11-23T09:00:00.000Z')
const NOW = NOW_MS / 1000
const URL_OF_IT = 'https://api.energent.test/v1/tenants/acme'
const TARGET: ProofTarget = { method: 'GET', url: URL_OF_IT, nowMs: NOW_MS, accessToken: 'a.b.c' }

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const ed = generateKeyPairSync('ed25519')
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })

type Change = Record<string, unknown>
type Made = { header?: Change; payload?: Change; key?: KeyObject }

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const publicJwk = (key: KeyObject): Change => ({ ...key.export({ format: 'jwk' }) })

function proof({ header = {}, payload = {}, key = ec.privateKey }: Made = {}): string {
  const head = { typ: 'dpop+jwt', alg: 'ES256', jwk: publicJwk(ec.publicKey), ...header }
  const body = { jti: 'one', htm: 'GET', htu: URL_OF_IT, iat: NOW, ath: athOf('a.b.c'), ...payload }
  const signed = `${part(head)}.${part(body)}`
  return `${signed}.${signatureOf(signed, key, String(head.alg)).toString('base64url')}`
}

function signatureOf(text: string, key: KeyObject, alg = 'ES256'): Buffer {
  const data = Buffer.from(text, 'ascii')
  if (key.asymmetricKeyType === 'ed25519') return sign(null, data, key)
  // Sound signatures, so that nothing but the name of the algorithm can be the fault.
  if (alg === 'RS256') return sign('sha256', data, key)
  if (key.asymmetricKeyType === 'rsa') return sign('sha256', data, { key, padding: 6, saltLength: 32 })
  return sign(alg === 'ES384' ? 'sha384' : 'sha256', data, { key, dsaEncoding: 'ieee-p1363' })
}

describe('a proof', () => {
  test('tells the thumbprint of its key, which a token is bound to', async () => {
    const checked = await checkDpopProof(proof(), TARGET)

    const jkt = await calculateJwkThumbprint(publicJwk(ec.publicKey))
    expect(checked).toMatchObject({ ok: true, value: { jkt } })
  })

  test.each([
    ['ES256', ec],
    ['EdDSA', ed],
    ['Ed25519', ed],
    ['PS256', rsa],
  ])('may be signed with %s', async (alg, pair) => {
    const made = proof({ header: { alg, jwk: publicJwk(pair.publicKey) }, key: pair.privateKey })

    expect(await checkDpopProof(made, TARGET)).toMatchObject({ ok: true })
  })

  test('needs no ath where no token comes with it', async () => {
    const { accessToken: _token, ...target } = TARGET

    expect(await checkDpopProof(proof({ payload: { ath: undefined } }), target)).toMatchObject({ ok: true })
  })

  test.each([
    ['upper case in the host', 'https://API.energent.test/v1/tenants/acme'],
    ['the default port', 'https://api.energent.test:443/v1/tenants/acme'],
    ['a query', `${URL_OF_IT}?x=1`],
    ['a fragment', `${URL_OF_IT}#x`],
    ['a dot segment', 'https://api.energent.test/v1/./tenants/acme'],
  ])('with %s is for the same URL', async (_name, htu) => {
    expect(await checkDpopProof(proof({ payload: { htu } }), TARGET)).toMatchObject({ ok: true })
  })

  test.each<[string, Made]>([
    ['of another method', { payload: { htm: 'POST' } }],
    ['of the method in lower case', { payload: { htm: 'get' } }],
    ['of another path', { payload: { htu: 'https://api.energent.test/v1/tenants/globex' } }],
    ['of the path in other case', { payload: { htu: 'https://api.energent.test/v1/Tenants/acme' } }],
    ['of another host', { payload: { htu: 'https://evil.test/v1/tenants/acme' } }],
    [
      'of our host as a user name',
      { payload: { htu: 'https://api.energent.test@evil.test/v1/tenants/acme' } },
    ],
    ['with a user name', { payload: { htu: 'https://me@api.energent.test/v1/tenants/acme' } }],
    ['of another port', { payload: { htu: 'https://api.energent.test:444/v1/tenants/acme' } }],
    ['of http', { payload: { htu: 'http://api.energent.test/v1/tenants/acme' } }],
    ['of no URL', { payload: { htu: '/v1/tenants/acme' } }],
    ['with a trailing slash', { payload: { htu: `${URL_OF_IT}/` } }],
    ['for another token', { payload: { ath: athOf('x.y.z') } }],
    ['for no token', { payload: { ath: undefined } }],
    ['a minute old', { payload: { iat: NOW - 60 } }],
    ['from ahead', { payload: { iat: NOW + 30 } }],
    ['of no time', { payload: { iat: undefined } }],
    ['of a time in a text', { payload: { iat: `${NOW}` } }],
    ['of half a second', { payload: { iat: NOW + 0.5 } }],
    ['without jti', { payload: { jti: undefined } }],
    ['with an empty jti', { payload: { jti: '' } }],
    ['with an endless jti', { payload: { jti: 'x'.repeat(257) } }],
    ['of another typ', { header: { typ: 'JWT' } }],
    ['without typ', { header: { typ: undefined } }],
    ['without a key', { header: { jwk: undefined } }],
    ['with a private key', { header: { jwk: { ...ec.privateKey.export({ format: 'jwk' }) } } }],
    ['with a symmetric key', { header: { jwk: { kty: 'oct', k: 'AAAA' } } }],
    ['with a key of another curve', { header: { jwk: publicJwk(p384.publicKey) } }],
    ['with a point not on the curve', { header: { jwk: { ...publicJwk(ec.publicKey), y: 'A'.repeat(43) } } }],
    [
      'with the key of another',
      { header: { jwk: publicJwk(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey) } },
    ],
    ['with alg none', { header: { alg: 'none' } }],
    ['with alg HS256', { header: { alg: 'HS256' } }],
    ['with alg RS256', { header: { alg: 'RS256', jwk: publicJwk(rsa.publicKey) }, key: rsa.privateKey }],
    ['with alg ES384', { header: { alg: 'ES384', jwk: publicJwk(p384.publicKey) }, key: p384.privateKey }],
    ['with an alg that is not of its key', { header: { alg: 'PS256' } }],
    ['that says where its key is', { header: { jku: 'https://evil.test' } }],
    ['with kid beside its key', { header: { kid: 'x' } }],
    ['with crit', { header: { crit: ['exp'] } }],
    ['with b64', { header: { b64: false } }],
  ])('%s is refused', async (_name, made) => {
    expect(await checkDpopProof(proof(made), TARGET)).toMatchObject({ ok: false, code: 'dpop.invalid' })
  })

  test('with a member twice is refused: two readers could read two proofs', async () => {
    const body = `{"jti":"a","htm":"POST","htm":"GET","htu":"${URL_OF_IT}","iat":${NOW},"ath":"${athOf('a.b.c')}"}`
    const head = part({ typ: 'dpop+jwt', alg: 'ES256', jwk: publicJwk(ec.publicKey) })
    const signed = `${head}.${Buffer.from(body).toString('base64url')}`
    const made = `${signed}.${signatureOf(signed, ec.privateKey).toString('base64url')}`

    expect(await checkDpopProof(made, TARGET)).toMatchObject({ ok: false })
  })

  test('with one changed character is refused, and nothing throws', async () => {
    const good = proof()
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), fc.constantFrom(...'AZaz09-_.='), async (at, character) => {
        fc.pre(good[at] !== character)
        const changed = good.slice(0, at) + character + good.slice(at + 1)
        expect((await checkDpopProof(changed, TARGET)).ok).toBe(false)
      }),
      { numRuns: 200 },
    )
  })

  test('has one id per key and jti, whatever else it says', async () => {
    const ids = await Promise.all(
      [proof(), proof({ payload: { iat: NOW - 5, extra: 1 } }), proof({ payload: { jti: 'two' } })].map(
        async (made) => {
          const checked = await checkDpopProof(made, TARGET)
          return checked.ok ? checked.value.id : 'refused'
        },
      ),
    )

    expect(ids[0]).toBe(ids[1])
    expect(ids[2]).not.toBe(ids[0])
    expect(createHash('sha256').update('').digest('base64url')).toHaveLength(ids[0]?.length ?? 0)
  })
})

describe('the memory of proofs', () => {
  test('knows a proof for as long as it could be accepted', () => {
    const memory = proofMemory()
    fc.assert(
      fc.property(fc.uuid(), fc.array(fc.integer({ min: 0, max: 40_000 }), { maxLength: 2 }), (id, waits) => {
        let nowMs = NOW_MS
        expect(memory.isFirstUse(id, nowMs)).toBe(true)
        for (const wait of waits) {
          nowMs += wait
          expect(memory.isFirstUse(id, nowMs)).toBe(false)
        }
      }),
    )
  })

  test('what was seen just before it starts anew is still known after', () => {
    const memory = proofMemory()
    memory.isFirstUse('first', NOW_MS)
    memory.isFirstUse('late', NOW_MS + 80_000)
    memory.isFirstUse('next', NOW_MS + 95_000)

    expect(memory.isFirstUse('late', NOW_MS + 96_000)).toBe(false)
    expect(memory.isFirstUse('next', NOW_MS + 184_000)).toBe(false)
  })

  test('a clock that is set back forgets nothing', () => {
    const memory = proofMemory()
    memory.isFirstUse('a', NOW_MS)

    expect(memory.isFirstUse('a', NOW_MS - 3_600_000)).toBe(false)
  })

  test('forgets what nobody could use any more', () => {
    const memory = proofMemory(2)
    for (let period = 0; period < 10; period += 1) {
      expect(memory.isFirstUse(`a${period}`, NOW_MS + period * 200_000)).toBe(true)
      expect(memory.isFirstUse(`b${period}`, NOW_MS + period * 200_000)).toBe(true)
    }
  })

  test('full, it takes no proof rather than one it cannot remember', () => {
    const memory = proofMemory(1)
    memory.isFirstUse('a', NOW_MS)

    expect(() => memory.isFirstUse('b', NOW_MS)).toThrow('too many')
    expect(memory.isFirstUse('a', NOW_MS)).toBe(false)
  })
})
