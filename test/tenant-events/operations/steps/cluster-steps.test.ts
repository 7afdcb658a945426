import { describe, expect, test } from 'vitest'
import { applyNamespace } from '../../../../functions/tenant-events/operations/steps/apply-namespace.ts'
import { deleteBackups } from '../../../../functions/tenant-events/operations/steps/delete-backups.ts'
import { deleteNamespace } from '../../../../functions/tenant-events/operations/steps/delete-namespace.ts'
import { proveVolumesGone } from '../../../../functions/tenant-events/operations/steps/prove-volumes-gone.ts'
import { correctDrift, detectDrift } from '../../../../functions/tenant-events/operations/steps/reconcile.ts'
import { registerBackup } from '../../../../functions/tenant-events/operations/steps/register-backup.ts'
import { releaseWorkloads } from '../../../../functions/tenant-events/operations/steps/release-workloads.ts'
import { removeWorkloads } from '../../../../functions/tenant-events/operations/steps/remove-workloads.ts'
import { seedConfig } from '../../../../functions/tenant-events/operations/steps/seed-config.ts'
import type { Step, StepWork } from '../../../../functions/tenant-events/operations/steps/step.ts'
import {
  allowEgress,
  denyEgress,
  freezePods,
  restartWorkloads,
  stopTenantPods,
  thawPods,
} from '../../../../functions/tenant-events/operations/steps/suspension.ts'
import { verifyIsolation } from '../../../../functions/tenant-events/operations/steps/verify-isolation.ts'
import { type MemoryCluster, memoryCluster } from '../../memory-cluster.ts'
import { PROVISIONING, runStep, runSteps, stepWork } from './step-work.ts'

type Given = Parameters<typeof stepWork>[1]

async function provisioned(): Promise<MemoryCluster> {
  const cluster = memoryCluster()
  await runSteps(PROVISIONING, stepWork(cluster))
  cluster.calls.length = 0
  return cluster
}

const written = (cluster: MemoryCluster): string[] =>
  cluster.calls.filter((call) => call.startsWith('apply') || call.startsWith('delete'))

const specOf = (cluster: MemoryCluster, path: string): Record<string, unknown> =>
  cluster.objects.get(path)?.body['spec'] as Record<string, unknown>

const suspend = (mode: 'soft' | 'hard'): Given => ({
  tenant: { specRevision: 2 },
  operation: { kind: 'suspend', request: { mode } },
})
const PODS = 'Pod/tenant-acme/tenant-agents-0'
const RELEASE = 'HelmRelease/tenant-acme/tenant-agents'
const QUOTA = 'ResourceQuota/tenant-acme/tenant-compute'

async function suspended(): Promise<MemoryCluster> {
  const cluster = await provisioned()
  await runSteps([freezePods, stopTenantPods, denyEgress], stepWork(cluster, suspend('hard')))
  cluster.calls.length = 0
  return cluster
}

