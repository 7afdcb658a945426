import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { aCluster, aConfigMap, aNamespace, aPod, aQuota, type Cluster, pathOf } from './cluster.ts'

const PODS = '/api/v1/namespaces/tenant-acme/pods'

async function aTenantCluster(options: Parameters<typeof aCluster>[0] = {}): Promise<Cluster> {
  const cluster = await aCluster(options)
  expect((await cluster.apply('tenant-events', aNamespace())).status).toBe(201)
  return cluster
}

test('nobody without a known token gets an answer, and a known one only what its roles allow', async () => {
  const cluster = await aTenantCluster()
  const anonymous = await fetch(`${cluster.kubernetes.url}/api/v1/namespaces`)

  expect(anonymous.status).toBe(401)
  expect((await cluster.call('forged', 'GET', '/api/v1/namespaces')).status).toBe(401)
  expect((await cluster.call('nobody', 'GET', '/api/v1/namespaces')).body['message']).toBe(
    'namespaces is forbidden: User "nobody@p.test" cannot list resource "namespaces" in API group "" at the cluster scope',
  )
  expect((await cluster.call('tenant-events', 'POST', PODS, aPod('p'))).status).toBe(403)
})

test('the function writes in tenant namespaces only and never falls back in revision', async () => {
  const cluster = await aTenantCluster()
  const revision = (value: string) =>
    cluster.apply('tenant-events', aConfigMap({}, { annotations: { 'energent.ai/spec-rev': value } }))

  expect((await cluster.apply('tenant-events', aNamespace('kube-system'))).status).toBe(403)
  expect((await cluster.call('tenant-events', 'DELETE', '/api/v1/namespaces/energent-ingress')).status).toBe(
    403,
  )
  expect((await revision('10')).status).toBe(201)
  expect((await revision('9')).status).toBe(422)
  expect((await cluster.apply('tenant-events', aConfigMap({}))).body['message']).toContain('stale spec-rev')
  expect((await revision('11')).status).toBe(200)
})

test('a deleted namespace shows what holds it, takes nothing new, and goes when nothing does', async () => {
  const cluster = await aTenantCluster()
  await cluster.apply('tenant-events', aConfigMap({}, { finalizers: ['test/hold'] }))
  const deleted = await cluster.call('tenant-events', 'DELETE', '/api/v1/namespaces/tenant-acme')
  expect(deleted.body).toMatchObject({ status: { phase: 'Terminating' } })
  cluster.clock.advance(3_600_000)

  const held = await cluster.call('tenant-events', 'GET', '/api/v1/namespaces/tenant-acme')
  expect(JSON.stringify(held.body['status'])).toContain('test/hold in 1 resource instances')
  const refused = await cluster.apply('tenant-events', aQuota({ pods: '1' }))
  expect(refused.body).toMatchObject({ code: 403, details: { causes: [{ reason: 'NamespaceTerminating' }] } })

  const path = pathOf(aConfigMap({}))
  const change = { metadata: { finalizers: null } }
  await cluster.call('cluster-admin', 'PATCH', path, change, 'application/merge-patch+json')
  expect((await cluster.call('tenant-events', 'GET', '/api/v1/namespaces/tenant-acme')).status).toBe(404)
  expect(cluster.kubernetes.dump('tenant-acme')).toEqual([])
})

test('an empty namespace is Terminating for a while before it is gone', async () => {
  const cluster = await aTenantCluster({ namespaceTerminationMs: 5000 })
  const status = async () =>
    (await cluster.call('tenant-events', 'GET', '/api/v1/namespaces/tenant-acme')).status
  await cluster.call('tenant-events', 'DELETE', '/api/v1/namespaces/tenant-acme')

  cluster.clock.advance(4999)
  expect(await status()).toBe(200)
  cluster.clock.advance(1001)
  expect(await status()).toBe(404)
})

test('a namespace of the same name made again is another one', async () => {
  const cluster = await aTenantCluster()
  const uid = cluster.kubernetes.dump('tenant-acme')[0]?.metadata.uid
  await cluster.call('tenant-events', 'DELETE', '/api/v1/namespaces/tenant-acme')
  cluster.clock.advance(60_000)

  const stale = await cluster.apply('tenant-events', aNamespace('tenant-acme', { uid }))
  expect(stale.status).toBe(409)
  await cluster.apply('tenant-events', aNamespace())
  expect(cluster.kubernetes.dump('tenant-acme')[0]?.metadata.uid).not.toBe(uid)
  const wrong = { preconditions: { uid } }
  expect(
    (await cluster.call('tenant-events', 'DELETE', '/api/v1/namespaces/tenant-acme', wrong)).status,
  ).toBe(409)
})

