import { describe, expect, test } from 'vitest'
import { aCluster, aNamespace, aPod, aQuota, type Cluster, pathOf, type TestObject } from './cluster.ts'

const MERGE = 'application/merge-patch+json'

const aClaim = (storage = '10Gi'): TestObject => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'data', namespace: 'tenant-acme' },
  spec: {
    accessModes: ['ReadWriteMany'],
    storageClassName: 'filestore-multishare-rwx',
    resources: { requests: { storage } },
  },
})

const aRelease = (spec: object = {}, values: object = {}): TestObject => ({
  apiVersion: 'helm.toolkit.fluxcd.io/v2',
  kind: 'HelmRelease',
  metadata: { name: 'tenant-agents', namespace: 'tenant-acme' },
  spec: {
    interval: '10m',
    releaseName: 'tenant-agents',
    chartRef: { kind: 'OCIRepository', name: 'tenant-agents', namespace: 'flux-system' },
    values: {
      serviceAccountName: 'default',
      priorityClassName: 'energent-tenant-basic',
      claimName: 'data',
      ...values,
    },
    ...spec,
  },
})

const aSchedule = (ttl = '2160h'): TestObject => ({
  apiVersion: 'velero.io/v1',
  kind: 'Schedule',
  metadata: { name: 'tenant-acme', namespace: 'velero' },
  spec: {
    schedule: '30 2 * * *',
    template: { includedNamespaces: ['tenant-acme'], ttl, metadata: { labels: { of: 'acme' } } },
  },
})

async function aTenant(): Promise<Cluster> {
  const cluster = await aCluster()
  await cluster.apply('tenant-events', aNamespace())
  return cluster
}

const has = (cluster: Cluster, kind: string): number =>
  cluster.kubernetes.dump().filter((object) => object.kind === kind).length

const find = (cluster: Cluster, kind: string) => cluster.kubernetes.dump().find((one) => one.kind === kind)

const asAdmin = async (cluster: Cluster, method: string, object: TestObject, body?: unknown) =>
  (await cluster.call('cluster-admin', method, pathOf(object), body, MERGE)).status

describe('Flux', () => {
  test('runs an agent while a release is active, and puts it back when it is ended', async () => {
    const cluster = await aTenant()
    await cluster.apply('tenant-events', aClaim())
    await cluster.apply('tenant-events', aRelease())
    const first = find(cluster, 'Pod')
    expect(first).toMatchObject({ metadata: { name: 'tenant-agents-0' }, status: { phase: 'Running' } })

    await cluster.call('tenant-events', 'DELETE', '/api/v1/namespaces/tenant-acme/pods/tenant-agents-0')

    expect(find(cluster, 'Pod')?.metadata.uid).not.toBe(first?.metadata.uid)
  })

  test('runs none when the values say so, and none that the quota does not let in', async () => {
    const cluster = await aTenant()
    await cluster.apply('tenant-events', aRelease())
    await cluster.apply('tenant-events', aRelease({}, { suspended: true }))
    expect(has(cluster, 'Pod')).toBe(0)
    await cluster.apply('tenant-events', aQuota({ pods: '0' }))
    await cluster.apply('tenant-events', aRelease())
    expect(has(cluster, 'Pod')).toBe(0)
    await cluster.apply('tenant-events', aQuota({ pods: '1' }))
    expect(has(cluster, 'Pod')).toBe(1)
  })

  test('leaves a suspended release alone; deleted it goes, and its pods stay', async () => {
    const cluster = await aTenant()
    await cluster.apply('tenant-events', aRelease())
    expect(has(cluster, 'Pod')).toBe(1)
    await cluster.apply('tenant-events', aRelease({ suspend: true }, { suspended: true }))
    expect(has(cluster, 'Pod')).toBe(1)
    await cluster.call('tenant-events', 'DELETE', pathOf(aRelease()))
    expect([has(cluster, 'HelmRelease'), has(cluster, 'Pod')]).toEqual([0, 1])
  })

  test('uninstalls a release that is deleted while it is active', async () => {
    const cluster = await aTenant()
    await cluster.apply('tenant-events', aRelease())
    expect(has(cluster, 'Pod')).toBe(1)
    await cluster.call('tenant-events', 'DELETE', pathOf(aRelease()))
    expect([has(cluster, 'HelmRelease'), has(cluster, 'Pod')]).toEqual([0, 0])
  })

  test('has no field that its schema does not know', async () => {
    const cluster = await aTenant()
    const reply = await cluster.apply('tenant-events', aRelease({ suspended: true }))
    expect([reply.status, reply.body['message']]).toEqual([
      500,
      expect.stringContaining('.spec.suspended: field not declared in schema'),
    ])
  })
})

