import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TenantId } from '#shared/ids.ts'
import { aStack, type Stack } from './stack.ts'
import { ACME } from './world.ts'

let stack: Stack
beforeAll(async () => {
  stack = await aStack()
})
afterAll(() => stack.close())
beforeEach(() => stack.forgetAll())

const create: Stack['create'] = (...asked) => stack.create(...asked)

describe('a new tenant', () => {
  test('is accepted, provisioned in the cluster and active', async () => {
    const created = await create()
    expect(created.status).toBe(202)
    const { operationId } = created.body
    const location = `/v1/tenants/acme/operations/${operationId}`
    expect(created.headers.get('location')).toBe(location)
    expect(created.body['tenant']).toMatchObject({ state: 'REQUESTED', namespace: 'tenant-acme' })
    expect((await stack.api('GET', location)).body).toMatchObject({ status: 'running' })

    await stack.pump()

    const tenant = await stack.api('GET', '/v1/tenants/acme', { as: 'tenant:acme' })
    expect(tenant.status).toBe(200)
    expect(tenant.body).toMatchObject({ state: 'ACTIVE', cluster: 'energent-shared', operation: null })
    expect(tenant.headers.get('etag')).toBe(`"${tenant.body['revision']}"`)
    const operation = await stack.api('GET', location)
    expect(operation.body).toMatchObject({ status: 'succeeded', stuck: false, failure: null })
    const steps = operation.body['steps'] as { code: string; status: string }[]
    // P04 is for tenants with a cluster of their own; P07 is Kubernetes', Secret Manager's and IAM's part.
    const codes = 'P01 P02 P03 P05 P06 P07 P07 P07 P08 P09 P10 P11 P12 P13'.split(' ')
    expect(steps.map(({ code, status }) => `${code} ${status}`)).toEqual(codes.map((code) => `${code} done`))
    const kinds = stack.kubernetes.dump('tenant-acme').map(({ kind }) => kind)
    expect(kinds.filter((kind) => kind === 'NetworkPolicy')).toHaveLength(6)
    expect(kinds.filter((kind) => kind === 'ResourceQuota')).toHaveLength(4)
  })

  test('is refused by billing: nothing stays in the cluster and the reason is shown', async () => {
    const { body } = await create()
    await stack.pump('refused')

    expect((await stack.api('GET', '/v1/tenants/acme')).body).toMatchObject({ state: 'PROVISION_FAILED' })
    const operation = await stack.api('GET', `/v1/tenants/acme/operations/${body['operationId']}`)
    expect(operation.body).toMatchObject({
      status: 'failed',
      failure: { step: 'prepare-billing', code: 'plan.tier_mismatch' },
    })
    expect(stack.kubernetes.dump('tenant-acme')).toEqual([])
  })

  test('whose namespace fails for good leaves nothing behind', async () => {
    stack.kubernetes.setFault((operation) =>
      operation === 'patch limitranges' ? { mode: 'error', code: 422 } : undefined,
    )
    await create()
    for (let round = 0; round < 20; round += 1) {
      await stack.pump()
      stack.clock.advance(60_000)
      await stack.api('POST', '/internal/sweep/run')
    }
    stack.kubernetes.setFault(undefined)

    const tenant = await stack.api('GET', '/v1/tenants/acme')
    expect(tenant.body).toMatchObject({ state: 'PROVISION_FAILED', operation: null })
    expect(stack.kubernetes.dump('tenant-acme')).toEqual([])
    const cancelled = stack.engine.dump('lifecycle_outbox').map(({ data }) => String(data['body']))
    expect(cancelled.filter((text) => text.includes('subscription-cancel-requested'))).toHaveLength(1)
  })

  test('goes on by the sweep when every message about it was lost', async () => {
    await create()
    stack.published.length = 0
    stack.clock.advance(61_000)

    expect((await stack.api('POST', '/internal/sweep/run')).body).toMatchObject({ resumed: 1 })
    await stack.pump()

    expect((await stack.api('GET', '/v1/tenants/acme')).body).toMatchObject({ state: 'ACTIVE' })
  })

  test('takes billing facts and continuations in any number and order', async () => {
    const { body } = await create()
    const operationId = String(body['operationId'])
    const fact = stack.billingFact(ACME, operationId, 'ready')
    const [work] = stack.published.filter(({ topic }) => topic === 'tenant-work')
    if (work === undefined) throw new Error('no continuation')
    const all = [fact, work, work, fact, work, fact]
    const statuses = await Promise.all(
      all.map((message) => stack.push(message.topic as 'tenant-work', message)),
    )
    expect(statuses).toEqual(all.map(() => 204))
    await stack.pump()

    expect((await stack.api('GET', '/v1/tenants/acme')).body).toMatchObject({ state: 'ACTIVE' })
    const facts = stack.engine
      .dump('lifecycle_outbox')
      .flatMap(({ data }) =>
        data['topic'] === 'tenant-facts' ? [JSON.parse(String(data['body'])).type] : [],
      )
    expect(facts.sort()).toEqual(['ai.energent.tenant.activated.v1', 'ai.energent.tenant.requested.v1'])
  })
})

