import { generateKeyPairSync, sign } from 'node:crypto'
import { expect, test } from 'vitest'
import type { Config } from '#shared/config.ts'
import { sentToken, verifyHolder } from '#shared/http/access-token.ts'
import { ok, refuse } from '#shared/result.ts'
import { athOf } from '#shared/tokens/dpop-proof.ts'
import { proofMemory } from '#shared/tokens/proof-memory.ts'
import type { Possession, TokenVerifier } from '#shared/tokens/verify-access-token.ts'

const NOW_MS = Date.parse('2026-11-23T09:00:00.000Z')
const BASE = 'https://api.energent.test'
const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })

function aProof(jti: string): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const { kty, crv, x, y } = keys.publicKey.export({ format: 'jwk' })
  const head = part({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } })
  const claims = { jti, htm: 'GET', htu: `${BASE}/v1/tenants/acme`, iat: NOW_MS / 1000, ath: athOf('t.o.k') }
  const signed = `${head}.${part(claims)}`
  const signature = sign('sha256', Buffer.from(signed), { key: keys.privateKey, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')}`
}

/** A platform that only remembers how it was asked. */
function aPlatform(answer: 'good' | 'bad' = 'good') {
  const asked: (Possession | undefined)[] = []
  const verifyToken: TokenVerifier = async (_token, _userInfo, possession) => {
    asked.push(possession)
    return answer === 'good' ? ok({} as never) : refuse('token.invalid', 'bad')
  }
  return {
    asked,
    platform: { config: { PUBLIC_BASE_URL: BASE } as Config, proofs: proofMemory(), verifyToken },
  }
}

const request = (authorization: string, dpop?: string, path = '/v1/tenants/acme') => ({
  authorization,
  header: (name: string) => (name === 'dpop' ? dpop : undefined),
  nowMs: NOW_MS,
  operationId: 'getTenant' as const,
  path,
})

test.each([
  ['Bearer a.b.c', { scheme: 'Bearer', token: 'a.b.c' }],
  ['bearer a.b.c', { scheme: 'Bearer', token: 'a.b.c' }],
  ['DPoP a.b.c', { scheme: 'DPoP', token: 'a.b.c' }],
  ['dpop a.b.c', { scheme: 'DPoP', token: 'a.b.c' }],
  ['Basic YTpi', undefined],
  ['Bearer', undefined],
  ['Bearer  a', undefined],
  ['Bearer a b', undefined],
  ['DPoP', undefined],
  ['', undefined],
])('%j is an access token, or is none', (authorization, sent) => {
  expect(sentToken(authorization)).toEqual(sent)
})

test('a bearer token is verified as one, whatever proof comes with it', async () => {
  const { asked, platform } = aPlatform()

  await verifyHolder(platform, request('Bearer t.o.k', aProof('one')), undefined)

  expect(asked).toEqual([undefined])
})

test('a bound token is verified with the key of its proof', async () => {
  const { asked, platform } = aPlatform()

  const holder = await verifyHolder(platform, request('DPoP t.o.k', aProof('one')), undefined)

  expect(holder.ok).toBe(true)
  expect(asked).toEqual([{ jkt: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/) }])
})

test('a proof counts once, and only when its holder takes it', async () => {
  const { platform } = aPlatform()
  const ask = () => verifyHolder(platform, request('DPoP t.o.k', aProof('one')), undefined)
  const [first, second] = [await ask(), await ask()]
  if (!first.ok || !second.ok) throw new Error('refused')

  expect(second.value.useProof()).toMatchObject({ ok: true })
  expect(first.value.useProof()).toMatchObject({ ok: false, code: 'token.proof_invalid' })
})

test.each<[string, string | undefined, string | undefined, number]>([
  ['no proof', undefined, undefined, 0],
  ['nonsense for a proof', 'x.y.z', undefined, 0],
  ['a proof for another path', aProof('two'), '/v1/tenants/globex', 0],
])('with %s the token is not even looked at', async (_name, proof, path, times) => {
  const { asked, platform } = aPlatform()

  const holder = await verifyHolder(platform, request('DPoP t.o.k', proof, path), undefined)

  expect(holder).toMatchObject({ ok: false, code: 'token.proof_invalid' })
  expect(asked).toHaveLength(times)
})

test('a bad token uses up no proof', async () => {
  const { platform } = aPlatform('bad')
  const isFirstUse = () => {
    throw new Error('asked for')
  }

  const holder = await verifyHolder(
    { ...platform, proofs: { isFirstUse } },
    request('DPoP t.o.k', aProof('one')),
    undefined,
  )

  expect(holder).toMatchObject({ ok: false, code: 'token.invalid' })
})