describe('provisioning', () => {
  test('puts up everything of a tenant, and finds it done the second time', async () => {
    const cluster = await provisioned()
    const before = specsOf(cluster)
    const uids = [...cluster.objects.values()].map(({ uid }) => uid)

    await runSteps(PROVISIONING, stepWork(cluster))

    expect(specsOf(cluster)).toEqual(before)
    expect([...cluster.objects.values()].map(({ uid }) => uid)).toEqual(uids)
    expect([...cluster.objects.keys()]).toEqual(
      expect.arrayContaining([
        RELEASE,
        PODS,
        'Schedule/velero/tenant-acme',
        'ConfigMap/tenant-acme/tenant-config',
      ]),
    )
  })

  test('names secrets and keys to the workloads, and tells them no value', async () => {
    const cluster = await provisioned()
    const work = stepWork(cluster, { tenant: { keyName: 'projects/p/cryptoKeys/tenant-acme' } })
    await work.world.secrets.ensure(work.tenant.tenantId, 'tenant-acme-model-key', work.signal)

    await runStep(seedConfig, work)

    const data = cluster.objects.get('ConfigMap/tenant-acme/tenant-config')?.body['data'] as Record<
      string,
      string
    >
    expect(data).toMatchObject({
      tier: 'standard',
      slots: '2',
      'kms-key': 'projects/p/cryptoKeys/tenant-acme',
    })
    expect(data['secret.tenant-acme-model-key']).toMatch(/secrets\/tenant-acme-model-key$/)
  })

  test('shows what bounds the tenant by the same hash at each look, and by another once it changed', async () => {
    const cluster = await provisioned()
    const first = await runStep(verifyIsolation, stepWork(cluster))
    expect(await runStep(verifyIsolation, stepWork(cluster))).toEqual(first)
    expect(first).toMatchObject({ hash: expect.stringMatching(/^[0-9a-f]{64}$/) })

    cluster.edit(
      'NetworkPolicy/tenant-acme/default-deny',
      (body) => Object.assign(body['spec'] as object, { extra: true }),
      'x',
    )

    expect((await runStep(verifyIsolation, stepWork(cluster)))['hash']).not.toBe(first['hash'])
  })

  test.each([
    [
      'a right too many',
      (cluster: MemoryCluster) => {
        cluster.review = async (questions) => ({ ok: true, value: questions.map(() => true) })
      },
      'isolation.access',
    ],
    [
      'a right too few',
      (cluster: MemoryCluster) => {
        cluster.review = async (questions) => ({ ok: true, value: questions.map(() => false) })
      },
      'isolation.access',
    ],
    [
      'fewer answers than questions',
      (cluster: MemoryCluster) => {
        cluster.review = async () => ({ ok: true, value: [] })
      },
      'isolation.access',
    ],
    [
      'a network policy beside ours',
      (cluster: MemoryCluster) => {
        cluster.put({ kind: 'NetworkPolicy', metadata: { name: 'open' } }, 'tenant-acme')
      },
      'isolation.foreign_object',
    ],
    [
      'a role binding beside ours',
      (cluster: MemoryCluster) => {
        cluster.put({ kind: 'RoleBinding', metadata: { name: 'admin' } }, 'tenant-acme')
      },
      'isolation.foreign_object',
    ],
    [
      'a policy of ours that was opened',
      (cluster: MemoryCluster) => {
        cluster.edit(
          'NetworkPolicy/tenant-acme/default-deny',
          (body) => Object.assign(body, { spec: { podSelector: {} } }),
          'x',
        )
      },
      'cluster.read_back_differs',
    ],
  ] as const)('is not done with %s', async (_what, spoil, code) => {
    const cluster = await provisioned()
    spoil(cluster)
    expect(await verifyIsolation.run(stepWork(cluster))).toMatchObject({ kind: 'failed', failure: { code } })
  })

  test('is taken back step by step, to nothing', async () => {
    const cluster = await provisioned()
    const work = stepWork(cluster)
    for (const step of [registerBackup, releaseWorkloads, seedConfig, applyNamespace]) {
      for (let turn = 0; (await step.undo(work)).kind !== 'done'; turn += 1) expect(turn).toBeLessThan(10)
    }
    await runStep(proveVolumesGone, work)
    expect([...cluster.objects.keys()]).toEqual([])
  })
})

