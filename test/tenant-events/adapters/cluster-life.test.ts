import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Fault } from '#local/faults.ts'
import { type Kubernetes, startKubernetes } from '#local/kubernetes/index.ts'
import { manualClock } from '#shared/clock.ts'
import { kubernetesCluster } from '../../../functions/tenant-events/adapters/kubernetes.ts'
import { kubernetesTransport } from '../../../functions/tenant-events/adapters/kubernetes-transport.ts'
import type { Operation } from '../../../functions/tenant-events/domain/operation.ts'
import type { Tenant } from '../../../functions/tenant-events/domain/tenant.ts'
import { deleteBackups } from '../../../functions/tenant-events/operations/steps/delete-backups.ts'
import { deleteNamespace } from '../../../functions/tenant-events/operations/steps/delete-namespace.ts'
import { proveVolumesGone } from '../../../functions/tenant-events/operations/steps/prove-volumes-gone.ts'
import { correctDrift, detectDrift } from '../../../functions/tenant-events/operations/steps/reconcile.ts'
import { removeWorkloads } from '../../../functions/tenant-events/operations/steps/remove-workloads.ts'
import type { Step } from '../../../functions/tenant-events/operations/steps/step.ts'
import {
  allowEgress,
  denyEgress,
  freezePods,
  restartWorkloads,
  stopTenantPods,
  thawPods,
} from '../../../functions/tenant-events/operations/steps/suspension.ts'
import { verifyIsolation } from '../../../functions/tenant-events/operations/steps/verify-isolation.ts'
import { PROVISIONING, stepWork } from '../operations/steps/step-work.ts'

const ACCOUNT = 'tenant-events@demo-energent.iam.gserviceaccount.com'
const clock = manualClock(Date.parse('2026-11-23T09:00:00Z'))

let kubernetes: Kubernetes

const start = (): Promise<Kubernetes> =>
  startKubernetes({
    now: clock.now,
    provisioner: ACCOUNT,
    authenticate: (token) =>
      ({ ours: { user: ACCOUNT, groups: [] }, admin: { user: 'admin', groups: ['system:masters'] } })[token],
  })

beforeAll(async () => {
  kubernetes = await start()
})
afterAll(() => kubernetes.close())
beforeEach(() => {
  kubernetes.setFault(undefined)
  kubernetes.reset()
})

type Chapter = {
  readonly steps: readonly Step[]
  readonly kind: Operation['kind']
  readonly tenant: Partial<Tenant>
  readonly request?: Operation['request']
}

/** A tenant's life in its cluster. Each operation has a revision of its own, as accepting it gives it one. */
const PROVISION: Chapter = { steps: PROVISIONING, kind: 'provision', tenant: { specRevision: 1 } }
const SUSPEND: Chapter = {
  steps: [freezePods, stopTenantPods, denyEgress],
  kind: 'suspend',
  tenant: { specRevision: 2 },
  request: { mode: 'hard' },
}
const RESUME: Chapter = {
  steps: [allowEgress, thawPods, restartWorkloads],
  kind: 'resume',
  tenant: { specRevision: 3 },
}
const RECONCILE: Chapter = {
  steps: [detectDrift, correctDrift, verifyIsolation],
  kind: 'reconcile',
  tenant: { specRevision: 3 },
}
const PURGE: Chapter = {
  steps: [removeWorkloads, deleteNamespace, proveVolumesGone, deleteBackups],
  kind: 'purge',
  tenant: { specRevision: 4, state: 'PURGING' },
}
const LIFE = [PROVISION, SUSPEND, RESUME, RECONCILE, PURGE]

type Told = { readonly codes: string[]; readonly evidence: Record<string, string>[] }

/**
 * Plays chapters as the saga does: what failed and may pass is tried again, as is what waits; what must
 * not fail ends the test. Time passes between two tries.
 */
