import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TenantId } from '#shared/ids.ts'
import { openAsDeployer } from '#shared/tenancy/operator.ts'
import type { AuthDeps } from '../../functions/auth/deps.ts'
import type { NewClient } from '../../functions/auth/domain/new-client.ts'
import { JWT_BEARER } from '../../functions/auth/domain/presented-client.ts'
import { authenticateClient } from '../../functions/auth/operations/authenticate-client.ts'
import { createClient } from '../../functions/auth/operations/create-client.ts'
import { GuardRefused } from '../../functions/auth/ports/outbound.ts'
import { type AuthStack, BASE_URL, basic, presetOf, startAuth } from './support/auth-stack.ts'
import { pushFact } from './support/tenant-facts.ts'

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const jwk = { ...ec.publicKey.export({ format: 'jwk' }), kid: 'k1' }
const otherJwk = { ...other.publicKey.export({ format: 'jwk' }), kid: 'k2' }

const SIGNER = presetOf('acme', 2)
const SECRET = presetOf('acme', 3)
const PUBLIC = presetOf('acme', 4)
const GLOBEX = presetOf('globex', 5)

let stack: AuthStack
let used = 0

beforeAll(async () => {
  stack = await startAuth()
  await pushFact(stack, 'acme', 'activated', 1, { tier: 'enterprise' })
  await pushFact(stack, 'globex', 'activated', 1, { tier: 'enterprise' })
  await add(SIGNER, { authMethod: 'private_key_jwt', jwks: { keys: [jwk, otherJwk] } })
  await add(SECRET, {})
  const redirectUris = ['https://app.example/cb']
  await add(PUBLIC, { authMethod: 'none', grants: ['authorization_code', 'refresh_token'], redirectUris })
  await add(GLOBEX, { authMethod: 'private_key_jwt', jwks: { keys: [jwk] } })
})
afterAll(() => stack.close())
beforeEach(() => stack.clock.advance(2_500))

async function add(preset: typeof SIGNER, settings: Partial<NewClient>): Promise<void> {
  const nowMs = stack.clock.now()
  const made = await createClient(stack.deps, {
    ctx: openAsDeployer(preset.clientId.split('_')[1] as TenantId, 'test', 'test', nowMs),
    giver: 'deployer',
    wanted: { name: undefined, scopes: ['usage:read'], grants: ['client_credentials'], ...settings },
    preset,
    nowMs,
  })
  if (!made.ok) throw new Error(made.detail)
}

type Change = Record<string, unknown>
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

