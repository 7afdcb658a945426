import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TenantId } from '#shared/ids.ts'
import { systemIds } from '#shared/ids.ts'
import { TenantContext } from '#shared/tenancy/context.ts'
import { newApiKey, parseApiKey } from '../../functions/auth/domain/api-key.ts'
import { checksumOf } from '../../functions/auth/domain/checksum.ts'
import { authenticateApiKey } from '../../functions/auth/operations/authenticate-api-key.ts'
import { type AuthStack, addFirstOperator, OPERATOR, startAuth, tokenOf } from './support/auth-stack.ts'
import { pushFact } from './support/tenant-facts.ts'

const PATH = '/v1/tenants/acme/api-keys'

let stack: AuthStack
let operator: string

beforeAll(async () => {
  stack = await startAuth()
  await addFirstOperator(stack)
  await pushFact(stack, 'acme', 'activated', 1, { tier: 'enterprise' })
  await pushFact(stack, 'small', 'activated', 1, { tier: 'basic' })
})
afterAll(() => stack.close())
beforeEach(async () => {
  stack.clock.advance(5_000)
  operator = await tokenOf(stack, OPERATOR)
})

type Body = Record<string, unknown> & { key: string; keyId: string }

async function ask(method: string, path: string, json?: unknown, headers: Record<string, string> = {}) {
  const answer = await fetch(`${stack.httpUrl}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${operator}`,
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  })
  const text = await answer.text()
  return { status: answer.status, body: (text === '' ? {} : JSON.parse(text)) as Body }
}

async function aKey(more: Record<string, unknown> = {}, path = PATH): Promise<Body> {
  const made = await ask('POST', path, { scopes: ['usage:read', 'scim'], ...more })
  expect(made.status, JSON.stringify(made.body)).toBe(201)
  return made.body
}

const prove = (key: unknown, scope?: 'scim' | 'usage:write') =>
  authenticateApiKey(stack.deps, key, scope, stack.clock.now())

test('a key opens its own tenant, for its own scopes', async () => {
  const { key, keyId } = await aKey()

  const proven = await prove(key, 'scim')
  const other = await prove(key, 'usage:write')

  expect(proven).toMatchObject({
    ok: true,
    value: { key: { keyId }, ctx: { tenantId: 'acme', actor: `key:${keyId}` } },
  })
  expect(proven.ok && TenantContext.is(proven.value.ctx)).toBe(true)
  expect(other).toMatchObject({ ok: false, code: 'token.insufficient_scope' })
})

test('of a key, nothing but an HMAC is anywhere', async () => {
  const { key } = await aKey()
  const everything = JSON.stringify([
    stack.firestore.dump(),
    stack.logLines,
    stack.published.map((message) => Buffer.from(message.data).toString('utf8')),
  ])

  expect(everything).not.toContain(key)
  expect(everything).not.toContain(key.slice(-49))
})

test('it ends when it says, in the same second for everybody', async () => {
  const endMs = stack.clock.now() + 60_000
  const { key } = await aKey({ expiresAt: new Date(endMs).toISOString() })

  stack.clock.advance(endMs - stack.clock.now() - 1)
  const before = await prove(key)
  stack.clock.advance(1)

  expect(before).toMatchObject({ ok: true })
  expect(await prove(key)).toMatchObject({ ok: false, code: 'token.invalid' })
})

test('removed, it is refused at once in every process', async () => {
  const { key, keyId } = await aKey()
  const second = stack.another()
  await authenticateApiKey(second, key, undefined, stack.clock.now())

  const gone = await ask('DELETE', `${PATH}/${keyId}`)
  const again = await ask('DELETE', `${PATH}/${keyId}`)

  expect([gone.status, again.status]).toEqual([204, 404])
  expect(await prove(key)).toMatchObject({ ok: false })
  expect(await authenticateApiKey(second, key, undefined, stack.clock.now())).toMatchObject({ ok: false })
  const feed = JSON.stringify(stack.firestore.dump('authFeed'))
  expect(feed).toContain(keyId)
})

test('what is not spelt like a key is refused while the store is down: it is never asked', async () => {
  const { key } = await aKey()
  const last = key.at(-1) === 'A' ? 'B' : 'A'
  stack.firestore.setFault(() => ({ mode: 'refuse' }))
  const results = await Promise.all(
    ['', 'x', 'dak_', key.slice(0, -1), `${key}x`, key.slice(0, -1) + last, key.toUpperCase(), 7, null].map(
      (text) => prove(text),
    ),
  )
  stack.firestore.setFault(undefined)

  for (const result of results) expect(result).toMatchObject({ ok: false, code: 'token.invalid' })
})

