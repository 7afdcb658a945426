import { expect, test } from 'vitest'
import { aCluster, aConfigMap, aNamespace, aQuota, pathOf, type Reply } from './cluster.ts'

const OURS = 'fieldManager=energent-tenant-events'
const THEIRS = 'fieldManager=somebody'

async function aTenantCluster() {
  const cluster = await aCluster()
  await cluster.apply('tenant-events', aNamespace())
  return cluster
}

const data = (reply: Reply): unknown => reply.body['data']
const metadata = (reply: Reply): Record<string, unknown> => reply.body['metadata'] as Record<string, unknown>
const causes = (reply: Reply): unknown => (reply.body['details'] as { causes: unknown }).causes

test('an apply that changes nothing keeps resourceVersion, times and owners', async () => {
  const cluster = await aTenantCluster()
  const first = await cluster.apply('tenant-events', aConfigMap({ a: '1' }))
  cluster.clock.advance(60_000)
  const second = await cluster.apply('tenant-events', aConfigMap({ a: '1' }))

  expect(first.status).toBe(201)
  expect(second.status).toBe(200)
  expect(second.body).toEqual(first.body)
})

test('a field that is applied no more goes, and nobody else loses theirs', async () => {
  const cluster = await aTenantCluster()
  await cluster.apply('tenant-events', aConfigMap({ a: '1', b: '2' }))
  await cluster.apply('cluster-admin', aConfigMap({ c: '3' }), THEIRS)

  const reply = await cluster.apply('tenant-events', aConfigMap({ a: '1' }))

  expect(data(reply)).toEqual({ a: '1', c: '3' })
})

test('a field two managers apply alike stays until the last of them lets go', async () => {
  const cluster = await aTenantCluster()
  await cluster.apply('tenant-events', aConfigMap({ a: '1', b: '2' }))
  await cluster.apply('cluster-admin', aConfigMap({ a: '1' }), THEIRS)

  expect(data(await cluster.apply('tenant-events', aConfigMap({ b: '2' })))).toEqual({ a: '1', b: '2' })
  expect(data(await cluster.apply('cluster-admin', aConfigMap({}), THEIRS))).toEqual({ b: '2' })
})

test('a conflict names every manager and field, and force takes the fields over for good', async () => {
  const cluster = await aTenantCluster()
  await cluster.apply('cluster-admin', aConfigMap({ a: 'x', b: 'x' }), THEIRS)

  const refused = await cluster.apply('tenant-events', aConfigMap({ a: '1', b: '2' }))
  expect(refused.status).toBe(409)
  expect(refused.body['message']).toBe(
    'Apply failed with 2 conflicts: conflicts with "somebody":\n- .data.a\n- .data.b',
  )
  expect(causes(refused)).toEqual([
    { reason: 'FieldManagerConflict', message: 'conflict with "somebody"', field: '.data.a' },
    { reason: 'FieldManagerConflict', message: 'conflict with "somebody"', field: '.data.b' },
  ])

  const forced = await cluster.apply('tenant-events', aConfigMap({ a: '1', b: '2' }), `${OURS}&force=true`)
  expect(data(forced)).toEqual({ a: '1', b: '2' })
  expect(metadata(forced)['managedFields']).toHaveLength(1)
  expect((await cluster.apply('cluster-admin', aConfigMap({ a: 'x' }), THEIRS)).status).toBe(409)
})

test('an update takes the fields it changed from who applied them, and the next apply says so', async () => {
  const cluster = await aTenantCluster()
  await cluster.apply('tenant-events', aConfigMap({ a: '1', b: '2' }))
  const path = `${pathOf(aConfigMap({}))}?fieldManager=kubectl-edit`
  await cluster.call('cluster-admin', 'PATCH', path, { data: { a: '9' } }, 'application/merge-patch+json')

  const refused = await cluster.apply('tenant-events', aConfigMap({ a: '1', b: '2' }))

  expect(refused.body['message']).toBe(
    'Apply failed with 1 conflict: conflict with "kubectl-edit" using v1 at 2026-11-23T03:00:00Z: .data.a',
  )
})

