import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TenantScope } from '#shared/catalogue/scopes.ts'
import type { TenantId } from '#shared/ids.ts'
import { openAsDeployer } from '#shared/tenancy/operator.ts'
import { createClient } from '../../functions/auth/operations/create-client.ts'
import { retrySooner } from '../support/quick-retries.ts'
import {
  type AuthStack,
  addFirstOperator,
  askToken,
  BASE_URL,
  basic,
  OPERATOR,
  presetOf,
  startAuth,
  tokenOf,
} from './support/auth-stack.ts'
import { pushFact } from './support/tenant-facts.ts'

const ACME = presetOf('acme', 2)
const ACME_SECOND = presetOf('acme', 9)
const SCOPES: TenantScope[] = ['tenant:read', 'usage:read']
const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

// A store that is down is asked again until the call's deadline; that it has one is tested elsewhere.
retrySooner()

let stack: AuthStack

beforeAll(async () => {
  stack = await startAuth()
  await addFirstOperator(stack)
  await pushFact(stack, 'acme', 'activated', 1)
  await addClient('acme', ACME)
})
afterAll(() => stack.close())
beforeEach(() => stack.clock.advance(2_500))

async function addClient(tenantId: string, preset: typeof ACME): Promise<void> {
  const nowMs = stack.clock.now()
  const made = await createClient(stack.deps, {
    ctx: openAsDeployer(tenantId as TenantId, 'test', 'test', nowMs),
    giver: 'deployer',
    wanted: { name: undefined, scopes: SCOPES, grants: ['client_credentials'] },
    preset,
    nowMs,
  })
  if (!made.ok) throw new Error(made.detail)
}

