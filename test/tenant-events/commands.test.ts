import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type ApiOptions, aStack, type Stack } from './stack.ts'

let stack: Stack
beforeAll(async () => {
  stack = await aStack()
})
afterAll(() => stack.close())
beforeEach(async () => {
  stack.forgetAll()
  expect((await stack.create()).status).toBe(202)
})

const post = (path: string, body?: unknown, options: ApiOptions = {}) =>
  stack.api('POST', `/v1/tenants/acme/${path}`, { ...options, ...(body === undefined ? {} : { body }) })
const get = (path = '', as = 'operator') => stack.api('GET', `/v1/tenants/acme${path}`, { as })
const code = ({ status, body }: { status: number; body: Record<string, unknown> }) => [status, body['code']]
const SUSPEND = { mode: 'soft', reason: 'admin' }

describe('a command', () => {
  test('is accepted with its operation, which is there when the answer comes', async () => {
    const answer = await post('suspend', SUSPEND)
    const { operationId, tenant } = answer.body as { operationId: string; tenant: { tenantId: string } }
    const operation = await get(`/operations/${operationId}`)

    expect([answer.status, tenant.tenantId]).toEqual([202, 'acme'])
    expect(answer.headers.get('location')).toBe(`/v1/tenants/acme/operations/${operationId}`)
    expect(operation.body).toMatchObject({ kind: 'suspend', status: 'queued', request: { mode: 'soft' } })
  })

  test('with one key is given once, and another body under it is refused', async () => {
    const headers = { 'idempotency-key': 'k1' }
    const first = await post('suspend', SUSPEND, { headers })
    const again = await post('suspend', SUSPEND, { headers })
    const other = await post('suspend', { ...SUSPEND, mode: 'hard' }, { headers })

    expect([again.status, again.body]).toEqual([202, first.body])
    expect(code(other)).toEqual([422, 'request.idempotency_mismatch'])
  })

  test('on a tenant that is not as the caller saw it is not given', async () => {
    const stale = { headers: { 'if-match': '"7000"' } }
    const seen = String((await get()).headers.get('etag'))

    expect(code(await post('suspend', SUSPEND, stale))).toEqual([412, 'request.precondition_failed'])
    expect((await post('suspend', SUSPEND, { headers: { 'if-match': seen } })).status).toBe(202)
    const late = { toTier: 'premium', effective: 'now', expectedRevision: 7000 }
    expect(code(await post('tier-change', late))).toEqual([409, 'tenant.revision_conflict'])
  })

  test('that the state does not have says in which state the tenant is', async () => {
    const refused = await post('export', { scope: 'all' })

    expect(code(refused)).toEqual([409, 'tenant.state_conflict'])
    expect(refused.body['detail']).toContain('REQUESTED')
  })

  test.each([
    ['tier-change', {}],
    ['tier-change', { toTier: 'gold', effective: 'now' }],
    ['tier-change', { toTier: '__proto__', effective: 'now' }],
    ['tier-change', { toTier: 'premium', effective: 'later' }],
    ['tier-change', { toTier: 'premium', effective: 'now', expectedRevision: -1 }],
    ['suspend', { mode: 'soft' }],
    ['suspend', { mode: 'gentle', reason: 'admin' }],
    ['suspend', { ...SUSPEND, until: 'tomorrow' }],
    ['resume', { reason: '' }],
    ['offboard', { graceDays: 91 }],
    ['offboard', { graceDays: 1.5 }],
    ['offboard', { export: 'yes' }],
    ['offboard/cancel', { really: true }],
    ['export', { scope: 'everything' }],
    ['purge/approvals', {}],
    ['purge/approvals', { reason: 'x'.repeat(501) }],
    ['reconcile', []],
    ['suspend', '{'],
    ['suspend', undefined],
  ])('%s %j is malformed and leaves no trace', async (path, body) => {
    const before = JSON.stringify(stack.engine.dump())
    const refused = await post(path, body)

    expect([400, 415]).toContain(refused.status)
    expect(JSON.stringify(stack.engine.dump())).toBe(before)
  })

  test.each(['resume', 'offboard/cancel'])('%s needs no body, and takes an empty one', async (path) => {
    expect((await post(path)).status).toBe(202)
    expect((await post(path, {})).status).toBe(202)
    expect((await post(path, 'x', { headers: { 'content-type': 'text/plain' } })).status).toBe(415)
  })

  test.each([
    'tier-change',
    'suspend',
    'resume',
    'offboard',
    'offboard/cancel',
    'export',
    'purge/approvals',
    'reconcile',
    'operations/op_none/retry',
  ])('%s on a tenant that there is not is 404, to operators too', async (path) => {
    const bodies: Record<string, unknown> = {
      'tier-change': { toTier: 'premium', effective: 'now' },
      suspend: SUSPEND,
      'purge/approvals': { reason: 'test' },
    }
    const answer = await stack.api('POST', `/v1/tenants/nobody/${path}`, { body: bodies[path] ?? {} })
    expect(code(answer)).toEqual([404, 'resource.not_found'])
  })
})