describe('suspension', () => {
  test.each(['soft', 'hard'] as const)(
    '%s: no pod runs or may start, nothing leaves, and resuming ends it',
    async (mode) => {
      const cluster = await provisioned()
      const before = specsOf(cluster)

      await runSteps([freezePods, stopTenantPods, denyEgress], stepWork(cluster, suspend(mode)))

      expect(cluster.objects.has(PODS)).toBe(false)
      expect(specOf(cluster, QUOTA)).toMatchObject({ hard: { pods: '0', 'limits.cpu': '2' } })
      expect(specOf(cluster, RELEASE)).toMatchObject({ suspend: false, values: { suspended: true } })
      for (const [path, { body }] of cluster.objects) {
        if (path.startsWith('NetworkPolicy/')) expect(body['spec']).not.toHaveProperty('egress')
      }
      const resume: Given = { tenant: { specRevision: 3 }, operation: { kind: 'resume' } }
      await runSteps([allowEgress, thawPods, restartWorkloads], stepWork(cluster, resume))
      expect(specsOf(cluster)).toEqual(before)
    },
  )

  test('a worker that is late with an earlier step of the operation opens nothing again', async () => {
    const cluster = await suspended()
    const before = specsOf(cluster)
    for (const step of [freezePods, stopTenantPods]) await runStep(step, stepWork(cluster, suspend('hard')))
    expect(specsOf(cluster)).toEqual(before)
  })

  test('a worker of an earlier operation is refused', async () => {
    const cluster = await suspended()
    const stale = stepWork(cluster, { tenant: { specRevision: 1 }, operation: { kind: 'resume' } })
    for (const step of [allowEgress, thawPods, restartWorkloads]) {
      expect(await step.run(stale)).toMatchObject({ kind: 'failed', failure: { kind: 'permanent' } })
    }
    expect(cluster.objects.has(PODS)).toBe(false)
  })

  test('resuming that cannot be done is suspended again', async () => {
    const cluster = await suspended()
    const before = specsOf(cluster)
    const work = stepWork(cluster, { tenant: { specRevision: 3 }, operation: { kind: 'resume' } })
    await runSteps([allowEgress, thawPods, restartWorkloads], work)
    const undone = [restartWorkloads, thawPods, allowEgress].map(({ undo }): Step => ({ run: undo, undo }))
    await runSteps([...undone, ...undone], work)
    expect(specsOf(cluster)).toEqual(before)
  })

  test("the platform's own pods and those that have ended stay", async () => {
    const cluster = await provisioned()
    const pod = (name: string, spec: object, phase: string) =>
      cluster.put({ kind: 'Pod', metadata: { name }, spec, status: { phase } } as never, 'tenant-acme')
    pod('proxy', { priorityClassName: 'energent-platform' }, 'Running')
    pod('job', {}, 'Succeeded')
    await runStep(stopTenantPods, stepWork(cluster, suspend('hard')))
    expect([...cluster.objects.keys()].filter((path) => path.startsWith('Pod/'))).toEqual([
      'Pod/tenant-acme/proxy',
      'Pod/tenant-acme/job',
    ])
  })
})

describe('a purge', () => {
  const work = (cluster: MemoryCluster): StepWork =>
    stepWork(cluster, { tenant: { specRevision: 2, state: 'PURGING' }, operation: { kind: 'purge' } })
  const steps = [removeWorkloads, deleteNamespace, proveVolumesGone, deleteBackups]

  test('leaves nothing in the cluster, from any state, and finds nothing to do the second time', async () => {
    for (const begin of [provisioned, suspended]) {
      const cluster = await begin()
      const labels = { 'energent.ai/tenant-id': 'acme' }
      cluster.put({ kind: 'Backup', metadata: { name: 'tenant-acme-1', labels } } as never, 'velero')
      await runSteps(steps, work(cluster))
      expect([...cluster.objects.keys()]).toEqual([])
      await runSteps(steps, work(cluster))
      expect([...cluster.objects.keys()]).toEqual([])
    }
  })

  test('another tenant’s backups, schedule and volumes stay', async () => {
    const cluster = await provisioned()
    const labels = { 'energent.ai/tenant-id': 'acme-2' }
    const theirs = [
      cluster.put({ kind: 'Backup', metadata: { name: 'tenant-acme-2-1', labels } } as never, 'velero'),
      cluster.put({ kind: 'Schedule', metadata: { name: 'tenant-acme-2', labels } } as never, 'velero'),
      cluster.put({
        kind: 'PersistentVolume',
        metadata: { name: 'pv-2' },
        spec: { claimRef: { namespace: 'tenant-acme-2' } },
      } as never),
    ]
    await runSteps(steps, work(cluster))
    expect([...cluster.objects.values()].map(({ uid }) => uid)).toEqual(theirs.map(({ uid }) => uid))
  })

  test('stops every pod before the namespace goes, the platform’s too', async () => {
    const cluster = await provisioned()
    cluster.put(
      { kind: 'Pod', metadata: { name: 'proxy' }, spec: { priorityClassName: 'energent-platform' } } as never,
      'tenant-acme',
    )
    await runStep(removeWorkloads, work(cluster))
    expect([...cluster.objects.keys()].filter((path) => path.startsWith('Pod/'))).toEqual([])
    expect(cluster.objects.has(RELEASE)).toBe(false)
  })

  test('touches no namespace that is not ours, and one whose labels were taken away all the same', async () => {
    const cluster = await provisioned()
    const home = cluster.objects.get('Namespace//tenant-acme')
    if (home === undefined) throw new Error('no namespace')
    cluster.objects.set('Namespace//tenant-acme', { ...home, labels: {} })
    await runSteps([removeWorkloads, deleteNamespace], work(cluster))
    expect(cluster.objects.has('Namespace//tenant-acme')).toBe(true)

    const known = stepWork(cluster, { tenant: { specRevision: 2, namespaceUid: home.uid } })
    await runStep(deleteNamespace, known)
    expect(cluster.objects.has('Namespace//tenant-acme')).toBe(false)
  })

  test.each([
    ['Retain', 'Released', 'volume.retained'],
    ['Delete', 'Failed', 'volume.failed'],
  ])('says what to do about a volume that will not go (%s, %s)', async (policy, phase, code) => {
    const cluster = memoryCluster()
    cluster.put({
      kind: 'PersistentVolume',
      metadata: { name: 'pv-1' },
      spec: { claimRef: { namespace: 'tenant-acme' }, persistentVolumeReclaimPolicy: policy },
      status: { phase },
    } as never)
    const outcome = await proveVolumesGone.run(work(cluster))
    expect(outcome).toMatchObject({ kind: 'failed', failure: { kind: 'wait', code } })
  })
})