function post(body: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${stack.httpUrl}/oauth2/token`, { method: 'POST', headers: { ...FORM, ...headers }, body })
}

test('a token verifies against the published keys and says who it is for', async () => {
  const response = await askToken(stack, {}, ACME)
  const body = (await response.json()) as Record<string, string | number>
  const published = await fetch(`${stack.httpUrl}/.well-known/jwks.json`)
  const jwks = (await published.json()) as JSONWebKeySet

  const { payload, protectedHeader } = await jwtVerify(
    String(body['access_token']),
    createLocalJWKSet(jwks),
    {
      issuer: BASE_URL,
      audience: BASE_URL,
      typ: 'at+jwt',
      algorithms: ['ES256'],
      currentDate: new Date(stack.clock.now()),
    },
  )

  expect(response.status).toBe(200)
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(response.headers.get('pragma')).toBe('no-cache')
  expect(Object.keys(protectedHeader).sort()).toEqual(['alg', 'kid', 'typ'])
  expect(payload).toMatchObject({
    sub: ACME.clientId,
    client_id: ACME.clientId,
    scope: 'tenant:read usage:read',
    tenant: 'acme',
    tier: 'standard',
    roles: [],
    ver: 1,
  })
  const life = Number(payload.exp) - Number(payload.iat)
  expect(life).toBeGreaterThanOrEqual(570)
  expect(life).toBeLessThanOrEqual(600)
  expect(body).toMatchObject({ token_type: 'Bearer', expires_in: life, scope: 'tenant:read usage:read' })
})

test('our own verifier takes the token, from our own ring', async () => {
  const verified = await stack.deps.platform.verifyToken(await tokenOf(stack, ACME), undefined)

  expect(verified).toMatchObject({ ok: true, value: { claims: { tenant: 'acme', subject: ACME.clientId } } })
})

test('credentials in the form are as good as HTTP Basic', async () => {
  const response = await askToken(stack, { client_id: ACME.clientId, client_secret: ACME.clientSecret })

  expect(response.status).toBe(200)
})

test('HTTP Basic is form-decoded, as RFC 6749 §2.3.1 asks', async () => {
  const authorization = basic({
    clientId: ACME.clientId.replaceAll('_', '%5F'),
    clientSecret: ACME.clientSecret,
  })

  expect((await post('grant_type=client_credentials', { authorization })).status).toBe(200)
})

test('a scope asked for narrows the token, in any order and once', async () => {
  const response = await askToken(stack, { scope: 'usage:read usage:read' }, ACME)

  expect(await response.json()).toMatchObject({ scope: 'usage:read' })
})

// Whatever differed would tell an attacker which half of a guess was right.
test.each([
  ['an unknown client', { clientId: 'cid_acme_ffffffffffffffff', clientSecret: ACME.clientSecret }],
  ['an unknown tenant', { clientId: 'cid_nobody_0000000000000001', clientSecret: ACME.clientSecret }],
  ['a wrong secret', { ...ACME, clientSecret: presetOf('acme', 9).clientSecret }],
  ['another tenant’s secret', { ...ACME, clientSecret: OPERATOR.clientSecret }],
  ['a secret with a broken checksum', { ...ACME, clientSecret: `${ACME.clientSecret.slice(0, -1)}!` }],
  ['an id that is none', { ...ACME, clientId: '../../auth_state/current' }],
  ['an empty id', { ...ACME, clientId: '' }],
])('%s gets the one answer of every failed client authentication', async (_name, credentials) => {
  const response = await askToken(stack, {}, credentials)

  expect(response.status).toBe(401)
  expect(await response.text()).toBe('{"error":"invalid_client"}')
  expect(response.headers.get('www-authenticate')).toMatch(/^Basic /)
  expect(response.headers.get('cache-control')).toBe('no-store')
})

test.each([
  ['no grant type', '', 'invalid_request'],
  ['an unknown grant type', 'grant_type=password', 'unsupported_grant_type'],
  ['a grant type twice', 'grant_type=client_credentials&grant_type=client_credentials', 'invalid_request'],
  ['an unknown parameter twice', 'grant_type=client_credentials&x=1&x=', 'invalid_request'],
  ['a broken escape', 'grant_type=client_credentials&x=%zz', 'invalid_request'],
  ['an escape that is not UTF-8', 'grant_type=client_credentials&x=%ff', 'invalid_request'],
  ['a NUL', 'grant_type=client_credentials&x=%00', 'invalid_request'],
  ['a scope nobody granted', 'grant_type=client_credentials&scope=billing:manage', 'invalid_scope'],
  ['a platform scope', 'grant_type=client_credentials&scope=platform:tenants', 'invalid_scope'],
  ['a scope with two spaces', 'grant_type=client_credentials&scope=tenant:read++usage:read', 'invalid_scope'],
  ['a scope with a quote', 'grant_type=client_credentials&scope=%22', 'invalid_scope'],
  ['a foreign resource', 'grant_type=client_credentials&resource=https://evil.test', 'invalid_target'],
  [
    'a foreign audience beside ours',
    `grant_type=client_credentials&audience=${BASE_URL}&audience=x`,
    'invalid_target',
  ],
  [
    'another client in the form',
    'grant_type=client_credentials&client_id=cid_acme_ffffffffffffffff',
    'invalid_request',
  ],
  [
    'a second way to authenticate',
    `grant_type=client_credentials&client_secret=${ACME.clientSecret}`,
    'invalid_request',
  ],
  ['an assertion beside Basic', 'grant_type=client_credentials&client_assertion=x', 'invalid_request'],
])('%s is refused as OAuth says', async (_name, body, error) => {
  const response = await post(body, { authorization: basic(ACME) })

  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ error })
  expect(response.headers.get('content-type')).toBe('application/json')
})

test('our own base URL is a known resource and audience', async () => {
  const body = `grant_type=client_credentials&resource=${BASE_URL}&audience=${BASE_URL}`

  expect((await post(body, { authorization: basic(ACME) })).status).toBe(200)
})

test('an empty parameter counts as left out', async () => {
  const response = await post('grant_type=client_credentials&scope=&client_secret=', {
    authorization: basic(ACME),
  })

  expect(await response.json()).toMatchObject({ scope: 'tenant:read usage:read' })
})

test.each([
  ['nothing', {}],
  ['a bearer token', { authorization: 'Bearer abc' }],
  ['Basic without base64', { authorization: 'Basic ***' }],
  ['Basic without a colon', { authorization: `Basic ${Buffer.from('abc').toString('base64')}` }],
])('%s as client authentication is invalid_client with a challenge', async (_name, headers) => {
  const response = await post('grant_type=client_credentials', headers as Record<string, string>)

  expect(response.status).toBe(401)
  expect(response.headers.get('www-authenticate')).toMatch(/^Basic /)
})

test('credentials in the URL are refused before they are looked at', async () => {
  const response = await fetch(
    `${stack.httpUrl}/oauth2/token?client_id=${ACME.clientId}&client_secret=${ACME.clientSecret}`,
    { method: 'POST', headers: FORM, body: 'grant_type=client_credentials' },
  )

  expect(await response.json()).toMatchObject({ error: 'invalid_request' })
})

test('JSON and more than 32 parameters are refused in the words of OAuth', async () => {
  const many = Array.from({ length: 40 }, (_, at) => `p${at}=1`).join('&')

  const json = await post('{}', { 'content-type': 'application/json', authorization: basic(ACME) })
  const flood = await post(`grant_type=client_credentials&${many}`, { authorization: basic(ACME) })

  expect([json.status, flood.status]).toEqual([415, 400])
  expect(await json.json()).toMatchObject({ error: 'invalid_request' })
  expect(await flood.json()).toMatchObject({ error: 'invalid_request' })
})

describe('a tenant’s state', () => {
  const GLOBEX = presetOf('globex', 3)

  test('decides what its clients get, from the first fact to the last', async () => {
    await pushFact(stack, 'globex', 'activated', 1)
    await addClient('globex', GLOBEX)
    const token = await tokenOf(stack, GLOBEX)

    stack.clock.advance(10_000)
    await pushFact(stack, 'globex', 'suspend-started', 2)
    const suspended = await askToken(stack, {}, GLOBEX)
    const old = await stack.deps.platform.verifyToken(token, undefined)
    await pushFact(stack, 'globex', 'resumed', 3)
    // What is known of a client and its tenant is kept for two seconds.
    stack.clock.advance(2_000)
    const resumed = await tokenOf(stack, GLOBEX)
    stack.clock.advance(10_000)
    const stillOld = await stack.deps.platform.verifyToken(token, undefined)
    const fresh = await stack.deps.platform.verifyToken(resumed, undefined)
    await pushFact(stack, 'globex', 'purge-started', 4)
    stack.clock.advance(2_000)
    const purging = await askToken(stack, {}, GLOBEX)

    expect(await suspended.json()).toMatchObject({ error: 'unauthorized_client' })
    expect(old).toMatchObject({ ok: false, code: 'token.invalid' })
    // The watermark outlives the suspension: what was issued before it stays dead.
    expect(stillOld).toMatchObject({ ok: false })
    expect(fresh).toMatchObject({ ok: true })
    expect(purging.status).toBe(401)
    expect(await purging.text()).toBe('{"error":"invalid_client"}')
  })
})

test('a client has less than its tenant, the tenant its tier’s rate, and no other feels either', async () => {
  await addClient('acme', ACME_SECOND)
  await askToken(stack, {}, ACME_SECOND)
  stack.clock.advance(1_000)
  const burst = (of: typeof ACME) => Promise.all(Array.from({ length: 30 }, () => askToken(stack, {}, of)))
  const responses = await burst(ACME)
  // What the first was refused is not counted against the second.
  const others = await burst(ACME_SECOND)
  const operator = await askToken(stack, {}, OPERATOR)

  const count = (answers: readonly Response[], status: number) =>
    answers.filter((answer) => answer.status === status).length
  expect([count(responses, 200), count(responses, 429)]).toEqual([15, 15])
  expect([count(others, 200), count(others, 429)]).toEqual([5, 25])
  for (const shed of [...responses, ...others].filter(({ status }) => status === 429)) {
    expect(shed.headers.get('retry-after')).toBe('1')
  }
  expect(operator.status).toBe(200)
})

// A purge takes two people: two clients of one person are one.
test('a token of an operator’s client says whose it is, and one of a tenant’s does not', async () => {
  const claimsOf = async (client: typeof ACME) => {
    const answer = (await (await askToken(stack, {}, client)).json()) as { access_token: string }
    return JSON.parse(Buffer.from(answer.access_token.split('.')[1] ?? '', 'base64url').toString())
  }
  expect((await claimsOf(OPERATOR)).own).toMatch(/^usr_[0-9A-Z]{26}$/)
  expect(await claimsOf(ACME)).not.toHaveProperty('own')
})

test('when the store is down, minting says so with 503 and not with a reason', async () => {
  stack.firestore.setFault(() => ({ mode: 'refuse' }))
  const response = await askToken(stack, {}, ACME)
  stack.firestore.setFault(undefined)

  expect(response.status).toBe(503)
  expect(response.headers.get('retry-after')).toBe('1')
  expect(await response.json()).toEqual({ error: 'temporarily_unavailable' })
})

test('no secret and no token is ever logged', () => {
  const log = stack.logLines.join('\n')

  expect(log).not.toContain(ACME.clientSecret)
  expect(log).not.toMatch(/eyJ[\w-]+\./)
})
