import { PubSub } from '@google-cloud/pubsub'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { resumeRequested } from '#shared/contracts/events/resume-requested.ts'
import { suspendRequested } from '#shared/contracts/events/suspend-requested.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { outboxRow } from '#shared/firestore/outbox.ts'
import type { TenantId } from '#shared/ids.ts'
import { asRecord } from '#shared/json.ts'
import { control, eventually, startTestStack, type TestStack } from './test-stack.ts'

let stack: TestStack
let operator: string

beforeAll(async () => {
  stack = await startTestStack()
  operator = await stack.api().token(stack.info().operator)
}, 60_000)
afterAll(() => stack.close())

const call = (method: string, path: string, token: string, json?: object) =>
  stack.api().call(method, path, { token, ...(json === undefined ? {} : { json }) })

function credentials(tenantId: string) {
  const tenant = stack.info().tenants.find((one) => one.tenantId === tenantId)
  if (tenant === undefined) throw new Error(`the stack has no ${tenantId}`)
  return tenant
}

const tokenOf = (tenantId: string) => stack.api().token(credentials(tenantId))

/** Orders something of a tenant, and waits until its operation is over. */
async function done(path: string, token: string, body: object): Promise<Record<string, unknown>> {
  const accepted = await call('POST', path, token, body)
  expect([accepted.status, accepted.body['code']]).toEqual([202, undefined])
  const at = String(accepted.headers.get('location'))
  return eventually(`${path} is over`, async () => {
    const { body: operation } = await call('GET', at, operator)
    return operation['endedAt'] === null ? undefined : operation
  })
}

/** What a tenant has of its tier: as the API says, as billing says, and in the cluster. */
async function has(tenantId: string): Promise<unknown> {
  const path = `/v1/tenants/${tenantId}`
  const [tenant, paid, may] = await Promise.all(
    [path, `${path}/subscription`, `${path}/entitlements`].map((at) => call('GET', at, operator)),
  )
  const dump = (await control(stack, 'GET', `/dump?tenantId=${tenantId}`)) as {
    kubernetes: readonly { kind: string; metadata: { name: string }; spec: Record<string, unknown> }[]
  }
  const quota = dump.kubernetes.find(
    ({ kind, metadata }) => kind === 'ResourceQuota' && metadata.name === 'tenant-compute',
  )
  return {
    state: tenant?.body['state'],
    tier: tenant?.body['tier'],
    plan: paid?.body['planId'],
    slots: asRecord(may?.body['limits'])?.['concurrentWorkflows'],
    cpu: asRecord(quota?.spec['hard'])?.['limits.cpu'],
    pods: asRecord(quota?.spec['hard'])?.['pods'],
  }
}

const STANDARD = {
  state: 'ACTIVE',
  tier: 'standard',
  plan: 'example-standard',
  slots: 2,
  cpu: '2',
  pods: '4',
}
const PREMIUM = { state: 'ACTIVE', tier: 'premium', plan: 'example-premium', slots: 4, cpu: '4', pods: '8' }

/** Waits until everybody has heard of it. */
const shows = (tenantId: string, wanted: object) =>
  eventually(`${tenantId} is ${JSON.stringify(wanted)}`, async () => {
    const found = await has(tenantId)
    return JSON.stringify(found) === JSON.stringify(wanted) ? true : undefined
  })

test('a tenant goes up a tier: billed, limited and counted by it', async () => {
  const acme = await tokenOf('acme')
  const body = { toTier: 'premium', effective: 'now' }
  expect(await done('/v1/tenants/acme/tier-change', acme, body)).toMatchObject({
    kind: 'tier-change',
    status: 'succeeded',
  })
  await shows('acme', PREMIUM)
}, 60_000)

test('down again it goes when its workflow has ended, and not before', async () => {
  const acme = await tokenOf('acme')
  const path = '/v1/tenants/acme'
  expect((await call('POST', `${path}/workflows/acquire`, acme, { runId: 'long' })).status).toBe(200)
  const ended = done(`${path}/tier-change`, acme, { toTier: 'standard', effective: 'now' })
  await eventually('nothing may begin', async () => {
    const { body, status } = await call('POST', `${path}/workflows/acquire`, acme, { runId: 'early' })
    // Whoever came before the freeze runs, and is waited for too.
    if (status === 200) await call('POST', `${path}/workflows/release`, acme, { runId: 'early' })
    return body['code'] === 'workflows.frozen' ? true : undefined
  })
  expect(await has('acme')).toEqual({ ...PREMIUM, state: 'TIER_CHANGING' })
  await call('POST', `${path}/workflows/release`, acme, { runId: 'long' })
  expect(await ended).toMatchObject({ status: 'succeeded' })
  await shows('acme', STANDARD)
  expect((await call('POST', `${path}/workflows/acquire`, acme, { runId: 'another' })).status).toBe(200)
  expect((await call('POST', `${path}/workflows/release`, acme, { runId: 'another' })).status).toBe(200)
}, 60_000)