function assertion({ header = {}, payload = {}, key = ec.privateKey as KeyObject } = {}): string {
  used += 1
  const now = Math.floor(stack.clock.now() / 1000)
  const claims: Change = {
    iss: SIGNER.clientId,
    sub: SIGNER.clientId,
    aud: BASE_URL,
    exp: now + 60,
    iat: now,
    jti: `jti-${used}`,
    ...payload,
  }
  const signed = `${part({ alg: 'ES256', kid: 'k1', ...header })}.${part(claims)}`
  return `${signed}.${sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

function post(form: Record<string, string>, headers: Record<string, string> = {}): Promise<Response> {
  const body = new URLSearchParams({ grant_type: 'client_credentials', ...form })
  // Each from elsewhere: after many wrong proofs from one address, those from there have to wait.
  used += 1
  const address = `203.0.${used >> 8}.${used & 255}`
  const from = { 'x-forwarded-for': `${address}, ${address}, ${address}` }
  return fetch(`${stack.httpUrl}/oauth2/token`, { method: 'POST', headers: { ...from, ...headers }, body })
}

const byAssertion = (text: string, more: Record<string, string> = {}): Promise<Response> =>
  post({ client_assertion: text, client_assertion_type: JWT_BEARER, ...more })

const seconds = (offset: number): number => Math.floor(stack.clock.now() / 1000) + offset

describe('an assertion', () => {
  test.each<[string, () => Change]>([
    ['as it is usual', () => ({})],
    ['of its type', () => ({ header: { typ: 'client-authentication+jwt' } })],
    ['that lives five minutes', () => ({ payload: { exp: seconds(300) } })],
    ['without iat', () => ({ payload: { iat: undefined } })],
    ['by the other key of its client', () => ({ header: { kid: 'k2' }, key: other.privateKey })],
  ])('%s proves the client', async (_name, make) => {
    expect((await byAssertion(assertion(make()))).status).toBe(200)
  })

  test.each<[string, () => Change]>([
    ['for the token endpoint', () => ({ payload: { aud: `${BASE_URL}/oauth2/token` } })],
    ['for a list that holds us', () => ({ payload: { aud: [BASE_URL] } })],
    ['for us and another', () => ({ payload: { aud: [BASE_URL, 'https://other.test'] } })],
    ['for our name with a slash', () => ({ payload: { aud: `${BASE_URL}/` } })],
    ['for another', () => ({ payload: { aud: 'https://other.test' } })],
    ['for nobody', () => ({ payload: { aud: undefined } })],
    ['by another issuer', () => ({ payload: { iss: GLOBEX.clientId } })],
    ['about another client', () => ({ payload: { sub: 'cid_acme_AAAAAAAAAAAAAAAA' } })],
    [
      'of another tenant’s client, by a key both have',
      () => ({ payload: { iss: GLOBEX.clientId, aud: 'x' } }),
    ],
    ['that has expired', () => ({ payload: { exp: seconds(-31) } })],
    ['without an end', () => ({ payload: { exp: undefined } })],
    ['that ends in a text', () => ({ payload: { exp: String(seconds(60)) } })],
    ['that ends in half a second', () => ({ payload: { exp: seconds(60) + 0.5 } })],
    ['that lives too long', () => ({ payload: { exp: seconds(331) } })],
    ['that ends at the end of time', () => ({ payload: { exp: Number.MAX_SAFE_INTEGER } })],
    ['from ahead', () => ({ payload: { iat: seconds(31) } })],
    ['not valid yet', () => ({ payload: { nbf: seconds(31) } })],
    ['without jti', () => ({ payload: { jti: undefined } })],
    ['with an empty jti', () => ({ payload: { jti: '' } })],
    ['with an endless jti', () => ({ payload: { jti: 'x'.repeat(257) } })],
    ['by nobody’s key', () => ({ key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey })],
    ['by the other key under this name', () => ({ key: other.privateKey })],
    ['by an unknown key', () => ({ header: { kid: 'k9' } })],
    ['by one of two keys without saying which', () => ({ header: { kid: undefined } })],
    ['with alg none', () => ({ header: { alg: 'none' } })],
    ['with alg HS256', () => ({ header: { alg: 'HS256' } })],
    ['with alg RS256', () => ({ header: { alg: 'RS256' } })],
    ['with alg of another key', () => ({ header: { alg: 'EdDSA' } })],
    ['of the type of our access tokens', () => ({ header: { typ: 'at+jwt' } })],
    ['that brings its key', () => ({ header: { jwk } })],
    ['that says where its key is', () => ({ header: { jku: 'https://evil.test' } })],
    ['with crit', () => ({ header: { crit: ['exp'] } })],
  ])('%s is the one answer of every failed authentication', async (_name, make) => {
    const response = await byAssertion(assertion(make()))

    expect(response.status).toBe(401)
    expect(await response.text()).toBe('{"error":"invalid_client"}')
    expect(response.headers.get('www-authenticate')).toMatch(/^Basic /)
  })

  test.each<[string, string]>([
    ['nothing', 'x'],
    ['three empty parts', '..'],
    ['a subject that is no text', `${part({ alg: 'ES256' })}.${part({ sub: {} })}.AAAA`],
    ['17 KiB', `${part({ alg: 'ES256' })}.${part({ sub: SIGNER.clientId, x: 'x'.repeat(13_000) })}.AAAA`],
  ])('that is %s is refused before anything is read', async (_name, text) => {
    const response = await byAssertion(text)

    expect([401, 413]).toContain(response.status)
  })

  test('with a member twice is refused', async () => {
    const now = seconds(0)
    const claims = `{"iss":"x","iss":"${SIGNER.clientId}","sub":"${SIGNER.clientId}","aud":"${BASE_URL}","exp":${now + 60},"jti":"twice"}`
    const signed = `${part({ alg: 'ES256', kid: 'k1' })}.${Buffer.from(claims).toString('base64url')}`
    const signature = sign('sha256', Buffer.from(signed), { key: ec.privateKey, dsaEncoding: 'ieee-p1363' })

    expect((await byAssertion(`${signed}.${signature.toString('base64url')}`)).status).toBe(401)
  })

  test('counts once: of ten at once in two processes, one is the client', async () => {
    const text = assertion()
    const second = stack.another()
    const presented = {
      method: 'private_key_jwt',
      clientId: SIGNER.clientId as never,
      tenantId: 'acme' as TenantId,
      assertion: text,
    } as const
    const asked = { nowMs: stack.clock.now(), clientAddress: '203.0.113.7' }
    const tries = Array.from({ length: 10 }, (_, at) =>
      authenticateClient(at % 2 === 0 ? stack.deps : second, presented, asked),
    )

    const proven = (await Promise.all(tries)).filter((result) => result.ok)

    expect(proven).toHaveLength(1)
  })

  test('another client may use the same jti', async () => {
    const mine = await byAssertion(assertion({ payload: { jti: 'shared' } }))
    const theirs = await byAssertion(
      assertion({ payload: { jti: 'shared', iss: GLOBEX.clientId, sub: GLOBEX.clientId } }),
    )

    expect([mine.status, theirs.status]).toEqual([200, 200])
  })

  test('whose first use was written and not answered is still its client’s', async () => {
    let lost = 0
    stack.firestore.setFault((rpc) => {
      lost += rpc === 'Commit' ? 1 : 0
      return rpc === 'Commit' && lost === 1 ? { mode: 'lostAnswer', code: 14 } : undefined
    })
    const text = assertion()
    const first = await byAssertion(text)
    stack.firestore.setFault(undefined)

    expect(first.status).toBe(200)
    expect((await byAssertion(text)).status).toBe(401)
  })

  test.each<[string, Record<string, string>, number]>([
    ['beside HTTP Basic', { client_secret: '' }, 200],
    ['beside a secret', { client_secret: SECRET.clientSecret }, 400],
    ['beside its own client id', { client_id: SIGNER.clientId }, 200],
    ['beside another client id', { client_id: SECRET.clientId }, 400],
    [
      'of another assertion type',
      { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer' },
      400,
    ],
  ])('%s', async (_name, more, status) => {
    expect((await byAssertion(assertion(), more)).status).toBe(status)
  })
})

describe('the way a client is registered with is the only one', () => {
  test.each<[string, () => Promise<Response>]>([
    ['a client with keys by a secret', () => post({}, { authorization: basic(SIGNER) })],
    ['a client with keys by its id alone', () => post({ client_id: SIGNER.clientId })],
    ['a client with a secret by its id alone', () => post({ client_id: SECRET.clientId })],
    [
      'a client with a secret by an assertion',
      () => byAssertion(assertion({ payload: { iss: SECRET.clientId, sub: SECRET.clientId } })),
    ],
    ['a public client by a secret', () => post({}, { authorization: basic(PUBLIC) })],
    [
      'a public client by an assertion',
      () => byAssertion(assertion({ payload: { iss: PUBLIC.clientId, sub: PUBLIC.clientId } })),
    ],
    ['no client', () => post({ client_id: 'cid_acme_AAAAAAAAAAAAAAAA' })],
  ])('%s is invalid_client', async (_name, ask) => {
    const response = await ask()

    expect(response.status).toBe(401)
    expect(await response.text()).toBe('{"error":"invalid_client"}')
  })

  test('a public client has no tokens of its own', async () => {
    const response = await post({ client_id: PUBLIC.clientId })

    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: 'unauthorized_client' })
  })
})

describe('keys that a client publishes', () => {
  const PUBLISHER = presetOf('acme', 6)
  const address = 'https://app.example/jwks'
  let published: unknown[] | undefined = [jwk]
  let fetched: string[] = []
  const outbound = async (url: string) => {
    fetched.push(url)
    if (published === undefined) throw new GuardRefused('network', 'nobody answers')
    return { status: 200, headers: {}, body: Buffer.from(JSON.stringify({ keys: published })) }
  }
  const prove = (deps: AuthDeps, made: Change) =>
    authenticateClient(
      deps,
      {
        method: 'private_key_jwt',
        clientId: PUBLISHER.clientId as never,
        tenantId: 'acme' as TenantId,
        assertion: assertion({ payload: { iss: PUBLISHER.clientId, sub: PUBLISHER.clientId }, ...made }),
      },
      { nowMs: stack.clock.now(), clientAddress: '198.51.100.9' },
    )

  beforeAll(() => add(PUBLISHER, { authMethod: 'private_key_jwt', jwksUri: address }))
  beforeEach(() => {
    published = [jwk]
    fetched = []
  })

  test('are fetched from where it registered, once for many', async () => {
    const deps = stack.another({ outbound })

    const results = await Promise.all(Array.from({ length: 5 }, () => prove(deps, {})))

    expect(results.map((result) => result.ok)).toEqual([true, true, true, true, true])
    expect(fetched).toEqual([address])
  })

  test('may rotate: a new one is found, and one taken back is over in five minutes', async () => {
    const deps = stack.another({ outbound })
    await prove(deps, {})
    published = [otherJwk]
    stack.clock.advance(31_000)
    const found = await prove(deps, { header: { kid: 'k2' }, key: other.privateKey })
    stack.clock.advance(300_000)

    expect(found.ok).toBe(true)
    expect(await prove(deps, {})).toMatchObject({ ok: false, code: 'client.invalid' })
  })

  test('of an address that does not answer, nobody can say whether it is the client', async () => {
    published = undefined

    await expect(prove(stack.another({ outbound }), {})).rejects.toThrow('public keys cannot be read')
  })

  test.each<[string, unknown[]]>([
    ['a secret', [{ kty: 'oct', k: 'AAAA', kid: 'k1' }]],
    ['a private key', [{ ...ec.privateKey.export({ format: 'jwk' }), kid: 'k1' }]],
    ['two of one name', [jwk, { ...otherJwk, kid: 'k1' }]],
  ])('with %s among them are not taken at all', async (_name, keys) => {
    published = keys

    await expect(prove(stack.another({ outbound }), {})).rejects.toThrow()
  })
})
