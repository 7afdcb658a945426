import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually, startTestStack, type TestStack } from './test-stack.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const TENANT = 'traced-tenant'

let stack: TestStack
beforeAll(async () => {
  stack = await startTestStack('--no-seed', '--logs', 'json')
}, 90_000)
afterAll(() => stack.close())

type Line = Record<string, unknown>

function lines(): Line[] {
  return stack.printed.flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Line] : []))
}

// Whoever looks into a tenant that does not come up has one id, and must find everything with it.
test('a tenant’s creation is one trace through every function that has a part in it', async () => {
  const api = stack.api()
  const operator = await api.token(stack.info().operator)
  const created = await api.call('POST', '/v1/tenants', {
    token: operator,
    headers: { traceparent: `00-${TRACE}-00f067aa0ba902b7-01` },
    json: {
      tenantId: TENANT,
      displayName: 'Traced',
      tier: 'basic',
      deploymentModel: 'multi_tenant',
      region: 'us-central1',
    },
  })
  expect(created.status).toBe(202)
  await eventually('the tenant is active', async () => {
    const answer = await api.call('GET', `/v1/tenants/${TENANT}`, { token: operator })
    return answer.body['state'] === 'ACTIVE' ? true : undefined
  })
  await stack.parts().pusher.idle()

  const isTraced = (line: Line): boolean => String(line['logging.googleapis.com/trace']).endsWith(`/${TRACE}`)
  const traced = lines().filter(isTraced)
  const heard = new Set(traced.map((line) => `${line['service']} ${line['type'] ?? ''}`.trim()))
  expect(new Set(traced.map(({ service }) => service))).toEqual(
    new Set(['tenantsApiHandler', 'tenantEventsHandler', 'billingHandler', 'authEventsHandler']),
  )
  expect([...heard]).toEqual(
    expect.arrayContaining([
      'tenantEventsHandler ai.energent.tenant.step-continue.v1',
      'billingHandler ai.energent.billing.subscription-requested.v1',
      'tenantEventsHandler ai.energent.billing.subscription-ready.v1',
      'authEventsHandler ai.energent.tenant.activated.v1',
      'billingHandler ai.energent.tenant.activated.v1',
    ]),
  )
  // No message about the tenant runs in a trace of its own.
  const stray = lines().filter(
    (line) => line['tenantId'] === TENANT && line['subscription'] !== undefined && !isTraced(line),
  )
  expect(stray).toEqual([])
})

test('what leaves carries the trace: outbox rows and messages', async () => {
  const rows = stack.parts().engines.firestore?.dump('lifecycle_outbox') ?? []
  const own = rows.filter(({ data }) => data['tenantId'] === TENANT)

  expect(own.length).toBeGreaterThan(3)
  for (const { data } of own) {
    const { traceparent } = data['attributes'] as { traceparent?: string }
    expect(traceparent?.split('-')[1]).toBe(TRACE)
    expect(JSON.parse(String(data['body'])).traceparent).toBe(traceparent)
  }
})
