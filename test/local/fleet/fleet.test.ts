import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test } from 'vitest'
import { startConnectGateway } from '#local/fleet/gateway.ts'
import { type FleetServer, startFleet } from '#local/fleet/index.ts'
import { manualClock } from '#shared/clock.ts'

const folder = mkdtempSync(join(tmpdir(), 'energent-fleet-'))
const running: { close(): Promise<unknown> }[] = []
afterEach(async () => {
  for (const server of running.splice(0)) await server.close()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function aFleet(file?: string, now?: () => number) {
  const clock = manualClock(Date.parse('2026-11-23T09:00:00Z'))
  const user = 'tenant-events@demo-energent.iam.gserviceaccount.com'
  const server: FleetServer = await startFleet({
    now: now ?? clock.now,
    project: 'demo-test',
    projectNumber: '12',
    authenticate: (token) => (token === 'good' ? user : undefined),
    servers: {
      now: now ?? clock.now,
      folder: join(folder, 'members'),
      authenticate: (token) => (token === 'good' ? { user, groups: [] } : undefined),
    },
    ...(file === undefined ? {} : { file: join(folder, file) }),
  })
  running.push(server)
  const ask = async (url: string, method = 'GET', body?: object, token = 'good') => {
    const response = await fetch(url, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  const hub = (path: string) => `${server.url}/v1/projects/demo-test/locations/global/${path}`
  const member = (name: string, path: string) =>
    `${server.gateway.url}/v1/projects/12/locations/global/memberships/${name}${path}`
  return { server, clock, ask, hub, member }
}

test('a membership is created and deleted by operations that take their time', async () => {
  const { ask, clock, hub } = await aFleet()
  const created = await ask(hub('memberships?membershipId=t-acme'), 'POST', {
    labels: { 'tenant-id': 'acme' },
  })
  expect(created.body).toMatchObject({ done: false, metadata: { verb: 'create' } })
  const operation = String(created.body['name']).split('/').at(-1)
  expect((await ask(hub('memberships/t-acme'))).body).toMatchObject({
    state: { code: 'CREATING' },
    labels: { 'tenant-id': 'acme' },
  })
  expect((await ask(hub('memberships?membershipId=t-acme'), 'POST', {})).status).toBe(409)
  expect(await ask(hub('memberships/t-acme'), 'DELETE')).toMatchObject({
    status: 409,
    body: { error: { status: 'ABORTED' } },
  })
  clock.advance(2_000)
  expect((await ask(hub(`operations/${operation}`))).body).toMatchObject({ done: true })
  expect((await ask(hub('memberships/t-acme'), 'DELETE')).status).toBe(200)
  expect((await ask(hub('memberships/t-acme'))).body).toMatchObject({ state: { code: 'DELETING' } })
  clock.advance(2_000)

  expect((await ask(hub('memberships/t-acme'))).status).toBe(404)
  expect((await ask(hub('memberships'))).body).toEqual({ resources: [] })
  expect((await ask(hub('memberships?membershipId=Not_One'), 'POST', {})).status).toBe(400)
})

test('the gateway leads to the member’s own objects, and speaks for itself where it cannot', async () => {
  const { ask, clock, hub, member, server } = await aFleet()
  await server.register('t-acme', { 'tenant-id': 'acme' })

  expect(await ask(member('t-acme', '/api/v1/namespaces/none'))).toMatchObject({
    status: 404,
    body: { kind: 'Status', reason: 'NotFound' },
  })
  expect(await ask(member('t-none', '/api/v1/namespaces/none'))).toMatchObject({
    status: 404,
    body: { error: { status: 'NOT_FOUND' } },
  })
  expect((await ask(member('t-acme', '/readyz'), 'GET', undefined, 'bad')).status).toBe(401)
  server.gateway.setConnected('t-acme', false)
  expect((await ask(member('t-acme', '/api/v1/namespaces'))).status).toBe(503)
  server.gateway.setConnected('t-acme', true)
  const made = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'tenant-acme' } }
  await ask(member('t-acme', '/api/v1/namespaces'), 'POST', {
    ...made,
    metadata: { ...made.metadata, annotations: { 'energent.ai/spec-rev': '1' } },
  })
  expect(server.dumpObjects('tenant-acme').length).toBeGreaterThan(0)
  server.setKubernetesFault(() => ({ mode: 'lostAnswer' }))
  expect((await ask(member('t-acme', '/api/v1/namespaces'))).status).toBe(502)
  server.setKubernetesFault(undefined)
  await ask(hub('memberships/t-acme'), 'DELETE')
  clock.advance(2_000)

  expect((await ask(member('t-acme', '/api/v1/namespaces'))).body).toMatchObject({
    error: { status: 'NOT_FOUND' },
  })
})

test('what a customer’s cluster holds outlives a restart', async () => {
  const first = await aFleet('kept.jsonl')
  await first.server.register('t-acme', { 'tenant-id': 'acme' })
  const annotations = { 'energent.ai/spec-rev': '1' }
  await first.ask(first.member('t-acme', '/api/v1/namespaces'), 'POST', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'tenant-acme', annotations },
  })
  await first.server.close()
  running.length = 0

  const second = await aFleet('kept.jsonl', first.clock.now)

  expect((await second.ask(second.member('t-acme', '/api/v1/namespaces/tenant-acme'))).status).toBe(200)
})

test('the gateway takes so many calls a minute from the whole fleet, and no more', async () => {
  const clock = manualClock(Date.parse('2026-11-23T09:00:00Z'))
  const serverOf = async () => undefined
  const gateway = await startConnectGateway({
    now: clock.now,
    projectNumber: '12',
    callsPerMinute: 3,
    serverOf,
  })
  running.push(gateway)
  const url = `${gateway.url}/v1/projects/12/locations/global/memberships/x/readyz`
  const ask = async () => (await fetch(url)).status

  expect([await ask(), await ask(), await ask(), await ask()]).toEqual([404, 404, 404, 429])
  clock.advance(60_000)
  expect(await ask()).toBe(404)
})