test('quota counts what is there, refuses only growth, and frees what goes', async () => {
  const cluster = await aTenantCluster()
  const cpu = (amount: string) => ({ requests: { cpu: amount }, limits: { cpu: amount } })
  await cluster.apply('tenant-events', aQuota({ 'requests.cpu': '1', pods: '5' }))
  expect((await cluster.call('cluster-admin', 'POST', PODS, aPod('a', cpu('600m')))).status).toBe(201)
  const over = await cluster.call('cluster-admin', 'POST', PODS, aPod('b', cpu('500m')))
  expect(over.body['message']).toBe(
    'pods "b" is forbidden: exceeded quota: quota, requested: requests.cpu=500m, used: requests.cpu=600m, limited: requests.cpu=1',
  )
  const unspecified = await cluster.call('cluster-admin', 'POST', PODS, aPod('c'))
  expect(unspecified.body['message']).toContain('failed quota: quota: must specify requests.cpu for: c')

  await cluster.apply('tenant-events', aQuota({ 'requests.cpu': '0', pods: '5' }))
  expect((await cluster.call('tenant-events', 'GET', PODS)).body['items']).toHaveLength(1)
  await cluster.call('tenant-events', 'DELETE', `${PODS}/a`)
  const quota = await cluster.call('tenant-events', 'GET', pathOf(aQuota({})))
  expect(quota.body['status']).toEqual({
    hard: { pods: '5', 'requests.cpu': '0' },
    used: { pods: '0', 'requests.cpu': '0' },
  })
})

test('a limit range gives containers their defaults and bounds them', async () => {
  const cluster = await aTenantCluster()
  await cluster.apply('tenant-events', {
    apiVersion: 'v1',
    kind: 'LimitRange',
    metadata: { name: 'limits', namespace: 'tenant-acme' },
    spec: {
      limits: [
        {
          type: 'Container',
          default: { cpu: '500m' },
          defaultRequest: { cpu: '250m' },
          min: { cpu: '10m' },
          max: { cpu: '1' },
        },
      ],
    },
  })
  const pod = await cluster.call('cluster-admin', 'POST', PODS, aPod('a'))
  expect(pod.body['spec']).toMatchObject({
    containers: [{ resources: { limits: { cpu: '500m' }, requests: { cpu: '250m' } } }],
  })
  const small = { requests: { cpu: '5m' }, limits: { cpu: '5m' } }
  expect((await cluster.call('cluster-admin', 'POST', PODS, aPod('b', small))).body['message']).toBe(
    'pods "b" is forbidden: minimum cpu usage per Container is 10m, but request is 5m',
  )
})

test('a bound claim grows and never shrinks', async () => {
  const cluster = await aTenantCluster()
  const claim = (storage: string) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'data', namespace: 'tenant-acme' },
    spec: { accessModes: ['ReadWriteMany'], resources: { requests: { storage } } },
  })
  await cluster.apply('tenant-events', claim('10Gi'))
  const merge = 'application/merge-patch+json'
  const bound = { status: { phase: 'Bound' } }
  await cluster.call('cluster-admin', 'PATCH', `${pathOf(claim(''))}/status`, bound, merge)

  expect((await cluster.apply('tenant-events', claim('20Gi'))).status).toBe(200)
  expect((await cluster.apply('tenant-events', claim('19Gi'))).status).toBe(422)
})

test('lists are filtered by labels and come in pages', async () => {
  const cluster = await aTenantCluster()
  for (const [name, tier] of Object.entries({
    'tenant-a': 'basic',
    'tenant-b': 'premium',
    'tenant-c': 'basic',
  })) {
    await cluster.apply('tenant-events', aNamespace(name, { labels: { tier } }))
  }
  const names = async (query: string): Promise<string[]> => {
    const { body } = await cluster.call('tenant-events', 'GET', `/api/v1/namespaces?${query}`)
    return (body['items'] as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name)
  }
  const selector = (text: string) => names(`labelSelector=${encodeURIComponent(text)}`)

  expect(await selector('tier=basic')).toEqual(['tenant-a', 'tenant-c'])
  expect(await selector('tier,tier!=basic')).toEqual(['tenant-b'])
  expect(await selector('tier in (premium, basic),kubernetes.io/metadata.name notin (tenant-a)')).toEqual([
    'tenant-b',
    'tenant-c',
  ])
  expect((await cluster.call('tenant-events', 'GET', '/api/v1/namespaces?labelSelector=%3D%3D')).status).toBe(
    400,
  )

  const first = await cluster.call('tenant-events', 'GET', '/api/v1/namespaces?labelSelector=tier&limit=2')
  const token = (first.body['metadata'] as Record<string, string>)['continue']
  expect(await names(`labelSelector=tier&limit=2&continue=${token}`)).toEqual(['tenant-c'])
})