describe('POST /v1/tenants', () => {
  test('of two for one id at once, one wins', async () => {
    const replies = await Promise.all([create(), create({ displayName: 'Other' }), create({ tier: 'basic' })])
    expect(replies.map(({ status }) => status).sort()).toEqual([202, 409, 409])
    expect(replies.find(({ status }) => status === 409)?.body).toMatchObject({ code: 'tenant.id_taken' })
    expect(stack.engine.dump('tenants/acme').filter(({ path }) => path.includes('operations'))).toHaveLength(
      1,
    )
  })

  test('with one Idempotency-Key gives one answer, at once or one after the other', async () => {
    const key = { 'idempotency-key': 'k-1' }
    const replies = await Promise.all([create({}, key), create({}, key)])
    const later = await create({}, key)
    expect(new Set([...replies, later].map(({ body }) => JSON.stringify(body))).size).toBe(1)
    expect(later.status).toBe(202)
    expect(later.headers.get('location')).toBe(replies[0]?.headers.get('location'))
  })

  test('with one Idempotency-Key and another body is refused, whatever tenant it names', async () => {
    const key = { 'idempotency-key': 'k-1' }
    await create({}, key)
    for (const fields of [{ tier: 'basic' }, { tenantId: 'globex' }]) {
      expect(await create(fields, key)).toMatchObject({
        status: 422,
        body: { code: 'request.idempotency_mismatch' },
      })
    }
    // Another operator's key of the same text is another key.
    expect((await create({ tenantId: 'globex' }, key, 'operator2')).status).toBe(202)
  })

  test.each(['platform', 'system', 'energent', 'admin', 'internal'])(
    'never gives away %s',
    async (tenantId) => {
      expect(await create({ tenantId })).toMatchObject({ status: 409, body: { code: 'tenant.id_taken' } })
    },
  )

  test.each([
    ['id with a capital', { tenantId: 'Acme' }],
    ['id that is a path', { tenantId: '../acme' }],
    ['id of 41 characters', { tenantId: 'a'.repeat(41) }],
    ['name of 101 characters', { displayName: 'a'.repeat(101) }],
    ['name that turns the text round', { displayName: 'Acme \u202ecmeA' }],
    ['id ending with a hyphen', { tenantId: 'acme-' }],
    ['id with a newline', { tenantId: 'acme\n' }],
    ['tier of the prototype', { tier: '__proto__' }],
    ['unknown tier', { tier: 'gold' }],
    ['unknown member', { plan: 'x' }],
    ['blank name', { displayName: ' ' }],
    ['half a surrogate', { displayName: 'a\ud800' }],
    ['trial in the past', { trialEndsAt: '2020-01-01T00:00:00Z' }],
    ['trial without an end in sight', { trialEndsAt: '9999-12-31T00:00:00Z' }],
    ['trial that is no instant', { trialEndsAt: 'tomorrow' }],
    ['region that is a path', { region: '../us' }],
    ['number for a name', { displayName: 7 }],
  ])('refuses an %s', async (_what, fields) => {
    expect(await create(fields)).toMatchObject({ status: 400, body: { code: 'request.malformed' } })
    expect(stack.engine.dump('')).toEqual([])
  })

  test('takes a trial of 365 days, and says so of a longer one', async () => {
    const inMs = (ms: number) => new Date(stack.clock.now() + ms).toISOString()
    const longest = 365 * 86_400_000
    const refused = await create({ trialEndsAt: inMs(longest + 1) })

    expect(refused.status).toBe(400)
    expect(JSON.stringify(refused.body)).toContain('trialEndsAt: must be within 365 days from now')
    expect((await create({ trialEndsAt: inMs(longest) })).status).toBe(202)
  })

  test.each(['{"tenantId":"acme"', '[]', 'null', '', '{"__proto__":{}}'])(
    'refuses the body %j',
    async (body) => {
      expect((await stack.api('POST', '/v1/tenants', { body })).status).toBe(400)
    },
  )

  test('needs an operator with the right', async () => {
    expect((await create({}, {}, 'support')).status).toBe(403)
    expect((await create({}, {}, 'tenant:acme')).status).toBe(403)
    expect((await create({}, {}, 'nobody')).status).toBe(401)
  })
})

