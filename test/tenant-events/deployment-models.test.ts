import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { aStack, type Stack } from './stack.ts'

let stack: Stack
beforeAll(async () => {
  stack = await aStack()
})
afterAll(() => stack.close())
beforeEach(() => stack.forgetAll())

const state = async (tenantId: string) => (await stack.api('GET', `/v1/tenants/${tenantId}`)).body

/** Delivers what there is, moves the clock and sweeps, until the tenant's operation ends. */
async function settle(tenantId: string): Promise<Record<string, unknown>> {
  for (let round = 0; round < 40; round += 1) {
    await stack.pump()
    const tenant = await state(tenantId)
    if (tenant['operation'] === null) return tenant
    stack.clock.advance(60_000)
    await stack.api('POST', '/internal/sweep/run')
  }
  throw new Error('the operation does not end')
}

test('a dedicated tenant gets a cluster of its own, and everything it has is there', async () => {
  await stack.create({ tenantId: 'dora', deploymentModel: 'dedicated' })

  const tenant = await settle('dora')

  expect(tenant).toMatchObject({ state: 'ACTIVE', cluster: 't-dora' })
  expect(stack.cloud.container.dump().clusters).toMatchObject([
    { name: 't-dora', status: 'RUNNING', location: 'us-central1', resourceLabels: { 'tenant-id': 'dora' } },
  ])
  const kinds = stack.cloud.container.dumpObjects('tenant-dora').map(({ kind }) => kind)
  expect(kinds.filter((kind) => kind === 'NetworkPolicy')).toHaveLength(6)
  expect(stack.kubernetes.dump('tenant-dora')).toEqual([])
})

test('a hybrid tenant waits for its cluster, says for what, and is reached through the gateway', async () => {
  const { body } = await stack.create({ tenantId: 'hugo', deploymentModel: 'hybrid' })
  await stack.pump()
  const waiting = await stack.api('GET', `/v1/tenants/hugo/operations/${String(body['operationId'])}`)
  const step = (waiting.body['steps'] as { code: string }[]).find(({ code }) => code === 'P04')
  expect(step).toMatchObject({ lastError: { code: 'placement.membership_missing' } })
  await stack.cloud.fleet.register('t-hugo', { 'tenant-id': 'hugo' })

  const tenant = await settle('hugo')

  expect(tenant).toMatchObject({ state: 'ACTIVE', cluster: 't-hugo' })
  const kinds = stack.cloud.fleet.dumpObjects('tenant-hugo').map(({ kind }) => kind)
  expect(kinds.filter((kind) => kind === 'ResourceQuota')).toHaveLength(4)
  expect(stack.kubernetes.dump('tenant-hugo')).toEqual([])
  expect(stack.cloud.container.dump().clusters.filter((one) => JSON.stringify(one).includes('hugo'))).toEqual(
    [],
  )
})

test('a cluster that loses its answers, is slow and fails is made once all the same', async () => {
  const faults = ['CreateCluster', 'GetCluster', 'GetOperation', 'GetCluster']
  stack.cloud.container.setFault((operation) => {
    if (faults[0] !== operation) return undefined
    faults.shift()
    return operation === 'CreateCluster' ? { mode: 'lostAnswer' } : { mode: 'error', code: 503 }
  })
  await stack.create({ tenantId: 'lena', deploymentModel: 'dedicated' })

  expect(await settle('lena')).toMatchObject({ state: 'ACTIVE' })

  stack.cloud.container.setFault(undefined)
  const { clusters, operations } = stack.cloud.container.dump()
  const named = (all: readonly object[]) => all.filter((one) => JSON.stringify(one).includes('t-lena'))
  expect([named(clusters).length, named(operations).length]).toEqual([1, 1])
})

test('a dedicated tenant whose cluster cannot be made leaves nothing behind', async () => {
  stack.cloud.container.breakNext('out of stock', 3)
  await stack.create({ tenantId: 'gone', deploymentModel: 'dedicated' })

  const tenant = await settle('gone')

  expect(tenant).toMatchObject({ state: 'PROVISION_FAILED' })
  expect(JSON.stringify(stack.cloud.container.dump().clusters)).not.toContain('t-gone')
  expect(stack.cloud.secrets.dump().filter(({ name }) => name.includes('tenant-gone'))).toEqual([])
  const key = stack.cloud.kms.dump().find(({ name }) => name.endsWith('/tenant-gone'))
  expect(key?.versions).toEqual(['DESTROY_SCHEDULED'])
})