async function live(chapters: readonly Chapter[], callLimitMs = 10_000): Promise<Told> {
  const told: Told = { codes: [], evidence: [] }
  const transport = kubernetesTransport({ url: kubernetes.url })
  const tokens = { token: async () => 'ours', forget: () => {} }
  // A call is given up sooner than in production, so that a slow server need not be slow for long.
  const cluster = kubernetesCluster(
    (request) =>
      transport({ ...request, signal: AbortSignal.any([request.signal, AbortSignal.timeout(callLimitMs)]) }),
    tokens,
  )
  for (const { steps, kind, tenant, request = {} } of chapters) {
    const work = stepWork(cluster, { tenant, operation: { kind, request } })
    for (const step of steps) {
      for (let turn = 0; ; turn += 1) {
        const outcome = await step.run(work)
        if (outcome.kind === 'done') {
          told.evidence.push({ ...outcome.evidence })
          break
        }
        if (turn > 30) throw new Error(`${kind}: a step is never done`)
        if (outcome.kind === 'failed') {
          const { code, kind: sort, text } = outcome.failure
          if (sort === 'permanent' || sort === 'refused') throw new Error(`${kind}: ${code} ${text}`)
          told.codes.push(code)
        }
        clock.advance(2_000)
      }
    }
  }
  return told
}

/** What is in the cluster, without what differs from one life to another. */
function shape(): unknown {
  const objects = kubernetes
    .dump()
    .filter(({ metadata }) => metadata.name !== 'kube-root-ca.crt')
    .map((object) => {
      const { uid: _uid, resourceVersion: _version, creationTimestamp: _made, ...metadata } = object.metadata
      const { generation: _generation, managedFields, ...kept } = metadata
      const owners = (managedFields ?? []).map(({ manager, fieldsV1 }) => [manager, fieldsV1])
      return { ...object, metadata: { ...kept, owners } }
    })
  return JSON.parse(
    JSON.stringify(objects)
      .replace(/"\d{4}-\d\d-\d\dT[\d:]+Z"/g, '"T"')
      .replace(/pvc-[0-9a-f-]{36}/g, 'pvc-U')
      .replace(/"uid":"[0-9a-f-]{36}"/g, '"uid":"U"'),
  )
}

describe('a life against the API', () => {
  test('leaves exactly what it should at each stage, and at its end nothing', async () => {
    const empty = shape()
    await live([PROVISION])
    const active = shape()
    expect(kinds()).toMatchObject({ Pod: 1, PersistentVolume: 1, Schedule: 1, NetworkPolicy: 6 })

    const suspended = await live([SUSPEND])
    expect(suspended.codes).toEqual([])
    expect(kinds()).toMatchObject({ PersistentVolume: 1, Schedule: 1 })
    expect(kinds()).not.toHaveProperty('Pod')

    await live([RESUME])
    expect(withoutRevisions(shape())).toEqual(withoutRevisions(active))

    const { evidence } = await live([RECONCILE])
    expect(evidence[0]).toMatchObject({ count: '0', drifted: '' })

    await live([PURGE])
    expect(shape()).toEqual(empty)
    expect(JSON.stringify(kubernetes.dump())).not.toContain('acme')
  })

  test('a night passes: what was backed up is deleted with the rest', async () => {
    await live([PROVISION])
    clock.advance(86_400_000)
    expect(kinds()).toMatchObject({ Backup: 1 })
    await live([PURGE])
    expect(kinds()).not.toHaveProperty('Backup')
    expect(JSON.stringify(kubernetes.dump())).not.toContain('acme')
  })

  test('what was changed beside us is named with who did it, and put right', async () => {
    await live([PROVISION, SUSPEND, RESUME])
    const right = shape()
    const path = '/api/v1/namespaces/tenant-acme/resourcequotas/tenant-compute'
    const body = { apiVersion: 'v1', kind: 'ResourceQuota', spec: { hard: { pods: '64' } } }
    await asAdmin('PATCH', `${path}?fieldManager=kubectl-edit&force=true`, body)
    await asAdmin('DELETE', '/apis/networking.k8s.io/v1/namespaces/tenant-acme/networkpolicies/default-deny')

    const { evidence } = await live([RECONCILE])

    expect(evidence[0]).toMatchObject({
      drifted: 'NetworkPolicy/default-deny, ResourceQuota/tenant-compute',
      managers: 'kubectl-edit',
    })
    expect(withoutRevisions(shape())).toEqual(withoutRevisions(right))
  })

  test('an executor of an older revision changes nothing any more', async () => {
    await live([PROVISION, SUSPEND])
    const suspended = shape()
    await expect(live([{ ...RESUME, tenant: { specRevision: 1 } }])).rejects.toThrow('stale spec-rev')
    expect(shape()).toEqual(suspended)
  })
})