describe('the rest', () => {
  test('health names the dependency that fails', async () => {
    expect((await stack.api('GET', '/health/tenants')).status).toBe(200)
    stack.kubernetes.setFault(() => ({ mode: 'refuse' }))
    // An answer is kept for a second.
    stack.clock.advance(1_000)
    const health = await stack.api('GET', '/health/tenants')
    stack.kubernetes.setFault(undefined)
    expect(health).toMatchObject({
      status: 503,
      body: { checks: { firestore: { status: 'ok' }, kubernetes: { status: 'failed' } } },
    })
  })

  test('metrics are text for operators', async () => {
    const metrics = await stack.api('GET', '/metrics/tenants')
    expect(metrics.status).toBe(200)
    expect(metrics.headers.get('content-type')).toContain('text/plain')
  })

  test('a suspension from billing is in force at once, and its copy does nothing more', async () => {
    await create()
    await stack.pump()
    const message = billingCommand('suspend-requested', '7', { mode: 'hard', reason: 'payment_failed' })

    expect(await stack.push('tenant-events', message)).toBe(204)
    expect((await stack.api('GET', '/v1/tenants/acme')).body).toMatchObject({ state: 'SUSPENDING' })
    expect(await stack.push('tenant-events', message)).toBe(204)

    const facts = stack.engine
      .dump('lifecycle_outbox')
      .filter(({ data }) => String(data['body']).includes('tenant.suspend-started.v1'))
    expect(facts).toHaveLength(1)
  })

  test('a command of billing for a tenant that is not there yet stays with Pub/Sub', async () => {
    const message = billingCommand('resume-requested', '8', {})
    expect(await stack.push('tenant-events', message)).toBe(500)
    expect(stack.engine.dump('lifecycle_quarantine')).toEqual([])
  })

  test('a command that names two tenants, or has no number, is set aside', async () => {
    await create()
    const twofold = billingCommand('resume-requested', '8', { tenantId: 'globex' })
    expect(await stack.push('tenant-events', twofold)).toBe(204)
    expect(await stack.push('tenant-events', billingCommand('resume-requested', undefined, {}))).toBe(204)
    const kept = stack.engine.dump('lifecycle_quarantine').map(({ data }) => data['code'])
    expect(kept.sort()).toEqual(['event.malformed', 'event.tenant_mismatch'])
  })

  test('a fact about an operation that does not exist is set aside', async () => {
    await create()
    expect(await stack.push('billing-facts', stack.billingFact(ACME, 'op_none', 'ready'))).toBe(204)
    const globex = stack.billingFact('globex' as TenantId, 'op_none', 'ready')
    expect(await stack.push('billing-facts', globex)).toBe(204)
    expect(stack.engine.dump('lifecycle_quarantine')).toHaveLength(2)
  })

  test("a fact that names another tenant's operation changes nothing", async () => {
    const { body } = await create()
    await create({ tenantId: 'globex' })
    const crossed = stack.billingFact('globex' as TenantId, String(body['operationId']), 'refused')
    expect(await stack.push('billing-facts', crossed)).toBe(204)
    await stack.pump()
    expect((await stack.api('GET', '/v1/tenants/acme')).body).toMatchObject({ state: 'ACTIVE' })
    expect((await stack.api('GET', '/v1/tenants/globex')).body).toMatchObject({ state: 'ACTIVE' })
  })
})

/** A command as billing sends it, with `data` over what it says of acme. */
function billingCommand(name: string, commandseq: string | undefined, data: object) {
  const row = stack.billingFact(ACME, 'op_x', 'ready')
  const type = `ai.energent.tenant.${name}.v1`
  const event = {
    ...JSON.parse(Buffer.from(row.data).toString()),
    ...(commandseq === undefined ? {} : { commandseq }),
    type,
    data: { tenantId: ACME, ...data },
  }
  return { data: Buffer.from(JSON.stringify(event)), attributes: { ...row.attributes, type } }
}
