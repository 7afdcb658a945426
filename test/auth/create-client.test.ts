import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Scope } from '#shared/catalogue/scopes.ts'
import { clientCreated } from '#shared/contracts/events/client-created.ts'
import type { TenantId } from '#shared/ids.ts'
import { openAsDeployer } from '#shared/tenancy/operator.ts'
import { addOperator, bootstrapOperator } from '../../functions/auth/operations/bootstrap-operator.ts'
import { createClient } from '../../functions/auth/operations/create-client.ts'
import {
  type AuthStack,
  addFirstOperator,
  askToken,
  manage,
  OPERATOR,
  presetOf,
  startAuth,
  tokenOf,
} from './support/auth-stack.ts'
import { pushFact } from './support/tenant-facts.ts'

const ADMIN = presetOf('acme', 4)
const PATH = '/v1/tenants/acme/clients'

let stack: AuthStack
let operator: string
let admin: string

beforeAll(async () => {
  stack = await startAuth()
  await addFirstOperator(stack)
  await pushFact(stack, 'acme', 'activated', 1, { tier: 'enterprise' })
  await pushFact(stack, 'small', 'activated', 1, { tier: 'basic' })
  await preset('acme', ADMIN, ['clients:manage', 'usage:read', 'usage:write'])
  operator = await tokenOf(stack, OPERATOR)
  admin = await tokenOf(stack, ADMIN)
})
afterAll(() => stack.close())
beforeEach(() => stack.clock.advance(1_000))

async function preset(tenantId: string, credentials: typeof ADMIN, scopes: Scope[]): Promise<void> {
  const nowMs = stack.clock.now()
  const made = await createClient(stack.deps, {
    ctx: openAsDeployer(tenantId as TenantId, 'test', 'test', nowMs),
    giver: 'deployer',
    wanted: { name: undefined, scopes, grants: ['client_credentials'] },
    preset: credentials,
    nowMs,
  })
  if (!made.ok) throw new Error(made.detail)
}

test('an operator opens a tenant’s first door, and the secret works', async () => {
  const response = await manage(stack, operator, PATH, {
    name: 'CI',
    scopes: ['usage:read', 'billing:manage'],
  })
  const made = (await response.json()) as { clientId: string; clientSecret: string }
  const asked = await askToken(stack, {}, made)

  expect(response.status).toBe(201)
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(made).toMatchObject({ tenantId: 'acme', name: 'CI', scopes: ['billing:manage', 'usage:read'] })
  expect(made.clientId).toMatch(/^cid_acme_[0-9A-Za-z]{16}$/)
  expect(await asked.json()).toMatchObject({ scope: 'billing:manage usage:read' })
})

test('the secret is in no document, no fact, no audit and no log', async () => {
  const headers = { 'idempotency-key': 'secret-hunt' }
  const response = await manage(stack, operator, PATH, { scopes: ['usage:read'] }, headers)
  const { clientSecret } = (await response.json()) as { clientSecret: string }

  const everything = JSON.stringify([stack.firestore.dump(), stack.logLines])
  const facts = stack.published.map((message) => Buffer.from(message.data).toString('utf8')).join('\n')

  expect(clientSecret).toMatch(/^dcs_/)
  expect(everything).not.toContain(clientSecret)
  expect(facts).not.toContain(clientSecret)
  expect(everything).not.toContain(Buffer.from(clientSecret).toString('base64').slice(0, 40))
})

test('its fact and its audit entry are committed with it', async () => {
  const response = await manage(stack, operator, PATH, { scopes: ['usage:read'] })
  const { clientId } = (await response.json()) as { clientId: string }

  const event = stack.published
    .map((message) => JSON.parse(Buffer.from(message.data).toString('utf8')) as Record<string, unknown>)
    .find((candidate) => candidate['id'] === `client-created:${clientId}`)
  const audit = stack.firestore.dump('tenantAudit/acme').map((doc) => JSON.stringify(doc.data))

  expect(event).toMatchObject({ type: clientCreated.type, tenantid: 'acme', subject: 'tenants/acme' })
  expect(clientCreated.parseData(event?.['data'])).toMatchObject({ ok: true })
  expect(
    audit.some((text) => text.includes(clientId) && text.includes(`operator:${OPERATOR.clientId}`)),
  ).toBe(true)
})

