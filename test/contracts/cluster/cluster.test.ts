import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Kubernetes, startKubernetes } from '#local/kubernetes/index.ts'
import { manualClock } from '#shared/clock.ts'
import { kubernetesCluster } from '../../../functions/tenant-events/adapters/kubernetes.ts'
import { kubernetesTransport } from '../../../functions/tenant-events/adapters/kubernetes-transport.ts'
import {
  type ClusterSpec,
  computeQuota,
  identityObjects,
  namespaceObject,
} from '../../../functions/tenant-events/domain/kubernetes-objects.ts'
import { tenantObjects } from '../../../functions/tenant-events/domain/tenant-objects.ts'
import { kindOf } from '../../../functions/tenant-events/operations/steps/apply-objects.ts'
import type { Cluster, ClusterAnswer } from '../../../functions/tenant-events/ports/cluster.ts'
import { memoryCluster } from '../../tenant-events/memory-cluster.ts'
import { ACME } from '../../tenant-events/world.ts'

const ACCOUNT = 'tenant-events@demo-energent.iam.gserviceaccount.com'
const clock = manualClock(Date.parse('2026-11-23T09:00:00Z'))
const signal = AbortSignal.timeout(60_000)
const spec: ClusterSpec = { tenantId: ACME, tier: 'basic', specRevision: 2 }
const CONFIG = { cluster: 'c', region: 'r', deploymentModel: 'm', keyName: null, secrets: [] }
const NAMESPACE = { apiVersion: 'v1', kind: 'Namespace' }
const QUOTA = computeQuota(spec)

let kubernetes: Kubernetes
beforeAll(async () => {
  kubernetes = await startKubernetes({
    now: clock.now,
    provisioner: ACCOUNT,
    authenticate: () => ({ user: ACCOUNT, groups: [] }),
  })
})
afterAll(() => kubernetes.close())

const overHttp = (): Cluster => {
  kubernetes.reset()
  const tokens = { token: async () => 'x', forget: () => {} }
  return kubernetesCluster(kubernetesTransport({ url: kubernetes.url }), tokens)
}

function got<T>(answer: ClusterAnswer<T>): T {
  if (!answer.ok) throw new Error(`${answer.failure.code}: ${answer.failure.text}`)
  return answer.value
}