describe('reconciling', () => {
  const work = (cluster: MemoryCluster, tenant = {}): StepWork =>
    stepWork(cluster, { tenant, operation: { kind: 'reconcile' } })
  const SUSPENDED = {
    specRevision: 2,
    state: 'SUSPENDED',
    observed: {
      tier: 'standard',
      subscriptionId: null,
      planId: null,
      suspension: { mode: 'hard', reason: 'admin' },
    },
  } as const

  test.each([
    ['an active tenant', provisioned, {}],
    ['a suspended tenant', suspended, SUSPENDED],
  ] as const)(
    'writes nothing about %s that is as it should be, and says nothing',
    async (_what, begin, tenant) => {
      const cluster = await begin()
      const outcome = await detectDrift.run(work(cluster, tenant))
      expect(outcome).toMatchObject({ kind: 'done', evidence: { count: '0', drifted: '' } })
      expect(outcome).not.toHaveProperty('facts')
      await runSteps([correctDrift, verifyIsolation], work(cluster, tenant))
      expect(written(cluster)).toEqual([])
    },
  )

  test('names what somebody changed, took away or left, and puts exactly that right', async () => {
    const cluster = await provisioned()
    const before = specsOf(cluster)
    cluster.edit(QUOTA, (body) => Object.assign(body, { spec: { hard: { pods: '64' } } }), 'kubectl-edit')
    cluster.objects.delete('NetworkPolicy/tenant-acme/default-deny')
    const labels = { 'energent.ai/tenant-id': 'acme', 'app.kubernetes.io/managed-by': 'tenant-events' }
    cluster.put({ kind: 'ServiceAccount', metadata: { name: 'old', labels } } as never, 'tenant-acme')
    cluster.put({ kind: 'ServiceAccount', metadata: { name: 'theirs' } }, 'tenant-acme')
    cluster.put({ kind: 'PersistentVolumeClaim', metadata: { name: 'more', labels } } as never, 'tenant-acme')

    const found = await detectDrift.run(work(cluster))

    expect(found).toMatchObject({
      kind: 'done',
      facts: ['drift-detected'],
      evidence: {
        count: '3',
        drifted: 'NetworkPolicy/default-deny, ResourceQuota/tenant-compute, ServiceAccount/old',
        managers: 'kubectl-edit',
      },
    })
    expect(written(cluster)).toEqual([])
    await runStep(correctDrift, work(cluster))
    expect(written(cluster)).toEqual([
      'delete ServiceAccount/old',
      'apply NetworkPolicy/default-deny',
      'apply ResourceQuota/tenant-compute',
    ])
    cluster.objects.delete('ServiceAccount/tenant-acme/theirs')
    cluster.objects.delete('PersistentVolumeClaim/tenant-acme/more')
    expect(specsOf(cluster)).toEqual(before)
  })

  test.each([
    ['NetworkPolicy', 'no labels', {}],
    ['RoleBinding', 'no labels', {}],
    ['NetworkPolicy', 'Helm’s label alone', { 'app.kubernetes.io/managed-by': 'Helm' }],
  ])('tells a %s with %s that is not ours, fails by it, and leaves it alone', async (kind, _what, labels) => {
    const cluster = await provisioned()
    const spec = { podSelector: {}, ingress: [{}], egress: [{}], policyTypes: ['Ingress', 'Egress'] }
    cluster.put({ kind, metadata: { name: 'open', labels }, spec } as never, 'tenant-acme')

    expect(await detectDrift.run(work(cluster))).toMatchObject({
      kind: 'done',
      facts: ['drift-detected'],
      evidence: { count: '0', foreign: `isolation.foreign_object: ${kind}/open` },
    })
    await runStep(correctDrift, work(cluster))
    expect(await verifyIsolation.run(work(cluster))).toMatchObject({
      kind: 'failed',
      failure: { code: 'isolation.foreign_object', text: `not ours in tenant-acme: ${kind}/open` },
    })
    expect(cluster.objects.has(`${kind}/tenant-acme/open`)).toBe(true)
  })

  test('has nothing against what Flux installed of the platform’s chart', async () => {
    const cluster = await provisioned()
    const labels = {
      'app.kubernetes.io/managed-by': 'Helm',
      'helm.toolkit.fluxcd.io/name': 'tenant-agents',
    }
    cluster.put({ kind: 'NetworkPolicy', metadata: { name: 'agents', labels } } as never, 'tenant-acme')
    expect(await detectDrift.run(work(cluster))).not.toHaveProperty('facts')
    await runStep(verifyIsolation, work(cluster))
  })

  test('keeps a volume that is larger than the tier', async () => {
    const cluster = await provisioned()
    cluster.edit(
      'PersistentVolumeClaim/tenant-acme/tenant-data',
      (body) => {
        body['spec'] = { resources: { requests: { storage: '50Gi' } } }
        body['status'] = { phase: 'Bound' }
      },
      'x',
    )
    expect(await runStep(detectDrift, work(cluster))).toMatchObject({ count: '0' })
  })

  test('makes a namespace anew that somebody deleted, and keeps its uid', async () => {
    const cluster = await provisioned()
    for (const path of [...cluster.objects.keys()])
      if (path.includes('tenant-acme')) cluster.objects.delete(path)
    const outcome = await correctDrift.run(work(cluster, { namespaceUid: 'uid-1' }))
    if (outcome.kind !== 'done' || outcome.change === undefined) throw new Error('not done')
    const made = cluster.objects.get('Namespace//tenant-acme')
    expect(outcome.change(work(cluster).tenant).namespaceUid).toBe(made?.uid)
    expect(made?.uid).not.toBe('uid-1')
  })

  test('is nothing for a namespace on its way out', async () => {
    const cluster = await provisioned()
    const home = cluster.objects.get('Namespace//tenant-acme')
    if (home !== undefined) cluster.objects.set('Namespace//tenant-acme', { ...home, terminating: true })
    expect(await detectDrift.run(work(cluster))).toMatchObject({
      kind: 'failed',
      failure: { kind: 'wait', code: 'cluster.namespace_terminating' },
    })
  })
})

/** What is ordered of each object, without uids, revisions and what the controllers say. */
function specsOf(cluster: MemoryCluster): unknown {
  return [...cluster.objects]
    .filter(([path]) => !path.startsWith('PersistentVolume/'))
    .map(([path, { body, terminating }]) => [path, terminating, body['spec'] ?? body['data'] ?? null])
    .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))
}