test('a tenant’s client gives what its token holds and nothing more', async () => {
  const narrow = await tokenOf(stack, ADMIN, 'clients:manage usage:read')

  const held = await manage(stack, admin, PATH, { scopes: ['usage:write', 'clients:manage'] })
  const notHeld = await manage(stack, admin, PATH, { scopes: ['usage:read', 'billing:manage'] })
  const notInToken = await manage(stack, narrow, PATH, { scopes: ['usage:write'] })
  const platform = await manage(stack, admin, PATH, { scopes: ['platform:tenants'] })

  expect(held.status).toBe(201)
  for (const refused of [notHeld, notInToken, platform]) {
    expect(refused.status).toBe(400)
    expect(await refused.json()).toMatchObject({ code: 'scope.invalid' })
  }
})

test('an operator cannot give platform scopes to a tenant, nor more than their own in the platform', async () => {
  const outside = await manage(stack, operator, PATH, { scopes: ['platform:read'] })
  const inside = await manage(stack, operator, '/v1/tenants/platform/clients', { scopes: ['platform:read'] })
  const beyond = await manage(stack, operator, '/v1/tenants/platform/clients', { scopes: ['billing:manage'] })

  expect([outside.status, inside.status, beyond.status]).toEqual([400, 201, 400])
})

test('a client made by an operator belongs to the same person, so it is no second approver', async () => {
  await manage(stack, operator, '/v1/tenants/platform/clients', { scopes: ['platform:purge'] })

  const owners = stack.firestore
    .dump('tenants/platform/auth_clients')
    .map((doc) => (doc.data as { ownerUserId: string }).ownerUserId)

  expect(owners.length).toBeGreaterThan(1)
  expect(new Set(owners).size).toBe(1)
  expect(owners[0]).toMatch(/^usr_[0-9A-HJKMNP-TV-Z]{26}$/)
})

test('a foreign tenant and a missing one are the same 404', async () => {
  const foreign = await manage(stack, admin, '/v1/tenants/small/clients', { scopes: ['usage:read'] })
  const missing = await manage(stack, admin, '/v1/tenants/missing/clients', { scopes: ['usage:read'] })
  const unknownToOperator = await manage(stack, operator, '/v1/tenants/missing/clients', {
    scopes: ['usage:read'],
  })

  const bodies = await Promise.all([foreign, missing, unknownToOperator].map(withoutRequestId))
  expect(bodies[0]).toEqual(bodies[1])
  expect(bodies[0]).toEqual(bodies[2])
  expect(foreign.status).toBe(404)
})

test('without clients:manage there is no creating', async () => {
  const token = await tokenOf(stack, ADMIN, 'usage:read')

  expect((await manage(stack, token, PATH, { scopes: ['usage:read'] })).status).toBe(403)
})

// Two requests at once read the same count; only a commit that guards the count keeps the limit.
test('a tier’s limit holds when many ask at once', async () => {
  const responses = await Promise.all(
    Array.from({ length: 6 }, () =>
      manage(stack, operator, '/v1/tenants/small/clients', { scopes: ['usage:read'] }),
    ),
  )

  const statuses = responses.map((response) => response.status).sort()
  expect(statuses).toEqual([201, 201, 409, 409, 409, 409])
  expect(stack.firestore.dump('tenants/small/auth_clients')).toHaveLength(2)
})

test('the same Idempotency-Key makes one client and shows its secret once', async () => {
  const headers = { 'idempotency-key': 'order-66' }
  const before = stack.firestore.dump('tenants/acme/auth_clients').length

  const first = await manage(stack, operator, PATH, { scopes: ['usage:read'] }, headers)
  const again = await manage(stack, operator, PATH, { scopes: ['usage:read'] }, headers)
  const other = await manage(stack, operator, PATH, { scopes: ['usage:write'] }, headers)

  const made = (await first.json()) as Record<string, unknown>
  const { clientSecret: _shownOnce, ...view } = made
  expect([first.status, again.status, other.status]).toEqual([201, 200, 422])
  expect(again.headers.get('idempotency-replayed')).toBe('true')
  expect(await again.json()).toEqual(view)
  expect(stack.firestore.dump('tenants/acme/auth_clients')).toHaveLength(before + 1)
})

