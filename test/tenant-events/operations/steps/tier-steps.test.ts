import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Kubernetes, startKubernetes } from '#local/kubernetes/index.ts'
import { TIER_LIMITS, type Tier } from '#shared/catalogue/tiers.ts'
import { manualClock } from '#shared/clock.ts'
import { asRecord } from '#shared/json.ts'
import { kubernetesCluster } from '../../../../functions/tenant-events/adapters/kubernetes.ts'
import { kubernetesTransport } from '../../../../functions/tenant-events/adapters/kubernetes-transport.ts'
import { quotaObjects } from '../../../../functions/tenant-events/domain/kubernetes-objects.ts'
import { USED_BYTES } from '../../../../functions/tenant-events/domain/volume.ts'
import { applyLimits } from '../../../../functions/tenant-events/operations/steps/apply-limits.ts'
import {
  applyObjects,
  clusterSpecOf,
} from '../../../../functions/tenant-events/operations/steps/apply-objects.ts'
import { fitStorage } from '../../../../functions/tenant-events/operations/steps/fit-storage.ts'
import { precheckTier } from '../../../../functions/tenant-events/operations/steps/precheck-tier.ts'
import type { Step, StepWork } from '../../../../functions/tenant-events/operations/steps/step.ts'
import { verifyTier } from '../../../../functions/tenant-events/operations/steps/verify-tier.ts'
import type { Cluster, LiveObject } from '../../../../functions/tenant-events/ports/cluster.ts'
import { aTenant, PROVISIONING, runSteps, stepWork } from './step-work.ts'

const ACCOUNT = 'tenant-events@demo.iam.gserviceaccount.com'
const CLAIM = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace: 'tenant-acme' }
const QUOTA = { apiVersion: 'v1', kind: 'ResourceQuota', namespace: 'tenant-acme' }
const signal = AbortSignal.timeout(60_000)

let kubernetes: Kubernetes
let cluster: Cluster
let clock: ReturnType<typeof manualClock>

beforeAll(async () => {
  clock = manualClock(Date.parse('2026-11-23T09:00:00Z'))
  kubernetes = await startKubernetes({
    now: clock.now,
    provisioner: ACCOUNT,
    authenticate: (token) =>
      token === 'ours'
        ? { user: ACCOUNT, groups: [] }
        : token === 'admin'
          ? { user: 'admin', groups: ['system:masters'] }
          : undefined,
  })
  const tokens = { token: async () => 'ours', forget: () => {} }
  cluster = kubernetesCluster(kubernetesTransport({ url: kubernetes.url }), tokens)
})
afterAll(() => kubernetes.close())
beforeEach(async () => {
  kubernetes.reset()
  await runSteps(PROVISIONING, stepWork(cluster))
})

const { desired } = aTenant()

/** What the steps of a change to `tier` see; `specRevision` grows with each change and each way back. */
function work(tier: Tier, specRevision = 2, on: Cluster = cluster): StepWork {
  const operation = {
    kind: 'tier-change' as const,
    desired: { ...desired, tier },
    from: { tier: 'standard' as const, state: 'ACTIVE' as const },
  }
  return stepWork(on, { tenant: { specRevision }, operation })
}

/** Runs or undoes a step until it waits no more. */
async function until(step: Step, verb: 'run' | 'undo', seen: StepWork) {
  for (let turn = 0; turn < 5; turn += 1) {
    const outcome = await step[verb](seen)
    if (outcome.kind !== 'waiting') return outcome
    clock.advance(60_000)
  }
  throw new Error('the step waits for ever')
}

async function live(kind: typeof CLAIM, name: string): Promise<LiveObject> {
  const found = await cluster.find(kind, name, signal)
  if (!found.ok || found.value === undefined) throw new Error(`there is no ${name}`)
  return found.value
}

async function shows(): Promise<unknown> {
  const claim = await live(CLAIM, 'tenant-data')
  const quota = await live(QUOTA, 'tenant-compute')
  const requests = asRecord(asRecord(asRecord(claim.body['spec'])?.['resources'])?.['requests'])
  const hard = asRecord(asRecord(quota.body['spec'])?.['hard'])
  return { storage: requests?.['storage'], cpu: hard?.['limits.cpu'] }
}

/** The quotas and limits of the tier, without the workloads, whose pods would bind the claim. */
const limitsAlone: Step = {
  run: (seen) => applyObjects(seen, quotaObjects(clusterSpecOf(seen))),
  undo: (seen) => applyObjects(seen, quotaObjects(clusterSpecOf(seen, { tier: 'standard' }))),
}

const limitsOf = (tier: Tier, storage: Tier = tier) => ({
  storage: `${TIER_LIMITS[storage].storageGib}Gi`,
  cpu: `${TIER_LIMITS[tier].vcpu}`,
})