describe('the storage driver', () => {
  test('binds a claim when a pod wants it, lets it grow, and keeps it while the pod is there', async () => {
    const cluster = await aTenant()
    await cluster.apply('tenant-events', aClaim())
    expect(find(cluster, 'PersistentVolumeClaim')).toMatchObject({ status: { phase: 'Pending' } })
    const volumes = [{ name: 'd', persistentVolumeClaim: { claimName: 'data' } }]
    const pods = '/api/v1/namespaces/tenant-acme/pods'
    await cluster.call('cluster-admin', 'POST', pods, aPod('p', {}, { volumes }))
    expect(find(cluster, 'PersistentVolumeClaim')).toMatchObject({ status: { phase: 'Bound' } })

    expect((await cluster.apply('tenant-events', aClaim('20Gi'))).status).toBe(200)
    expect(find(cluster, 'PersistentVolume')).toMatchObject({
      spec: { capacity: { storage: '20Gi' }, claimRef: { namespace: 'tenant-acme', name: 'data' } },
      status: { phase: 'Bound' },
    })
    await cluster.call('tenant-events', 'DELETE', pathOf(aClaim()))
    expect(find(cluster, 'PersistentVolumeClaim')?.metadata.deletionTimestamp).toBeDefined()
    await cluster.call('cluster-admin', 'DELETE', `${pods}/p`)
    expect(has(cluster, 'PersistentVolumeClaim')).toBe(0)
  })

  test.each([
    ['Delete', 0],
    ['Retain', 1],
  ])('after its namespace a volume with the policy %s leaves %i', async (policy, left) => {
    const cluster = await aTenant()
    await cluster.apply('tenant-events', aClaim())
    await cluster.apply('tenant-events', aRelease())
    const volume = find(cluster, 'PersistentVolume') as unknown as TestObject
    const change = { spec: { persistentVolumeReclaimPolicy: policy } }
    expect(await asAdmin(cluster, 'PATCH', volume, change)).toBe(200)

    await cluster.call('tenant-events', 'DELETE', pathOf(aNamespace()))

    expect(find(cluster, 'PersistentVolume')).toMatchObject({ status: { phase: 'Released' } })
    cluster.clock.advance(1_000)
    expect(has(cluster, 'PersistentVolume')).toBe(left)
  })

  test('shows its volumes to our function, which may not touch them', async () => {
    const cluster = await aTenant()
    await cluster.apply('tenant-events', aClaim())
    await cluster.apply('tenant-events', aRelease())
    const list = await cluster.call('tenant-events', 'GET', '/api/v1/persistentvolumes')
    expect(list.body['items']).toHaveLength(1)
    const volume = find(cluster, 'PersistentVolume') as unknown as TestObject
    expect((await cluster.call('tenant-events', 'DELETE', pathOf(volume))).status).toBe(403)
  })
})

describe('Velero', () => {
  test('backs up once a night, the last one alone after a jump, and for as long as it was asked', async () => {
    const cluster = await aTenant()
    await cluster.apply('tenant-events', aSchedule('72h'))
    expect(has(cluster, 'Backup')).toBe(0)
    cluster.clock.advance(86_400_000)
    expect(find(cluster, 'Backup')).toMatchObject({
      metadata: {
        name: 'tenant-acme-20261124023000',
        labels: { of: 'acme', 'velero.io/schedule-name': 'tenant-acme' },
      },
      status: { phase: 'Completed', expiration: '2026-11-27T02:30:00Z' },
    })
    cluster.clock.advance(2 * 86_400_000)
    expect(has(cluster, 'Backup')).toBe(2)
    cluster.clock.advance(86_400_000)
    expect(has(cluster, 'Backup')).toBe(2)
  })

  test('deletes a backup that it is asked to delete, and nothing when the schedule goes', async () => {
    const cluster = await aTenant()
    await cluster.apply('tenant-events', aSchedule())
    cluster.clock.advance(86_400_000)
    await cluster.call('tenant-events', 'DELETE', pathOf(aSchedule()))
    expect([has(cluster, 'Schedule'), has(cluster, 'Backup')]).toEqual([0, 1])
    const name = find(cluster, 'Backup')?.metadata.name ?? ''
    await cluster.apply('tenant-events', {
      apiVersion: 'velero.io/v1',
      kind: 'DeleteBackupRequest',
      metadata: { name, namespace: 'velero' },
      spec: { backupName: name },
    })
    expect([has(cluster, 'Backup'), has(cluster, 'DeleteBackupRequest')]).toEqual([0, 0])
  })
})
