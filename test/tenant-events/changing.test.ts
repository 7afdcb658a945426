import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ok } from '#shared/result.ts'
import { changeTenant } from '../../functions/tenant-events/operations/change-tenant.ts'
import { ACME_BODY, aStack, type Stack } from './stack.ts'
import { ACME, aWorld, contextOf, request } from './world.ts'

let stack: Stack
beforeAll(async () => {
  stack = await aStack()
})
afterAll(() => stack.close())
beforeEach(async () => {
  stack.forgetAll()
  expect((await stack.create()).status).toBe(202)
})

const PATH = '/v1/tenants/acme'
const change = (body: unknown, headers: Record<string, string> = {}, as = 'tenant:acme') =>
  stack.api('PATCH', PATH, { as, body, headers })
// As the one who changes it: operators see more.
const read = () => stack.api('GET', PATH, { as: 'tenant:acme' })
const auditOf = (tenant: string) =>
  stack.engine
    .dump(`tenantAudit/${tenant}`)
    .flatMap(({ data }) => data['entries'] as { action: string; actor: string }[])

describe('a tenant’s name', () => {
  test('is changed with a new revision, its ETag and an audit of who did it, and no fact', async () => {
    const before = await read()
    stack.published.length = 0

    const changed = await change({ displayName: 'Acme & Söhne' })

    expect(changed.status).toBe(200)
    expect(changed.body).toEqual({
      ...before.body,
      displayName: 'Acme & Söhne',
      revision: Number(before.body['revision']) + 1,
    })
    const after = await read()
    expect(after.body).toEqual(changed.body)
    expect(after.headers.get('etag')).toBe(changed.headers.get('etag'))
    expect(after.headers.get('etag')).not.toBe(before.headers.get('etag'))
    expect(auditOf('acme').filter(({ action }) => action === 'tenant.renamed')).toHaveLength(1)
    expect(stack.published).toEqual([])
  })

  test('that it has already changes nothing', async () => {
    const before = await read()

    const changed = await change({ displayName: ACME_BODY.displayName })

    expect([changed.status, changed.body]).toEqual([200, before.body])
    expect(auditOf('acme').filter(({ action }) => action === 'tenant.renamed')).toEqual([])
  })

  // The one who saw an older tenant must not undo what somebody else did meanwhile.
  test('is changed only by whoever saw the tenant as it is, if they say so', async () => {
    const seen = String((await read()).headers.get('etag'))
    expect((await change({ displayName: 'First' }, { 'if-match': seen })).status).toBe(200)

    const late = await change({ displayName: 'Second' }, { 'if-match': seen })

    expect([late.status, late.body['code']]).toEqual([412, 'request.precondition_failed'])
    expect((await read()).body['displayName']).toBe('First')
    const others = ['"7000"', `W/${seen}`].map((tag) => change({ displayName: 'Other' }, { 'if-match': tag }))
    expect((await Promise.all(others)).map(({ status }) => status)).toEqual([412, 412])
    expect((await change({ displayName: 'Third' }, { 'if-match': '*' })).status).toBe(200)
    expect((await change({ displayName: 'x' }, { 'if-match': 'no tag' })).status).toBe(400)
  })

  test('is one of both, when two change it at once on what they saw', async () => {
    const seen = { 'if-match': String((await read()).headers.get('etag')) }

    const both = await Promise.all(['Left', 'Right'].map((displayName) => change({ displayName }, seen)))

    expect(both.map(({ status }) => status).sort()).toEqual([200, 412])
    const winner = both.find(({ status }) => status === 200)
    expect((await read()).body).toEqual(winner?.body)
  })

  test('is changed once for one Idempotency-Key, and the answer stays the first', async () => {
    const seen = String((await read()).headers.get('etag'))
    const headers = { 'idempotency-key': 'key-1', 'if-match': seen }
    const first = await change({ displayName: 'Once' }, headers)
    await change({ displayName: 'Later' })

    // Its own success made the tag it sent an old one.
    const again = await change({ displayName: 'Once' }, headers)
    const other = await change({ displayName: 'Other' }, { 'idempotency-key': 'key-1' })

    expect([again.status, again.body]).toEqual([200, first.body])
    expect(again.headers.get('etag')).toBe(first.headers.get('etag'))
    expect([other.status, other.body['code']]).toEqual([422, 'request.idempotency_mismatch'])
    expect((await read()).body['displayName']).toBe('Later')
  })

  test('may change while the tenant is being provisioned, and both come through', async () => {
    const renaming = change({ displayName: 'Meanwhile' })
    await Promise.all([renaming, stack.pump()])

    expect((await read()).body).toMatchObject({ state: 'ACTIVE', displayName: 'Meanwhile', operation: null })
  })

  test.each([
    [{}],
    [{ displayName: '' }],
    [{ displayName: ' Acme' }],
    [{ displayName: 'A\u202ecme' }],
    [{ displayName: 'x'.repeat(101) }],
    [{ displayName: 7 }],
    [{ displayName: 'Acme', tier: 'enterprise' }],
    [[]],
    ['{'],
  ])('is not %j', async (body) => {
    const refused = await change(body)

    expect([refused.status, refused.body['code']]).toEqual([400, 'request.malformed'])
    expect((await read()).body['displayName']).toBe(ACME_BODY.displayName)
  })

  // Its people may export and come back, and nothing else.
  test.each(['OFFBOARDING', 'GRACE', 'PURGING'] as const)('stays while the tenant is %s', async (state) => {
    const world = aWorld()
    await request(world)
    const [tenant] = world.store.tenants.values()
    if (tenant === undefined) throw new Error('no tenant')
    world.store.tenants.set(ACME, { ...tenant, state })

    const changed = await changeTenant(world.process(), {
      ...{ ctx: contextOf(ACME), displayName: 'Other', claim: undefined },
      hasSeen: () => ok(undefined),
    })

    expect(changed).toMatchObject({ ok: false, code: 'tenant.state_conflict' })
    expect(world.store.tenants.get(ACME)?.displayName).toBe('Acme')
  })

  test('is the tenant’s own: to others there is no such tenant', async () => {
    const foreign = await change({ displayName: 'Mine' }, {}, 'tenant:globex')
    const missing = await stack.api('PATCH', '/v1/tenants/nobody', {
      as: 'tenant:globex',
      body: { displayName: 'Mine' },
    })
    const nobody = await stack.api('PATCH', '/v1/tenants/nobody', { body: { displayName: 'Mine' } })

    const plain = ({ requestId: _id, ...rest }: Record<string, unknown>) => rest
    expect([foreign.status, plain(foreign.body)]).toEqual([404, plain(missing.body)])
    expect(nobody.status).toBe(404)
    expect((await change({ displayName: 'By us' }, {}, 'operator')).status).toBe(200)
  })
})
