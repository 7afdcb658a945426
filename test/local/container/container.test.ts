import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { type ContainerOptions, type ContainerServer, startContainer } from '#local/container/index.ts'
import { manualClock } from '#shared/clock.ts'
import { kubernetesTransport } from '../../../functions/tenant-events/adapters/kubernetes-transport.ts'

const ACCOUNT = 'tenant-events@demo-energent.iam.gserviceaccount.com'
const folder = mkdtempSync(join(tmpdir(), 'energent-container-'))
const running: ContainerServer[] = []
afterEach(async () => {
  for (const server of running.splice(0)) await server.close()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Body = Record<string, unknown> & { readonly error?: { readonly message: string } }

async function aService(more: Partial<ContainerOptions> = {}) {
  const clock = manualClock(Date.parse('2026-11-23T09:00:00Z'))
  const server = await startContainer({
    now: clock.now,
    project: 'demo-test',
    authenticate: (token) => (token === 'good' ? ACCOUNT : undefined),
    servers: {
      now: clock.now,
      folder: join(folder, 'clusters'),
      authenticate: (token) => (token === 'good' ? { user: ACCOUNT, groups: [] } : undefined),
    },
    ...more,
  })
  running.push(server)
  const call = async (method: string, path: string, body?: object, token = 'good') => {
    const response = await fetch(`${server.url}/v1/projects/demo-test/locations/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return { status: response.status, body: (await response.json()) as Body }
  }
  const order = (name: string, fields: object = {}) =>
    call('POST', 'us-central1/clusters', { cluster: { name, autopilot: { enabled: true }, ...fields } })
  return { server, clock, call, order }
}

describe('the stand-in of the Container API answers as the service does', () => {
  test.each([
    ['no token', 'POST', 'us-central1/clusters', {}, 401, 'UNAUTHENTICATED', 'bad'],
    ['a cluster nobody has', 'GET', 'us-central1/clusters/none', undefined, 404, 'NOT_FOUND', 'good'],
    ['an operation nobody began', 'GET', 'us-central1/operations/none', undefined, 404, 'NOT_FOUND', 'good'],
    ['a method there is not', 'PATCH', 'us-central1/clusters/none', {}, 404, 'NOT_FOUND', 'good'],
    [
      'a name with capitals',
      'POST',
      'us-central1/clusters',
      { cluster: { name: 'Acme', autopilot: { enabled: true } } },
      400,
      'INVALID_ARGUMENT',
      'good',
    ],
    [
      'a name of 41 characters',
      'POST',
      'us-central1/clusters',
      { cluster: { name: 'a'.repeat(41), autopilot: { enabled: true } } },
      400,
      'INVALID_ARGUMENT',
      'good',
    ],
    [
      'a cluster without nodes',
      'POST',
      'us-central1/clusters',
      { cluster: { name: 'acme' } },
      400,
      'INVALID_ARGUMENT',
      'good',
    ],
    [
      'a place that is none',
      'POST',
      'nowhere/clusters',
      { cluster: { name: 'acme', autopilot: { enabled: true } } },
      400,
      'INVALID_ARGUMENT',
      'good',
    ],
    [
      'a label of 64 characters',
      'POST',
      'us-central1/clusters',
      {
        cluster: { name: 'acme', autopilot: { enabled: true }, resourceLabels: { tenant: 'x'.repeat(64) } },
      },
      400,
      'INVALID_ARGUMENT',
      'good',
    ],
  ])('%s', async (_name, method, path, body, status, code, token) => {
    const { call } = await aService()
    expect(await call(method, path, body, token)).toMatchObject({ status, body: { error: { status: code } } })
  })

  test('names are per location, and listed there or everywhere', async () => {
    const { call, order } = await aService()
    await order('one')
    await call('POST', 'europe-west1/clusters', { cluster: { name: 'one', autopilot: { enabled: true } } })

    const here = await call('GET', 'us-central1/clusters')
    const all = await call('GET', '-/clusters')

    expect(here.body['clusters']).toHaveLength(1)
    expect(all.body['clusters']).toHaveLength(2)
  })

  test('a quota ends at its number, and a cluster that goes makes room', async () => {
    const { call, clock, order } = await aService({ mostClusters: 1 })
    await order('one')
    const over = await order('two')
    expect(over).toMatchObject({ status: 403, body: { error: { status: 'PERMISSION_DENIED' } } })
    expect(over.body.error?.message).toMatch(/quota/)

    clock.advance(5_000)
    await call('DELETE', 'us-central1/clusters/one')
    clock.advance(5_000)

    expect((await order('two')).status).toBe(200)
  })

  test('a cluster and its objects are there after a restart, and gone for good after a deletion', async () => {
    const file = join(folder, 'container.jsonl')
    const first = await aService({ file })
    await first.order('kept')
    first.clock.advance(5_000)
    const { body } = await first.call('GET', 'us-central1/clusters/kept')
    await apply(body)
    await first.server.close()
    running.length = 0

    const second = await aService({ file, now: first.clock.now })
    expect(second.server.dumpObjects('tenant-acme').map(({ kind }) => kind)).toContain('Namespace')
    const again = await second.call('GET', 'us-central1/clusters/kept')
    expect(again.body['masterAuth']).toEqual(body['masterAuth'])
    await second.call('DELETE', 'us-central1/clusters/kept')
    first.clock.advance(5_000)

    expect((await second.call('GET', 'us-central1/clusters/kept')).status).toBe(404)
    expect(second.server.dumpObjects()).toEqual([])
    expect(readdirSync(join(folder, 'clusters'))).toEqual([])
  })
})

async function apply(cluster: Body): Promise<void> {
  const authority = cluster['masterAuth'] as { clusterCaCertificate: string }
  const transport = kubernetesTransport({
    url: `https://${String(cluster['endpoint'])}`,
    caCertificate: Buffer.from(authority.clusterCaCertificate, 'base64').toString(),
  })
  const value = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'tenant-acme', annotations: { 'energent.ai/spec-rev': '1' } },
  }
  const answered = await transport({
    method: 'PATCH',
    path: '/api/v1/namespaces/tenant-acme?fieldManager=test&force=true',
    token: 'good',
    body: { contentType: 'application/apply-patch+yaml', value },
    signal: AbortSignal.timeout(5_000),
  })
  expect(answered.status).toBe(201)
}

test('another cluster’s authority is not taken for this one’s', async () => {
  const { call, clock, order } = await aService()
  await order('first')
  await order('second')
  clock.advance(5_000)
  const [first, second] = await Promise.all(
    ['first', 'second'].map(async (name) => (await call('GET', `us-central1/clusters/${name}`)).body),
  )
  const authority = second?.['masterAuth'] as { clusterCaCertificate: string }
  const transport = kubernetesTransport({
    url: `https://${String(first?.['endpoint'])}`,
    caCertificate: Buffer.from(authority.clusterCaCertificate, 'base64').toString(),
  })

  const asked = transport({
    method: 'GET',
    path: '/readyz',
    token: 'good',
    signal: AbortSignal.timeout(5_000),
  })

  await expect(asked).rejects.toThrow(/certificate|signature/i)
})