describe('who may', () => {
  test('end the contract, or take that back: an owner, and no other of the tenant', async () => {
    const asMember = { as: 'tenant:acme' }
    expect(code(await post('offboard', {}, asMember))).toEqual([403, 'role.required'])
    expect(code(await post('offboard/cancel', {}, asMember))).toEqual([403, 'role.required'])
    expect(code(await post('offboard', {}, { as: 'owner:globex' }))).toEqual([404, 'resource.not_found'])
    expect((await post('offboard/cancel', {}, { as: 'owner:acme' })).status).toBe(202)
    expect((await post('offboard', {}, { as: 'owner:acme' })).status).toBe(202)
  })

  test.each(['suspend', 'resume', 'reconcile', 'purge/approvals', 'operations/op_1/retry'])(
    '%s: operators alone, and not those who only read',
    async (path) => {
      expect(code(await post(path, {}, { as: 'owner:acme' }))).toEqual([403, 'token.insufficient_scope'])
      expect(code(await post(path, {}, { as: 'support' }))).toEqual([404, 'resource.not_found'])
      expect(code(await post(path, {}, { as: 'impostor:globex' }))).toEqual([404, 'resource.not_found'])
    },
  )
})

describe('a purge', () => {
  const approve = (as: string) => post('purge/approvals', { reason: 'contract ended' }, { as })

  test('takes two people: the first is noted, the second begins it', async () => {
    const first = await approve('operator')
    const otherClientOfTheSame = await approve('operator1')
    const nobodys = await approve('operator3')
    const shown = (await get()).body['purgeApprovals'] as { approver: string }[]
    const second = await approve('operator2')

    expect([first.status, first.body['operationId']]).toEqual([201, null])
    expect(code(otherClientOfTheSame)).toEqual([409, 'purge.same_approver'])
    expect(code(nobodys)).toEqual([403, 'purge.person_unknown'])
    expect(shown).toEqual([expect.objectContaining({ reason: 'contract ended' })])
    expect(JSON.stringify(shown)).not.toContain('usr_ada')
    expect(second.status).toBe(202)
    expect(second.headers.get('location')).toMatch(/\/operations\/op_/)
  })

  test('is not approved under legal hold, and the hold takes back what was approved', async () => {
    expect((await approve('operator')).status).toBe(201)
    const hold = await stack.api('PUT', '/v1/tenants/acme/legal-hold', { body: { reference: 'CASE-1' } })
    const held = await approve('operator2')
    const released = await stack.api('DELETE', '/v1/tenants/acme/legal-hold')
    const again = await stack.api('DELETE', '/v1/tenants/acme/legal-hold')

    expect([hold.status, hold.headers.get('etag')]).toEqual([200, expect.stringMatching(/^"\d+"$/)])
    expect(code(held)).toEqual([423, 'tenant.legal_hold'])
    expect([released.status, again.status]).toEqual([204, 204])
    expect((await approve('operator2')).status).toBe(201)
  })

  test('leaves a hold out of what the tenant sees', async () => {
    await stack.api('PUT', '/v1/tenants/acme/legal-hold', { body: { reference: 'CASE-1' } })
    await approve('operator')

    expect((await get()).body).toMatchObject({ legalHold: { reference: 'CASE-1' } })
    expect(JSON.stringify((await get('', 'tenant:acme')).body)).not.toMatch(/CASE-1|Approval|legalHold/)
    const told = (body: unknown) => JSON.stringify(body).match(/tenant\.(?:legal-hold|purge)"/g) ?? []
    await stack.api('DELETE', '/v1/tenants/acme/legal-hold')
    await approve('operator')
    expect(told((await get('/timeline', 'tenant:acme')).body)).toEqual([])
    expect(told((await get('/timeline')).body).length).toBeGreaterThan(2)
  })
})
