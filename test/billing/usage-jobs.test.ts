import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { backfillFloorMs } from '../../functions/billing/domain/usage-job.ts'
import { type Answer, aTenantFact, aUsageEvent, startWorld, type World } from './support/world.ts'

const OPERATOR = 'platform+platform:billing'
const YEAR_AGO = '2025-12-03T10:30:00.000Z'

let world: World
/** Each test has a tenant of its own. */
let tenant = ''
let tests = 0
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())
beforeEach(async () => {
  tests += 1
  tenant = `tenant-${tests}`
  world.published.length = 0
  // The operators' rate is that of a tenant too.
  world.clock.advance(60_000)
  await world.fact(aTenantFact({ tenant }))
})
const reader = (of = tenant): string => `${of}+usage:read`

const backfill = (body: unknown, token = OPERATOR): Promise<Answer> =>
  world.request({ method: 'POST', path: '/v1/usage/backfill', token, body })
const voiding = (body: unknown, query = '', token = OPERATOR): Promise<Answer> =>
  world.request({ method: 'POST', path: `/v1/usage/void${query}`, token, body })

const old = (id: string, fields: { value?: unknown; time?: string; tenant?: string } = {}) =>
  aUsageEvent({ id, tenant, time: YEAR_AGO, ...fields })

/** Delivers the units of work that were asked for, each as often as told. */
async function work(copies = 1): Promise<void> {
  for (const message of world.published.splice(0).filter(({ topic }) => topic === 'billing-work')) {
    for (let copy = 0; copy < copies; copy += 1) {
      expect(await world.push('billing-work-to-billing', message.data, message.attributes)).toBe(204)
    }
  }
}

const today = (id: string) => aUsageEvent({ id, tenant })

async function counted(from: string, to: string): Promise<string | undefined> {
  const path = `/v1/tenants/${tenant}/usage?meter=agent_minutes&from=${from}&to=${to}`
  const { status, json } = await world.request({ path, token: reader() })
  expect(status, JSON.stringify(json)).toBe(200)
  return (json['data'] as { value: string }[])[0]?.value
}
const countedYearAgo = () => counted('2025-12-03T00:00:00Z', '2025-12-04T00:00:00Z')
const countedToday = () => counted('2026-11-23T00:00:00Z', '2026-11-24T00:00:00Z')

describe('late usage that an operator hands in', () => {
  test('counts in the hour in which it happened, once, however often it is handed in', async () => {
    const body = { reason: 'collector was down', events: [old('a'), old('b'), old('a')] }
    const first = await backfill(body)
    const again = await backfill({ ...body, events: body.events.toReversed() })
    await work(3)

    expect(first).toMatchObject({ status: 202, json: { accepted: 3, rejected: [], status: 'pending' } })
    expect(again.json['jobId']).toBe(first.json['jobId'])
    expect(await countedYearAgo()).toBe('120')
    expect((await backfill(body)).json).toMatchObject({ jobId: first.json['jobId'], status: 'done' })
    const path = String(first.headers['location'])
    expect((await world.request({ path, token: reader() })).json).toMatchObject({
      ...{ kind: 'backfill', status: 'done', reason: 'collector was down', events: 2 },
    })
  })

  test('is judged event by event, thirteen months back to the millisecond', async () => {
    const floor = Date.parse(`2025-10-23T${new Date(world.clock.now()).toISOString().slice(11)}`)
    const answer = await backfill({
      reason: 'r',
      events: [
        old('edge', { time: new Date(floor).toISOString() }),
        old('older', { time: new Date(floor - 1).toISOString() }),
        old('bad', { value: 'x' }),
        old('rival', { tenant: 'globex' }),
        old('edge', { time: new Date(floor + 1).toISOString() }),
      ],
    })
    const codes = (answer.json['rejected'] as { index: number; code: string }[]).map(
      ({ index, code }) => `${index} ${code}`,
    )
    expect(answer).toMatchObject({ status: 202, json: { accepted: 1 } })
    expect(codes).toEqual(['0 usage.conflict', '1 event.malformed', '2 event.malformed', '3 event.malformed'])
  })

  test('of nothing good is a 400 that names each, and leaves no job', async () => {
    const answer = await backfill({ reason: 'r', events: [old('bad', { value: 1.5 })] })
    expect(answer).toMatchObject({ status: 400, json: { code: 'event.malformed', accepted: 0 } })
    expect(world.documents(`tenants/${tenant}/billing_usageJobs`)).toEqual([])
  })

  test.each([
    ['no reason', { events: [{}] }],
    ['no events', { reason: 'r', events: [] }],
    [
      'more than 500 events',
      { reason: 'r', events: Array.from({ length: 501 }, (_none, at) => old(`e${at}`)) },
    ],
    ['a member nobody knows', { reason: 'r', events: [old('a')], force: true }],
    ['no tenant', { reason: 'r', events: [{}] }],
    ['no object', 'usage'],
  ])('with %s is refused', async (_what, body) => {
    expect(await backfill(body)).toMatchObject({ status: 400, json: { code: 'request.malformed' } })
  })

  test('of a tenant that there is not, or that is gone, is refused', async () => {
    await world.fact(aTenantFact({ tenant: 'globex', kind: 'purge-started', state: 'PURGING' }))
    const of = (other: string) => backfill({ reason: 'r', events: [old('a', { tenant: other })] })
    expect((await of('nobody')).status).toBe(404)
    expect((await of('platform')).status).toBe(404)
    expect(await of('globex')).toMatchObject({ status: 409, json: { code: 'tenant.state_conflict' } })
  })

  test('in a closed period whose plan refuses it is a 409, and nothing of it was taken', async () => {
    const { periodLocks } = world.deps
    const locked = async (_ctx: unknown, at: readonly number[]) => at.slice(0, 1)
    Object.assign(world.deps, { periodLocks: { locked } })
    const answer = await backfill({ reason: 'r', events: [old('a')] })
    Object.assign(world.deps, { periodLocks })
    expect(answer).toMatchObject({ status: 409, json: { code: 'usage.period_locked' } })
    expect(world.documents(`tenants/${tenant}/billing_usageJobs`)).toEqual([])
  })
})