// What the steps' tests believe of the cluster in memory is what the adapter does against the stand-in,
// which is held to recordings of a real API server.
describe.each([
  ['in memory', memoryCluster],
  ['over HTTP', overHttp],
] as const)('a cluster %s', (_where, open) => {
  let cluster: Cluster
  beforeEach(async () => {
    cluster = open()
    got(await cluster.apply(namespaceObject(spec), signal))
  })
  const find = async () => got(await cluster.find(kindOf(QUOTA), 'tenant-compute', signal))

  test('takes everything of a tenant, twice, under the same uids', async () => {
    const uids = async () => {
      const all: string[] = []
      for (const object of tenantObjects(spec, CONFIG)) {
        const applied = got(await cluster.apply(object, signal))
        expect(applied).toMatchObject({ takenFrom: [], object: { terminating: false } })
        all.push(applied.object.uid)
      }
      return all
    }
    expect(await uids()).toEqual(await uids())
  })

  test('finds what was applied, and nothing else', async () => {
    expect(await find()).toBeUndefined()
    const { object } = got(await cluster.apply(QUOTA, signal))
    const found = await find()
    expect(found).toMatchObject({
      name: 'tenant-compute',
      uid: object.uid,
      labels: { 'energent.ai/tenant-id': 'acme' },
      body: { spec: QUOTA['spec'] },
    })
  })

  test('a dry run says what would be and changes nothing', async () => {
    const would = got(await cluster.preview(QUOTA, signal))
    expect(would).toMatchObject({ takenFrom: [], object: { body: { spec: QUOTA['spec'] } } })
    expect(await find()).toBeUndefined()
    got(await cluster.apply(QUOTA, signal))
    const closed = computeQuota({ ...spec, suspended: true })
    expect(got(await cluster.preview(closed, signal)).object.body['spec']).toEqual(closed['spec'])
    expect((await find())?.body['spec']).toEqual(QUOTA['spec'])
  })

  test('lists by kind, namespace and labels', async () => {
    for (const object of identityObjects(spec)) got(await cluster.apply(object, signal))
    const accounts = { apiVersion: 'v1', kind: 'ServiceAccount', namespace: 'tenant-acme' }
    const names = async (labels: Record<string, string>) =>
      got(await cluster.list({ ...accounts, labels }, signal))
        .map(({ name }) => name)
        .sort()
    expect(await names({ 'energent.ai/tenant-id': 'acme' })).toEqual(['default', 'tenant-workload'])
    expect(await names({ 'energent.ai/tenant-id': 'other' })).toEqual([])
    expect(got(await cluster.list({ ...accounts, namespace: 'tenant-other' }, signal))).toEqual([])
  })

  test('refuses an older revision for good, applied or tried', async () => {
    got(await cluster.apply(QUOTA, signal))
    const stale = computeQuota({ ...spec, specRevision: 1 })
    for (const answer of [await cluster.apply(stale, signal), await cluster.preview(stale, signal)]) {
      expect(answer).toMatchObject({ ok: false, failure: { kind: 'permanent' } })
    }
  })

  test('deletes only the very object, and what is gone is no failure', async () => {
    const { uid } = got(await cluster.apply(QUOTA, signal)).object
    expect(await cluster.delete(kindOf(QUOTA), 'tenant-compute', 'another', signal)).toMatchObject({
      ok: false,
      failure: { kind: 'transient' },
    })
    expect(await find()).toBeDefined()
    got(await cluster.delete(kindOf(QUOTA), 'tenant-compute', uid, signal))
    expect(await find()).toBeUndefined()
    got(await cluster.delete(kindOf(QUOTA), 'tenant-compute', uid, signal))
  })

  test('a namespace is seen on its way out, takes nothing new, and is gone with everything', async () => {
    got(await cluster.apply(QUOTA, signal))
    const home = got(await cluster.find(NAMESPACE, 'tenant-acme', signal))
    got(await cluster.delete(NAMESPACE, 'tenant-acme', home?.uid ?? '', signal))
    const [account] = identityObjects(spec)
    if (account === undefined) throw new Error('no account')
    expect(await cluster.apply(account, signal)).toMatchObject({ ok: false, failure: { kind: 'wait' } })
    expect(got(await cluster.find(NAMESPACE, 'tenant-acme', signal))?.terminating).toBe(true)
    clock.advance(60_000)
    expect(got(await cluster.find(NAMESPACE, 'tenant-acme', signal))).toBeUndefined()
    expect(await find()).toBeUndefined()
    expect(await cluster.apply(QUOTA, signal)).toMatchObject({ ok: false, failure: { kind: 'permanent' } })
  })

  test('a namespace that is pinned to a uid is not made anew', async () => {
    const pinned = namespaceObject({ ...spec, tenantId: 'beta' as typeof ACME })
    const answer = await cluster.apply({ ...pinned, metadata: { ...pinned.metadata, uid: 'gone' } }, signal)
    expect(answer).toMatchObject({ ok: false, failure: { kind: 'transient', code: 'cluster.conflict' } })
  })

  test('answers what the roles of an account are, once they are bound', async () => {
    const ask = async () => {
      const account = { namespace: 'tenant-acme', name: 'tenant-workload' }
      const question = { account, verb: 'get', group: '', namespace: 'tenant-acme' }
      const questions = ['pods', 'secrets'].map((resource) => ({ ...question, resource }))
      return got(await cluster.review(questions, signal))
    }
    expect(await ask()).toEqual([false, false])
    for (const object of identityObjects(spec)) got(await cluster.apply(object, signal))
    expect(await ask()).toEqual([true, false])
  })

  test('an agent runs while the release is active, with a volume that outlives the namespace for a while', async () => {
    for (const object of tenantObjects(spec, CONFIG)) got(await cluster.apply(object, signal))
    const pods = { apiVersion: 'v1', kind: 'Pod', namespace: 'tenant-acme' }
    const volumes = { apiVersion: 'v1', kind: 'PersistentVolume' }
    expect(got(await cluster.list(pods, signal))).toHaveLength(1)
    expect(got(await cluster.list(volumes, signal))).toMatchObject([
      { body: { spec: { claimRef: { namespace: 'tenant-acme' } } } },
    ])
    const home = got(await cluster.find(NAMESPACE, 'tenant-acme', signal))
    got(await cluster.delete(NAMESPACE, 'tenant-acme', home?.uid ?? '', signal))
    for (let look = 0; look < 2; look += 1) await cluster.find(NAMESPACE, 'tenant-acme', signal)
    expect(got(await cluster.list(volumes, signal))).toHaveLength(1)
    clock.advance(60_000)
    expect(got(await cluster.list(volumes, signal))).toEqual([])
  })
})