test('one changed character is always noticed without a read', () => {
  const { text } = newApiKey(systemIds, 'acme' as TenantId)
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: text.length - 1 }),
      fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'),
      (at, character) => {
        fc.pre(text[at] !== character)
        expect(parseApiKey(text.slice(0, at) + character + text.slice(at + 1)).ok).toBe(false)
      },
    ),
  )
})

test('the id of a key with another secret is refused, however well it is made', async () => {
  const { key, keyId } = await aKey()
  const body = `${key.slice(0, -49)}${Buffer.alloc(32, 9).toString('base64url')}`

  const forged = await prove(`${body}${checksumOf(body)}`)

  expect(parseApiKey(`${body}${checksumOf(body)}`).ok).toBe(true)
  expect(forged).toMatchObject({ ok: false, code: 'token.invalid' })
  stack.clock.advance(120_000)
  await stack.deps.failedLogins.flush(stack.clock.now())
  const told = stack.published.map((message) => Buffer.from(message.data).toString('utf8'))
  expect(told.some((text) => text.includes('"credential":"api_key"') && text.includes(keyId))).toBe(true)
})

test('a well-made key of another tenant, or of none, is refused like a removed one', async () => {
  for (const tenantId of ['acme', 'small', 'nobody']) {
    const { text } = newApiKey(systemIds, tenantId as TenantId)
    expect(await prove(text)).toMatchObject({ ok: false, code: 'token.invalid' })
  }
})

test('in a suspended tenant no key opens anything', async () => {
  await pushFact(stack, 'halted', 'activated', 1, { tier: 'basic' })
  const { key } = await aKey({ scopes: ['tenant:read'] }, '/v1/tenants/halted/api-keys')
  await pushFact(stack, 'halted', 'suspended', 2)

  expect(await prove(key)).toMatchObject({ ok: false, code: 'token.invalid' })
})

test('of many at once a tier allows as many as it allows', async () => {
  const path = '/v1/tenants/small/api-keys'
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => ask('POST', path, { scopes: ['usage:read'] })),
  )
  const made = answers.filter(({ status }) => status === 201)
  await ask('DELETE', `${path}/${made[0]?.body.keyId}`)
  const freed = await ask('POST', path, { scopes: ['usage:read'] })

  expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 409, 409, 409])
  expect(freed.status).toBe(201)
})

describe('making one', () => {
  test.each<[string, unknown, string]>([
    ['no scope', { scopes: [] }, 'request.malformed'],
    ['an unknown scope', { scopes: ['everything'] }, 'scope.invalid'],
    ['an operator’s scope', { scopes: ['platform:read'] }, 'scope.invalid'],
    ['an end in the past', { scopes: ['scim'], expiresAt: '2020-01-01T00:00:00Z' }, 'request.malformed'],
    ['an end that is no time', { scopes: ['scim'], expiresAt: 'tomorrow' }, 'request.malformed'],
    ['an end out of sight', { scopes: ['scim'], expiresAt: '2099-01-01T00:00:00Z' }, 'request.malformed'],
    ['an unknown member', { scopes: ['scim'], key: 'x' }, 'request.malformed'],
  ])('with %s is refused', async (_name, body, code) => {
    expect(await ask('POST', PATH, body)).toMatchObject({ status: 400, body: { code } })
  })

  test('asked again with its key, it tells the same one without itself', async () => {
    const headers = { 'idempotency-key': 'one-api-key' }
    const first = await ask('POST', PATH, { scopes: ['scim'] }, headers)
    const again = await ask('POST', PATH, { scopes: ['scim'] }, headers)

    expect([first.status, again.status]).toEqual([201, 200])
    expect(again.body).toMatchObject({ keyId: first.body.keyId })
    expect(again.body.key).toBeUndefined()
  })
})

test('a list tells who made each, and none of them', async () => {
  const { key, keyId } = await aKey({ name: 'directory' })
  const page = await ask('GET', `${PATH}?pageSize=100`)
  const items = page.body['items'] as Record<string, unknown>[]

  expect(items.find((item) => item['keyId'] === keyId)).toMatchObject({
    name: 'directory',
    createdBy: OPERATOR.clientId,
    expiresAt: null,
  })
  expect(JSON.stringify(page.body)).not.toContain(key.slice(-49))
  expect(JSON.stringify(page.body)).not.toContain('hmac')
})