describe('usage that an operator takes back', () => {
  const target = (id: string) => ({ source: '//agents.example/pods/agent-7', id })

  test('counts no more, and voiding it again changes nothing', async () => {
    await world.usage([today('a'), today('b')])
    const body = { tenantId: tenant, reason: 'test run', events: [target('a')] }
    const first = await voiding(body)
    await voiding({ ...body, reason: 'asked twice' })
    await work(2)

    expect(first).toMatchObject({ status: 202, json: { events: 1, status: 'pending' } })
    expect(await countedToday()).toBe('60')
  })

  test('before it came never counts', async () => {
    await voiding({ tenantId: tenant, reason: 'r', events: [target('a')] })
    await work()
    await world.usage([today('a'), today('b')])
    expect(await countedToday()).toBe('60')
  })

  test('strictly must all be there, however long ago', async () => {
    await backfill({ reason: 'r', events: [old('a'), old('b')] })
    await work()
    const body = (ids: readonly string[]) => ({ tenantId: tenant, reason: 'r', events: ids.map(target) })
    expect(await voiding(body(['a', 'nowhere']), '?strict=true')).toMatchObject({
      status: 404,
      json: { code: 'resource.not_found' },
    })
    expect(world.published).toEqual([])
    expect((await voiding({ ...body(['b', 'a']), strict: true })).status).toBe(202)
    await work()
    expect(await countedYearAgo()).toBe('0')
  })

  // A tenant may have more usage than one answer can read: what is rolled up is ruled out without reading it.
  test('strictly reads no more of the ledger than the hours that may hold them', async () => {
    await backfill({ reason: 'r', events: [old('c'), old('d')] })
    await work()
    const body = (id: string) => ({ tenantId: tenant, reason: 'r', events: [target(id)], strict: true })
    const read: (readonly string[])[] = []
    const { ledger } = world.deps
    const hours = ledger.hours
    Object.assign(ledger, {
      hours: (...args: Parameters<typeof hours>) => {
        read.push(args[1])
        return hours(...args)
      },
    })
    try {
      await world.rollUp()
      read.length = 0
      expect((await voiding(body('nowhere'))).status).toBe(404)
      expect(read).toEqual([])
      expect((await voiding(body('c'))).status).toBe(202)
      expect(read).toHaveLength(1)
    } finally {
      Object.assign(ledger, { hours })
    }
  })

  test('of the same name in two tenants is two jobs', async () => {
    const other = `${tenant}-twin`
    await world.fact(aTenantFact({ tenant: other }))
    const events = [target('a')]
    const one = await voiding({ tenantId: tenant, reason: 'twins', events })
    const two = await voiding({ tenantId: other, reason: 'twins', events })
    expect([one.status, two.status]).toEqual([202, 202])
    expect(one.json['jobId']).not.toBe(two.json['jobId'])
  })

  test('is audited with who wanted it and why', async () => {
    await voiding({ tenantId: tenant, reason: 'billed by mistake', events: [target('a')] })
    const [job] = world.documents(`tenants/${tenant}/billing_usageJobs`)
    const audit = JSON.stringify(world.documents(`tenantAudit/${tenant}`))
    for (const part of ['usage.void', 'operator:someone', job?.path.split('/').at(-1)])
      expect(audit).toContain(part)
    expect(job?.data).toMatchObject({ reason: 'billed by mistake' })
  })
})

// Whoever pays for usage must not take it back, whatever scopes they have.
test.each(['acme+billing:manage+usage:write+platform:billing', 'platform+platform:read'])(
  'a token of %s may do neither',
  async (token) => {
    const events = [old('a')]
    expect((await backfill({ reason: 'r', events }, token)).status).toBe(403)
    const targets = [{ source: 's', id: 'a' }]
    expect((await voiding({ tenantId: tenant, reason: 'r', events: targets }, '', token)).status).toBe(403)
  },
)

test('a job is not seen by another tenant', async () => {
  const { headers, json } = await backfill({ reason: 'r', events: [old('a')] })
  expect(JSON.stringify(json)).toContain('pending')
  const path = String(headers['location'])
  expect((await world.request({ path, token: reader('globex') })).status).toBe(404)
  const elsewhere = path.replace(tenant, 'globex')
  expect((await world.request({ path: elsewhere, token: reader('globex') })).status).toBe(404)
  expect((await world.request({ path: `${path.slice(0, -1)}%20`, token: reader() })).status).toBe(404)
})

test('the floor of a backfill keeps to the end of short months', () => {
  expect(new Date(backfillFloorMs(Date.parse('2027-03-31T12:00:00Z'))).toISOString()).toBe(
    '2026-02-28T12:00:00.000Z',
  )
})