/** Changes the claim as somebody with all rights would. */
async function patchClaim(body: object, subresource = ''): Promise<void> {
  const path = `/api/v1/namespaces/tenant-acme/persistentvolumeclaims/tenant-data${subresource}`
  const headers = { authorization: 'Bearer admin', 'content-type': 'application/apply-patch+yaml' }
  const object = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'tenant-data' },
    ...body,
  }
  const query = '?fieldManager=storage-meter&force=true'
  const answer = await fetch(`${kubernetes.url}${path}${query}`, {
    method: 'PATCH',
    headers,
    body: JSON.stringify(object),
  })
  if (!answer.ok) throw new Error(await answer.text())
}

const measured = (bytes: number) =>
  patchClaim({ metadata: { name: 'tenant-data', annotations: { [USED_BYTES]: `${bytes}` } } })

// A volume never shrinks: what has grown stays, and is within the limits of no smaller tier.
test('up and back again, the cluster takes every object of each tier', async () => {
  for (const step of [precheckTier, applyLimits, fitStorage, verifyTier]) {
    expect(await until(step, 'run', work('premium')), JSON.stringify(await shows())).toMatchObject({
      kind: 'done',
    })
  }
  expect(await shows()).toEqual(limitsOf('premium'))
  for (const step of [fitStorage, applyLimits]) {
    expect(await until(step, 'undo', work('premium', 3))).toMatchObject({ kind: 'done' })
  }
  expect(await shows()).toEqual(limitsOf('standard', 'premium'))
})

test('down and back again, the cluster takes every object of each tier', async () => {
  for (const step of [precheckTier, fitStorage, applyLimits, verifyTier]) {
    expect(await until(step, 'run', work('basic'))).toMatchObject({ kind: 'done' })
  }
  expect(await shows()).toEqual(limitsOf('basic', 'standard'))
  for (const step of [applyLimits, fitStorage]) {
    expect(await until(step, 'undo', work('basic', 3))).toMatchObject({ kind: 'done' })
  }
  expect(await shows()).toEqual(limitsOf('standard'))
})

test.each(['premium', 'basic'] as const)(
  'a claim that nothing has bound has the size of %s, and its own again afterwards',
  async (tier) => {
    kubernetes.reset()
    // As far as the volume: no pod has wanted it yet.
    await runSteps(PROVISIONING.slice(0, 4), stepWork(cluster))
    const steps = tier === 'basic' ? [fitStorage] : [limitsAlone, fitStorage]
    for (const step of steps) expect(await until(step, 'run', work(tier))).toMatchObject({ kind: 'done' })
    expect(await shows()).toMatchObject({ storage: limitsOf(tier).storage })
    for (const step of steps.toReversed()) {
      expect(await until(step, 'undo', work(tier, 3))).toMatchObject({ kind: 'done' })
    }
    expect(await shows()).toEqual(limitsOf('standard'))
  },
)

test('whoever is late with what was undone is refused', async () => {
  await until(applyLimits, 'run', work('premium', 2))
  await until(applyLimits, 'undo', work('premium', 3))
  expect(await applyLimits.run(work('premium', 2))).toMatchObject({ kind: 'failed' })
  expect(await shows()).toEqual(limitsOf('standard'))
})

test('what the volume holds decides whether the tenant fits, and nothing is touched where it does not', async () => {
  await measured(11 * 2 ** 30)
  expect(await precheckTier.run(work('basic'))).toMatchObject({
    failure: { code: 'tier.storage_in_use', kind: 'refused', blocked: true },
  })
  expect(await fitStorage.run(work('basic'))).toMatchObject({ failure: { code: 'tier.storage_in_use' } })
  expect(await shows()).toEqual(limitsOf('standard'))
  await measured(9 * 2 ** 30)
  expect(await precheckTier.run(work('basic'))).toMatchObject({ kind: 'done' })
})

// Between the look and the deletion the first pod may come: the claim would take its new volume with it.
test('a claim that changed since it was looked at is not deleted', async () => {
  const before = await live(CLAIM, 'tenant-data')
  const pending: LiveObject = {
    ...before,
    body: {
      ...before.body,
      spec: { ...asRecord(before.body['spec']), volumeName: undefined },
      status: { phase: 'Pending' },
    },
  }
  await measured(1)
  const late: Cluster = {
    ...cluster,
    find: async (kind, name, on) =>
      kind.kind === CLAIM.kind ? { ok: true, value: pending } : cluster.find(kind, name, on),
  }
  expect(await fitStorage.run(work('premium', 2, late))).toMatchObject({
    kind: 'failed',
    failure: { kind: 'transient', code: 'cluster.conflict' },
  })
  expect((await live(CLAIM, 'tenant-data')).uid).toBe(before.uid)
})