const MODES: readonly (readonly [string, Fault])[] = [
  ['is down', { mode: 'refuse' }],
  ['answers 429', { mode: 'error', code: 429 }],
  ['answers 500', { mode: 'error', code: 500 }],
  ['answers 503', { mode: 'error', code: 503 }],
  ['answers 409', { mode: 'error', code: 409 }],
  ['loses the answer after the effect', { mode: 'lostAnswer' }],
  ['is slow, and the effect comes after it was given up', { mode: 'delay', delayMs: 200 }],
]

describe('an API that fails once', () => {
  // In the long run every call fails in one way at least, with STRIDE=1 in all of them; otherwise each
  // way is tried at a few calls of its own.
  const stride = Number(process.env['STRIDE'] ?? (process.env['LONG'] === undefined ? 199 : 5))

  let calls = 0
  let right: unknown
  beforeAll(async () => {
    kubernetes.reset()
    calls = await countCalls(LIFE)
    await live([PROVISION, SUSPEND, RESUME])
    right = withoutRevisions(shape())
  })

  test.each(MODES)(
    'and %s, at whatever call, changes nothing about the outcome',
    async (what, fault) => {
      const offset = MODES.findIndex(([name]) => name === what)
      for (let at = (offset * 21) % stride; at < calls; at += stride) {
        // What was given up in one life must not take effect in the next one: another cluster for each.
        if (fault.mode === 'delay') {
          await kubernetes.close()
          kubernetes = await start()
        } else kubernetes.reset()
        let call = 0
        kubernetes.setFault(() => {
          call += 1
          return call === at + 1 ? fault : undefined
        })
        const limitMs = fault.mode === 'delay' ? 100 : 10_000

        const before = await live([PROVISION, SUSPEND, RESUME], limitMs)
        expect(withoutRevisions(shape()), `call ${at} ${what}`).toEqual(right)
        const after = await live([RECONCILE, PURGE], limitMs)

        // One failure is one try more, and no second one; a machine that is slow itself may give up more.
        const most = fault.mode === 'delay' ? 10 : 1
        expect([...before.codes, ...after.codes].length, `call ${at}`).toBeLessThanOrEqual(most)
        kubernetes.setFault(undefined)
        expect(JSON.stringify(kubernetes.dump()), `call ${at} ${what}`).not.toContain('acme')
      }
    },
    600_000,
  )
})

async function countCalls(chapters: readonly Chapter[]): Promise<number> {
  let calls = 0
  kubernetes.setFault(() => {
    calls += 1
    return undefined
  })
  await live(chapters)
  kubernetes.setFault(undefined)
  kubernetes.reset()
  return calls
}

function kinds(): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { kind, metadata } of kubernetes.dump()) {
    const ours = metadata.namespace === 'tenant-acme' || metadata.namespace === 'velero'
    if (ours || kind === 'PersistentVolume') counts[kind] = (counts[kind] ?? 0) + 1
  }
  return counts
}

function withoutRevisions(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replace(/"energent.ai\/spec-rev":"\d+"/g, '"rev":"n"'))
}

async function asAdmin(method: string, path: string, body?: unknown): Promise<void> {
  const response = await fetch(`${kubernetes.url}${path}`, {
    method,
    headers: { authorization: 'Bearer admin', 'content-type': 'application/apply-patch+yaml' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  expect(response.status, await response.text()).toBeLessThan(300)
}