test('one key of two callers, or for two tenants, is two keys', async () => {
  await pushFact(stack, 'other', 'activated', 1)
  const headers = { 'idempotency-key': 'shared' }

  const byOperator = await manage(stack, operator, PATH, { scopes: ['usage:read'] }, headers)
  const byAdmin = await manage(stack, admin, PATH, { scopes: ['usage:read'] }, headers)
  const elsewhere = await manage(
    stack,
    operator,
    '/v1/tenants/other/clients',
    { scopes: ['usage:read'] },
    headers,
  )

  expect([byOperator.status, byAdmin.status, elsewhere.status]).toEqual([201, 201, 201])
})

test.each([
  ['no scopes', {}],
  ['an empty list', { scopes: [] }],
  ['an unknown scope', { scopes: ['everything'] }],
  ['an unknown grant', { scopes: ['usage:read'], grants: ['password'] }],
  ['a preset id', { scopes: ['usage:read'], clientId: 'cid_acme_0000000000000009' }],
  ['a role', { scopes: ['usage:read'], roles: ['platform_admin'] }],
  ['an owner', { scopes: ['usage:read'], ownerUserId: 'usr_x' }],
  ['a name that bends the line', { scopes: ['usage:read'], name: 'a\nb' }],
  ['a list', []],
  ['null', null],
])('%s is no request for a client', async (_name, body) => {
  expect((await manage(stack, operator, PATH, body)).status).toBe(400)
})

test.each(['', ' ', 'a b', 'ü'.repeat(2), 'x'.repeat(256)])('%j is no Idempotency-Key', async (key) => {
  const send = () => manage(stack, operator, PATH, { scopes: ['usage:read'] }, { 'idempotency-key': key })

  if (key.trim() === '') expect((await send()).status).toBeGreaterThanOrEqual(201)
  else expect((await send()).status).toBe(400)
})

test('the first operator is made once, and a second one has another owner', async () => {
  const nowMs = stack.clock.now()
  const again = await bootstrapOperator(stack.deps, { email: 'else@example.com', deployer: 'test', nowMs })
  const second = await addOperator(stack.deps, { email: 'second@example.com', deployer: 'test', nowMs })
  const same = await addOperator(stack.deps, { email: 'Second@Example.com', deployer: 'test', nowMs })

  expect(again).toMatchObject({ ok: false, code: 'tenant.state_conflict' })
  if (!second.ok || !same.ok) throw new Error('an operator was not added')
  expect(second.value.ownerUserId).toBe(same.value.ownerUserId)
  const everything = JSON.stringify(stack.firestore.dump())
  expect(everything).not.toMatch(/second@example\.com/i)
})

// Two clients of one person must not approve what takes two people.
test('an operator stays the same person when the pepper is another', async () => {
  const nowMs = stack.clock.now()
  const add = (deps: typeof stack.deps) =>
    addOperator(deps, { email: 'third@example.com', deployer: 'test', nowMs })
  const before = await add(stack.deps)
  const fresh = { version: 99, pepper: Buffer.alloc(32, 7) }
  const peppers = {
    ...stack.deps.peppers,
    current: async () => fresh,
    all: async () => new Map([...(await stack.deps.peppers.all([])), [fresh.version, fresh.pepper] as const]),
  }
  const after = await add({ ...stack.deps, peppers })

  if (!before.ok || !after.ok) throw new Error('an operator was not added')
  expect(after.value.ownerUserId).toBe(before.value.ownerUserId)
  expect(after.value.client.clientId).not.toBe(before.value.client.clientId)
})

test('preset credentials are refused outside demo projects and outside their tenant', async () => {
  const nowMs = stack.clock.now()
  const command = { email: 'a@example.com', deployer: 'test', nowMs }

  await expect(
    addOperator({ ...stack.deps, presetsAllowed: false }, { ...command, preset: presetOf('platform', 8) }),
  ).rejects.toThrow(TypeError)
  await expect(addOperator(stack.deps, { ...command, preset: presetOf('acme', 8) })).rejects.toThrow(
    TypeError,
  )
})

async function withoutRequestId(response: Response): Promise<unknown> {
  const { requestId: _different, ...body } = (await response.json()) as Record<string, unknown>
  return body
}