test('items of a keyed list are merged by their key and removed by their owner', async () => {
  const cluster = await aTenantCluster()
  const service = (ports: readonly unknown[]) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'agents', namespace: 'tenant-acme' },
    spec: { ports },
  })
  const ports = (reply: Reply): unknown =>
    ((reply.body['spec'] as { ports?: { port: number }[] }).ports ?? []).map(({ port }) => port)
  await cluster.apply('cluster-admin', service([{ port: 80, name: 'a' }]), OURS)
  const both = await cluster.apply('cluster-admin', service([{ port: 443, name: 'b' }]), THEIRS)
  expect(ports(both)).toEqual([80, 443])

  const left = await cluster.apply('cluster-admin', service([{ port: 8080, name: 'c' }]), OURS)

  expect(ports(left)).toEqual([443, 8080])
})

test('a dry run answers as the real thing and leaves nothing behind', async () => {
  const cluster = await aTenantCluster()
  const created = await cluster.apply('tenant-events', aConfigMap({ a: '1' }), `${OURS}&dryRun=All`)
  expect(created.status).toBe(201)
  expect((await cluster.call('tenant-events', 'GET', pathOf(aConfigMap({})))).status).toBe(404)

  await cluster.apply('tenant-events', aConfigMap({ a: '1' }))
  const before = cluster.kubernetes.dump()
  const changed = await cluster.apply('tenant-events', aConfigMap({ a: '2' }), `${OURS}&dryRun=All`)
  expect(data(changed)).toEqual({ a: '2' })
  await cluster.call('tenant-events', 'DELETE', `${pathOf(aConfigMap({}))}?dryRun=All`)
  expect(cluster.kubernetes.dump()).toEqual(before)
})

test.each([
  ['no field manager', 'force=false', aConfigMap({}), 422, 'Invalid'],
  ['an unknown dryRun', `${OURS}&dryRun=Some`, aConfigMap({}), 422, 'Invalid'],
  ['managedFields in the body', OURS, aConfigMap({}, { managedFields: [] }), 400, 'BadRequest'],
  ['another name than the path', OURS, aConfigMap({}, { name: 'other' }), 400, 'BadRequest'],
  ['another namespace than the path', OURS, aConfigMap({}, { namespace: 'other' }), 400, 'BadRequest'],
  ['a number where text belongs', OURS, aConfigMap({ a: 1 }), 500, undefined],
  ['a key that is no key', OURS, aConfigMap({ 'a b': '1' }), 422, 'Invalid'],
  ['a namespace that is not there', OURS, aConfigMap({}, { namespace: 'tenant-none' }), 404, 'NotFound'],
])('an apply with %s is refused', async (what, query, object, status, reason) => {
  const cluster = await aTenantCluster()
  const path = what.includes('not there') ? pathOf(object) : pathOf(aConfigMap({}))
  const reply = await cluster.call(
    'tenant-events',
    'PATCH',
    `${path}?${query}`,
    object,
    'application/apply-patch+yaml',
  )
  expect([reply.status, reply.body['reason']]).toEqual([status, reason])
})

test('an apply may be YAML', async () => {
  const cluster = await aTenantCluster()
  const response = await fetch(`${cluster.kubernetes.url}${pathOf(aConfigMap({}))}?${OURS}`, {
    method: 'PATCH',
    headers: { authorization: 'Bearer tenant-events', 'content-type': 'application/apply-patch+yaml' },
    body: 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  a: "1"\n',
  })
  expect(response.status).toBe(201)
})

test('a POST with an unknown field is refused only under strict validation', async () => {
  const cluster = await aTenantCluster()
  const path = '/api/v1/namespaces/tenant-acme/resourcequotas'
  const quota = aQuota({ pods: '1' }, { hrad: {} })
  const strict = await cluster.call('cluster-admin', 'POST', `${path}?fieldValidation=Strict`, quota)
  const lenient = await cluster.call('cluster-admin', 'POST', path, quota)

  expect(strict.status).toBe(400)
  expect(strict.body['message']).toContain('strict decoding error: unknown field "spec.hrad"')
  expect(lenient.status).toBe(201)
  expect(lenient.body['spec']).toEqual({ hard: { pods: '1' } })
})

test('a replaced object must be the one that was read', async () => {
  const cluster = await aTenantCluster()
  const created = await cluster.apply('tenant-events', aConfigMap({ a: '1' }))
  await cluster.apply('tenant-events', aConfigMap({ a: '2' }))

  const late = await cluster.call('cluster-admin', 'PUT', pathOf(aConfigMap({})), created.body)

  expect([late.status, late.body['reason']]).toEqual([409, 'Conflict'])
})