test('deleting a collection takes what the selector picks and nothing else', async () => {
  const cluster = await aTenantCluster()
  for (const [name, role] of Object.entries({ a: 'agent', b: 'agent', c: 'other' })) {
    const pod = aPod(name)
    await cluster.call('cluster-admin', 'POST', PODS, {
      ...pod,
      metadata: { ...pod.metadata, labels: { role } },
    })
  }
  expect((await cluster.call('cluster-admin', 'DELETE', `${PODS}?labelSelector=role%3Dagent`)).status).toBe(
    200,
  )
  const { body } = await cluster.call('tenant-events', 'GET', PODS)
  expect((body['items'] as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name)).toEqual([
    'c',
  ])
})

test('an access review answers what the roles of a user say', async () => {
  const cluster = await aTenantCluster()
  const review = async (resourceAttributes: unknown) => {
    const path = '/apis/authorization.k8s.io/v1/subjectaccessreviews'
    const spec = { user: 'tenant-events@proj.iam.gserviceaccount.com', resourceAttributes }
    return (await cluster.call('tenant-events', 'POST', path, { spec })).body['status']
  }
  expect(await review({ verb: 'list', resource: 'secrets', namespace: 'tenant-acme' })).toMatchObject({
    allowed: false,
  })
  expect(await review({ verb: 'patch', resource: 'namespaces' })).toMatchObject({ allowed: true })
})

test('what was there before a restart is there after it, under the same uid and revision', async () => {
  const file = join(temporaryFolder(), 'objects.jsonl')
  const first = await aTenantCluster({ file })
  await first.apply('tenant-events', aConfigMap({ a: '1' }))
  await first.call('tenant-events', 'DELETE', pathOf(aConfigMap({})))
  const before = first.kubernetes.dump()
  await first.kubernetes.close()

  const second = await aCluster({ file })

  expect(second.kubernetes.dump()).toEqual(before)
  const next = await second.apply('tenant-events', aConfigMap({ a: '1' }))
  const revision = Number((next.body['metadata'] as Record<string, string>)['resourceVersion'])
  expect(revision).toBeGreaterThan(Math.max(...before.map((one) => Number(one.metadata.resourceVersion))) + 1)
  second.kubernetes.reset()
  expect(second.kubernetes.dump('tenant-acme')).toEqual([])
})

test('a fault fails one call in the way it was asked to', async () => {
  const cluster = await aTenantCluster()
  const asked: string[] = []
  const failOnce = (fault: { mode: 'refuse' | 'error' | 'lostAnswer'; code?: number }) => {
    cluster.kubernetes.setFault((operation) => {
      asked.push(operation)
      cluster.kubernetes.setFault(undefined)
      return fault
    })
  }
  failOnce({ mode: 'error', code: 429 })
  const busy = await cluster.apply('tenant-events', aConfigMap({}))
  expect([busy.status, busy.body['reason'], busy.headers.get('retry-after')]).toEqual([
    429,
    'TooManyRequests',
    '1',
  ])
  failOnce({ mode: 'refuse' })
  await expect(cluster.apply('tenant-events', aConfigMap({}))).rejects.toThrow()
  expect((await cluster.call('tenant-events', 'GET', pathOf(aConfigMap({})))).status).toBe(404)
  failOnce({ mode: 'lostAnswer' })
  await expect(cluster.apply('tenant-events', aConfigMap({}))).rejects.toThrow()
  expect((await cluster.call('tenant-events', 'GET', pathOf(aConfigMap({})))).status).toBe(200)
  expect(new Set(asked)).toEqual(new Set(['patch configmaps']))
})

test.each([
  ['DELETE', '/api/v1/namespaces', 405],
  ['GET', '/api/v1/namespaces?watch=true', 405],
  ['GET', '/api/v1/nothing', 404],
  ['GET', '/api/v1/namespaces/%zz', 404],
  ['GET', '/apis/apps/v2/deployments', 404],
  ['POST', '/api/v1/namespaces/tenant-acme', 405],
])('%s %s answers a Status of %i', async (method, path, code) => {
  const cluster = await aTenantCluster()
  const reply = await cluster.call(
    'cluster-admin',
    method,
    path,
    method === 'POST' ? aNamespace() : undefined,
  )
  expect(reply.body).toMatchObject({ kind: 'Status', status: 'Failure', code })
  expect(cluster.kubernetes.dump('tenant-acme')).not.toEqual([])
})

test('a finalizer keeps a deleted object until it is taken away', async () => {
  const cluster = await aTenantCluster()
  await cluster.apply('tenant-events', aConfigMap({}, { finalizers: ['test/hold'] }))
  const path = pathOf(aConfigMap({}))
  const deleted = await cluster.call('tenant-events', 'DELETE', path)
  expect(deleted.body['metadata']).toMatchObject({ deletionTimestamp: '2026-11-23T03:00:00Z' })

  await cluster.apply('tenant-events', aConfigMap({}))

  expect((await cluster.call('tenant-events', 'GET', path)).status).toBe(404)
})
