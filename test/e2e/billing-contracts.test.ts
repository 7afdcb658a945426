import { PubSub } from '@google-cloud/pubsub'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tenantFactType } from '#shared/contracts/events/tenant-fact.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { outboxRow } from '#shared/firestore/outbox.ts'
import type { TenantId } from '#shared/ids.ts'
import { control, eventually, startTestStack, type TestStack } from './test-stack.ts'

let stack: TestStack
let operator: string
/** Of the tier standard and of the tier basic. */
let acme: string
let initech: string

beforeAll(async () => {
  stack = await startTestStack()
  const tokenOf = async (tenantId: string): Promise<string> => {
    const tenant = stack.info().tenants.find((one) => one.tenantId === tenantId)
    if (tenant === undefined) throw new Error(`the stack has no ${tenantId}`)
    return stack.api().token(tenant)
  }
  operator = await stack.api().token(stack.info().operator)
  acme = await tokenOf('acme')
  initech = await tokenOf('initech')
}, 60_000)
afterAll(() => stack.close())

const call = (method: string, path: string, token: string, json?: object) =>
  stack.api().call(method, path, { token, ...(json === undefined ? {} : { json }) })

test('an operator makes a plan, the tenant sees what it would cost, and buys it', async () => {
  const plan = {
    planId: 'team',
    name: 'Team',
    tier: 'standard',
    currency: 'USD',
    currencies: {
      USD: {
        fees: [{ feeId: 'seats', description: 'Seats', amount: '310.00', term: 'in_advance' }],
        prices: [],
      },
    },
  }
  expect((await call('POST', '/v1/plans', operator, plan)).status).toBe(201)
  expect((await call('POST', '/v1/plans', acme, plan)).status).toBe(403)
  const wanted = { planId: 'team', effective: 'period_end' }
  const path = '/v1/tenants/acme/subscription'
  const preview = await call('POST', `${path}/preview`, acme, wanted)
  expect(preview.body).toMatchObject({ pending: [{ planId: 'team' }], preview: { currency: 'USD' } })
  expect((await call('GET', path, acme)).body).toMatchObject({ planId: 'example-standard', pending: [] })
  expect((await call('PUT', path, acme, wanted)).body).toMatchObject({ pending: [{ planId: 'team' }] })
  expect((await call('PUT', path, initech, wanted)).status).toBe(404)
})

test('credit comes from operators alone, and shows among what the tenant may use', async () => {
  const grant = { amount: '25.00', currency: 'USD', reason: 'welcome' }
  expect((await call('POST', '/v1/tenants/acme/grants', acme, grant)).status).toBe(403)
  expect((await call('POST', '/v1/tenants/acme/grants', operator, grant)).status).toBe(201)
  expect((await call('GET', '/v1/tenants/acme/entitlements', acme)).body).toMatchObject({
    tier: 'standard',
    limits: { concurrentWorkflows: 2 },
    credits: [{ currency: 'USD', balance: '25' }],
  })
})

test('of twelve runs that begin at once through the gateway, the tier’s number runs', async () => {
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, index) =>
      call('POST', '/v1/tenants/acme/workflows/acquire', acme, { runId: `run-${index}` }),
    ),
  )
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(2)
  expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThan(0)
  expect((await call('GET', '/v1/tenants/acme/entitlements', acme)).body).toMatchObject({
    workflows: { active: 2, limit: 2 },
  })
})

test('a purge is answered with counts, and leaves of the tenant that it is gone', async () => {
  await factAbout('initech', 'PURGING')
  // Nothing is erased before it is billed, and the last hour is billed once it is rolled up.
  await control(stack, 'POST', '/clock', { advanceSeconds: 2 * 3_600 })
  const dump = (path: string) => stack.parts().engines.firestore?.dump(path) ?? []
  const answers = () =>
    dump('billing_outbox').filter(({ data }) => String(data['body']).includes('billing.erased.v1'))
  await eventually('the purge is answered', async () => (answers().length > 0 ? true : undefined))
  const left = dump('tenants/initech').filter(({ path }) => path.includes('/billing_'))
  expect(left.map(({ path }) => path.split('/').slice(2).join('/')).sort()).toEqual([
    'billing_tenant/current',
    'billing_tenant/erasure',
  ])
  const erased = answers()
  expect(erased).toHaveLength(1)
  expect(JSON.parse(String(erased[0]?.data['body']))).toMatchObject({
    subject: 'tenants/initech',
    data: { operationId: 'op_purge', counts: { subscriptions: 1 } },
  })
}, 60_000)

/** Says what tenant-events says, by itself: the whole of a purge is played in lifecycle-purge.test.ts. */
async function factAbout(tenant: string, state: string): Promise<void> {
  const { project, pubsubHost } = stack.info()
  const tenantId = tenant as TenantId
  const nowMs = stack.parts().now()
  const event = newEvent({
    id: `${tenant}.900.1`,
    source: '//energent.ai/tenant-events',
    type: tenantFactType('purge-started'),
    tenantId,
    nowMs,
    sequence: 900n,
    data: {
      tenantId,
      state,
      tier: 'basic',
      deploymentModel: 'multi_tenant',
      cluster: 'energent-shared',
      namespace: `tenant-${tenant}`,
      operationId: 'op_purge',
      revision: 900,
      at: new Date(nowMs).toISOString(),
    },
  })
  const { topic, body, attributes, orderingKey } = outboxRow(
    { topic: 'tenant-facts', event },
    tenantId,
    0,
    nowMs,
  )
  const pubsub = new PubSub({ projectId: project, apiEndpoint: pubsubHost, emulatorMode: true })
  await pubsub
    .topic(topic, { messageOrdering: true })
    .publishMessage({ data: Buffer.from(body), attributes, orderingKey })
  await pubsub.close()
}