test('a charge that billing refuses leaves everything as it was', async () => {
  const acme = await tokenOf('acme')
  const fee = { feeId: 'base', description: 'Base', amount: '1000.00', term: 'in_advance' }
  const plan = {
    planId: 'prepaid-premium',
    name: 'Prepaid',
    tier: 'premium',
    payment: 'prepaid',
    isDefault: true,
    currency: 'USD',
    currencies: { USD: { fees: [fee], prices: [] } },
  }
  expect((await call('POST', '/v1/plans', operator, plan)).status).toBe(201)
  // As long as billing may believe the plans it has read.
  await control(stack, 'POST', '/clock', { advanceSeconds: 120 })
  const ended = await done('/v1/tenants/acme/tier-change', acme, { toTier: 'premium', effective: 'now' })
  expect(ended).toMatchObject({
    status: 'failed',
    failure: { step: 'charge-tier', code: 'credit.insufficient' },
  })
  await shows('acme', STANDARD)
  expect((await call('DELETE', '/v1/plans/prepaid-premium', operator)).status).toBe(200)
}, 60_000)

test.each(['soft', 'hard'])(
  'a %s suspension ends the tokens of a tenant, and resuming brings it all back',
  async (mode) => {
    const acme = await tokenOf('acme')
    const path = '/v1/tenants/acme'
    expect((await call('GET', `${path}/usage`, acme)).status).toBe(200)
    const ended = done(`${path}/suspend`, operator, { mode, reason: 'security' })
    await eventually('the token is over', async () => {
      const { status } = await call('GET', `${path}/usage`, acme)
      return status === 401 ? true : undefined
    })
    expect(await ended).toMatchObject({ kind: 'suspend', status: 'succeeded' })
    expect(await has('acme')).toEqual({ ...STANDARD, state: 'SUSPENDED', pods: '0' })
    await eventually('there are no more tokens', () =>
      tokenOf('acme').then(
        () => undefined,
        (error: unknown) => (String(error).includes('unauthorized_client') ? true : undefined),
      ),
    )
    expect(await done(`${path}/resume`, operator, {})).toMatchObject({ kind: 'resume', status: 'succeeded' })
    await shows('acme', STANDARD)
    const again = await eventually('there are tokens again', () => tokenOf('acme').catch(() => undefined))
    expect((await call('POST', `${path}/workflows/acquire`, again, { runId: mode })).status).toBe(200)
    expect((await call('POST', `${path}/workflows/release`, again, { runId: mode })).status).toBe(200)
  },
  60_000,
)

test('dunning suspends and resumes by event; what is numbered lower comes too late', async () => {
  await publish('initech', suspendRequested.type, 2n, { mode: 'soft', reason: 'payment_failed' })
  const isIn = (state: string) =>
    eventually(`initech is ${state}`, async () => {
      const { body } = await call('GET', '/v1/tenants/initech', operator)
      return body['state'] === state ? true : undefined
    })
  await isIn('SUSPENDED')
  await publish('initech', resumeRequested.type, 3n, {})
  await isIn('ACTIVE')
  await publish('initech', suspendRequested.type, 1n, { mode: 'hard', reason: 'payment_failed' })
  await publish('initech', suspendRequested.type, 4n, { mode: 'hard', reason: 'payment_failed' })
  await isIn('SUSPENDED')
  const { body } = await call('GET', '/v1/tenants/initech/operations', operator)
  const suspensions = (body['items'] as { kind: string }[]).filter(({ kind }) => kind === 'suspend')
  expect(suspensions).toHaveLength(2)
}, 60_000)

/** As billing's dunning says it. */
async function publish(tenant: string, type: string, number: bigint, data: object): Promise<void> {
  const { project, pubsubHost } = stack.info()
  const tenantId = tenant as TenantId
  const nowMs = stack.parts().now()
  const event = newEvent({
    id: `dunning.${tenant}.${number}`,
    source: '//energent.ai/billing',
    type,
    tenantId,
    nowMs,
    commandSequence: number,
    data: { tenantId, ...data },
  })
  const row = outboxRow({ topic: 'tenant-events', event }, tenantId, 0, nowMs)
  const pubsub = new PubSub({ projectId: project, apiEndpoint: pubsubHost, emulatorMode: true })
  await pubsub.topic(row.topic).publishMessage({ data: Buffer.from(row.body), attributes: row.attributes })
  await pubsub.close()
}
