import type { AddressInfo } from 'node:net'
import { getTestServer } from '@google-cloud/functions-framework/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'

// The entry file reads its configuration as it is loaded, as in the cloud.
const ENV = {
  GOOGLE_CLOUD_PROJECT: 'demo-test',
  FUNCTION_TARGET: 'tenantsApiHandler',
  FUNCTION_URI: 'http://127.0.0.1:9',
  PUBLIC_BASE_URL: 'http://127.0.0.1:9',
  GATEWAY_ACCOUNT: 'apigw@demo-test.iam.gserviceaccount.com',
  SCHEDULER_ACCOUNT: 'scheduler@demo-test.iam.gserviceaccount.com',
  PUSH_ACCOUNT: 'push@demo-test.iam.gserviceaccount.com',
  KUBERNETES_API_URL: 'http://127.0.0.1:9',
}
const before = { ...process.env }
const servers: ReturnType<typeof getTestServer>[] = []

beforeAll(async () => {
  Object.assign(process.env, ENV)
  await import('../../functions/tenant-events/index.ts')
})
afterAll(async () => {
  for (const server of servers) await new Promise((resolve) => server.close(resolve))
  process.env = before
})

// Deployed, both entry points take nobody who is not proven: the gateway, the scheduler, the push account.
test.each([
  ['tenantsApiHandler', 'GET', '/v1/tenants'],
  ['tenantsApiHandler', 'GET', '/health/tenants'],
  ['tenantsApiHandler', 'POST', '/internal/sweep/run'],
  ['tenantEventsHandler', 'POST', '/events/tenant-work-to-tenant-events'],
])('%s is registered and refuses %s %s from a stranger', async (name, method, path) => {
  const server = getTestServer(name)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method })
  expect(response.status).toBe(401)
  expect(await response.json()).toMatchObject({ code: 'caller.untrusted' })
})
