import { describe, expect, test } from 'vitest'
import type { StepKey } from '#shared/catalogue/operation-steps.ts'
import {
  tenantClusterName,
  workloadSecretId,
} from '../../../../functions/tenant-events/domain/cloud-names.ts'
import { STEPS } from '../../../../functions/tenant-events/operations/steps.ts'
import { ACME } from '../../world.ts'
import { aBench, type Bench, failingAt } from './cloud-work.ts'

const NAME = tenantClusterName(ACME)
const SECRET = `secrets/${workloadSecretId(ACME)}`

async function done(bench: Bench, key: StepKey, verb: 'run' | 'undo' = 'run'): Promise<void> {
  expect(await bench.toEnd(STEPS[key], key, verb)).toMatchObject({ kind: 'done' })
}

/** What a tenant's provisioning leaves in the cloud. */
async function provisioned(model: 'multi_tenant' | 'dedicated' | 'hybrid' = 'dedicated'): Promise<Bench> {
  const bench = aBench(model)
  if (model === 'hybrid') bench.cloud.register(NAME, ACME)
  for (const key of ['create-key', 'ensure-secrets', 'bind-identity'] as const) await done(bench, key)
  if (model !== 'multi_tenant') await done(bench, 'ensure-cluster')
  return bench
}

/** Everything there is, in a form that two worlds can be compared by; times are not of interest. */
function sight({ cloud, tenant }: Bench): unknown {
  return {
    keyName: tenant.keyName,
    keys: [...cloud.keys].map(([id, key]) => [id, key.primary, key.versions.map(({ state }) => state)]),
    secrets: [...cloud.secretsByName].map(([name, secret]) => [name, [...secret.readers]]),
    machines: [...cloud.machines].map(([name, machine]) => [
      name,
      machine.tenantId,
      machine.goneAtMs !== null,
    ]),
    fleet: [...cloud.fleet],
  }
}

const CASES: readonly [StepKey, 'run' | 'undo', () => Promise<Bench>][] = [
  ['create-key', 'run', async () => aBench()],
  ['create-key', 'undo', () => provisioned()],
  ['ensure-secrets', 'run', async () => aBench()],
  ['ensure-secrets', 'undo', () => provisioned()],
  ['bind-identity', 'run', () => withSecret()],
  ['bind-identity', 'undo', () => provisioned()],
  ['ensure-cluster', 'run', async () => aBench('dedicated')],
  ['ensure-cluster', 'undo', () => provisioned()],
  ['revoke-access', 'run', () => provisioned()],
  ['delete-secrets', 'run', () => provisioned()],
  ['shred-key', 'run', () => provisioned()],
  ['await-key-destroyed', 'run', () => shredded()],
  ['delete-key', 'run', () => destroyed()],
  ['delete-cluster', 'run', () => provisioned()],
  ['delete-cluster', 'run', () => provisioned('hybrid')],
]

async function withSecret(): Promise<Bench> {
  const bench = aBench()
  await done(bench, 'ensure-secrets')
  return bench
}

async function shredded(): Promise<Bench> {
  const bench = await provisioned()
  await done(bench, 'shred-key')
  return bench
}

async function destroyed(): Promise<Bench> {
  const bench = await shredded()
  await done(bench, 'await-key-destroyed')
  return bench
}

describe('a step of the cloud ends the same', () => {
  test.each(CASES)(
    '%s, %s: whichever call fails or loses its answer, and run twice',
    async (key, verb, prepare) => {
      const calm = await prepare()
      await done(calm, key, verb)
      await done(calm, key, verb)
      const wanted = sight(calm)

      let reached = 0
      for (let at = 1; at < 60; at += 1) {
        for (const mode of ['before', 'after'] as const) {
          const bench = await prepare()
          const failing = failingAt(bench.cloud, at, mode)
          const outcome = await bench.toEnd(STEPS[key], key, verb, failing.ports)
          if (!failing.reached()) continue
          reached += 1
          expect([at, mode, outcome.kind]).toEqual([at, mode, 'done'])
          expect([at, mode, sight(bench)]).toEqual([at, mode, wanted])
        }
      }
      expect(reached).toBeGreaterThan(1)
    },
  )
})

describe('the key of a tenant (P03, G10)', () => {
  test('is adopted when it is there', async () => {
    const bench = aBench()
    await bench.cloud.kms.create(ACME, AbortSignal.timeout(1000))

    await done(bench, 'create-key')

    expect(bench.cloud.keys.get(ACME)?.versions).toHaveLength(1)
    expect(bench.tenant.keyName).toBe(`keys/tenant-${ACME}`)
  })

  test('comes back when a provisioning that was undone is tried again', async () => {
    const bench = aBench()
    await done(bench, 'create-key')
    await done(bench, 'create-key', 'undo')
    expect(bench.cloud.keys.get(ACME)?.versions.map(({ state }) => state)).toEqual(['destroy-scheduled'])
    expect(bench.tenant.keyName).toBeNull()

    await done(bench, 'create-key')

    expect(bench.cloud.keys.get(ACME)?.versions.map(({ state }) => state)).toEqual(['enabled'])
  })

  test('gets a new version when that came too late', async () => {
    const bench = aBench()
    await done(bench, 'create-key')
    await done(bench, 'create-key', 'undo')
    bench.nowMs += 31 * 86_400_000

    await done(bench, 'create-key')

    expect(bench.cloud.keys.get(ACME)).toMatchObject({
      primary: 2,
      versions: [{ state: 'destroyed' }, { state: 'enabled' }],
    })
  })

  test('is shredded with all its versions, and waited for until Cloud KMS says DESTROYED', async () => {
    const bench = await provisioned()
    await bench.cloud.kms.addPrimary(ACME, AbortSignal.timeout(1000))
    const orderedMs = bench.nowMs
    await done(bench, 'shred-key')

    const waiting = await bench.once(STEPS['await-key-destroyed'], 'await-key-destroyed')

    expect(waiting).toMatchObject({ kind: 'waiting', waitingFor: 'key' })
    const dueAtMs = waiting.kind === 'waiting' ? (waiting.dueAtMs ?? 0) : 0
    expect(dueAtMs - orderedMs).toBeGreaterThanOrEqual(30 * 86_400_000)
    bench.nowMs = dueAtMs
    expect(await bench.once(STEPS['await-key-destroyed'], 'await-key-destroyed')).toMatchObject({
      kind: 'done',
      evidence: { state: 'DESTROYED', versions: '2' },
    })
  })

  test('is sent on its way again when somebody restores it meanwhile', async () => {
    const bench = await shredded()
    const [version] = bench.cloud.keys.get(ACME)?.versions ?? []
    await bench.cloud.kms.restore(version?.name ?? '', AbortSignal.timeout(1000))

    await done(bench, 'await-key-destroyed')

    expect(version?.state).toBe('destroyed')
  })
})

describe('the cluster of a dedicated tenant (P04, G11)', () => {
  test('is not waited for: each try looks and says that it waits', async () => {
    const bench = aBench('dedicated')

    const first = await bench.once(STEPS['ensure-cluster'], 'ensure-cluster')
    const second = await bench.once(STEPS['ensure-cluster'], 'ensure-cluster')

    expect([first, second]).toMatchObject([
      { kind: 'waiting', waitingFor: 'cloud', evidence: { operation: `create ${NAME}` } },
      { kind: 'waiting', waitingFor: 'cloud' },
    ])
    expect(bench.cloud.calls.filter((call) => call.startsWith('clusters.create'))).toHaveLength(1)
    expect(bench.cloud.calls.at(-1)).toBe(`clusters.operation create ${NAME}`)
  })

  test.each([
    ['without a label', null],
    ['of another tenant', 'globex'],
  ])('is not taken from somebody: one %s is refused, and stays', async (_name, tenantId) => {
    const bench = aBench('dedicated')
    bench.cloud.machines.set(NAME, { tenantId, readyAtMs: 0, goneAtMs: null, broken: false })

    const outcome = await bench.once(STEPS['ensure-cluster'], 'ensure-cluster')
    await done(bench, 'ensure-cluster', 'undo')
    await done(bench, 'delete-cluster')

    expect(outcome).toMatchObject({ failure: { kind: 'refused', code: 'placement.cluster_foreign' } })
    expect(bench.cloud.machines.get(NAME)?.goneAtMs).toBeNull()
  })

  test('that could not be made is made anew, three times, and then given up', async () => {
    const bench = aBench('dedicated')
    const create = bench.cloud.clusters.create.bind(bench.cloud.clusters)
    const ports = {
      ...bench.cloud,
      clusters: {
        ...bench.cloud.clusters,
        create: async (...args: Parameters<typeof create>) => {
          const created = await create(...args)
          const machine = bench.cloud.machines.get(NAME)
          if (machine !== undefined) machine.broken = true
          return created
        },
      },
    }

    const outcome = await bench.toEnd(STEPS['ensure-cluster'], 'ensure-cluster', 'run', ports)

    expect(outcome).toMatchObject({ failure: { kind: 'refused', code: 'placement.cluster_failed' } })
    expect(bench.cloud.calls.filter((call) => call.startsWith('clusters.create'))).toHaveLength(3)
    await done(bench, 'ensure-cluster', 'undo')
    expect(bench.cloud.tracesOf(ACME)).toEqual([])
  })

  // GitOps installs roles and policies some time after the API server answers.
  test('is ready only when our account may look into it', async () => {
    const bench = aBench('dedicated')
    bench.cluster.fail = () => ({ kind: 'permanent', code: 'cluster.forbidden', text: 'no role' })
    await bench.once(STEPS['ensure-cluster'], 'ensure-cluster')
    bench.nowMs += bench.cloud.clusterMs

    const early = await bench.once(STEPS['ensure-cluster'], 'ensure-cluster')
    bench.cluster.fail = () => undefined

    expect(early).toEqual({ kind: 'waiting', waitingFor: 'cluster' })
    await done(bench, 'ensure-cluster')
  })
})

describe('the cluster of a hybrid tenant (P04, G11)', () => {
  test('is waited for until it is registered, and who looks is told as what', async () => {
    const bench = aBench('hybrid')

    const missing = await bench.once(STEPS['ensure-cluster'], 'ensure-cluster')
    bench.cloud.register(NAME, ACME)

    expect(missing).toMatchObject({
      failure: { kind: 'wait', code: 'placement.membership_missing', text: expect.stringContaining(NAME) },
    })
    await done(bench, 'ensure-cluster')
  })

  test('with another label is refused', async () => {
    const bench = aBench('hybrid')
    bench.cloud.register(NAME, 'globex')

    expect(await bench.once(STEPS['ensure-cluster'], 'ensure-cluster')).toMatchObject({
      failure: { kind: 'refused', code: 'placement.cluster_foreign' },
    })
  })

  test('is the customer’s: a failed provisioning leaves it, a purge takes it out of the fleet', async () => {
    const bench = await provisioned('hybrid')
    await done(bench, 'ensure-cluster', 'undo')
    expect(bench.cloud.fleet.has(NAME)).toBe(true)

    await done(bench, 'delete-cluster')

    expect(bench.cloud.fleet.size).toBe(0)
  })
})

describe('secrets and who may read them (P07, G05, G06)', () => {
  test('every secret with the tenant’s label is bound, unbound and deleted; others are not touched', async () => {
    const bench = await provisioned('multi_tenant')
    const { secretsByName } = bench.cloud
    secretsByName.set('secrets/by-hand', { tenantId: ACME, readers: new Set() })
    secretsByName.set('secrets/of-nobody', { tenantId: null, readers: new Set(['principal:acme']) })

    await done(bench, 'bind-identity')
    expect([...(secretsByName.get('secrets/by-hand')?.readers ?? [])]).toEqual(['principal:acme'])
    await done(bench, 'revoke-access')
    expect(secretsByName.get(SECRET)?.readers.size).toBe(0)
    await done(bench, 'delete-secrets')

    expect([...secretsByName]).toEqual([
      ['secrets/of-nobody', { tenantId: null, readers: new Set(['principal:acme']) }],
    ])
  })

  test('undoing a provisioning deletes the secret it made, and none that somebody else made', async () => {
    const bench = await provisioned('multi_tenant')
    bench.cloud.secretsByName.set('secrets/by-hand', { tenantId: ACME, readers: new Set() })

    await done(bench, 'bind-identity', 'undo')
    await done(bench, 'ensure-secrets', 'undo')

    expect([...bench.cloud.secretsByName.keys()]).toEqual(['secrets/by-hand'])
  })

  test('a secret of the name that is another’s is not taken', async () => {
    const bench = aBench()
    bench.cloud.secretsByName.set(SECRET, { tenantId: null, readers: new Set() })

    expect(await bench.once(STEPS['ensure-secrets'], 'ensure-secrets')).toMatchObject({
      failure: { kind: 'refused', code: 'cloud.secret_foreign' },
    })
  })
})

test('purging takes everything a tenant had in the cloud', async () => {
  for (const model of ['multi_tenant', 'dedicated', 'hybrid'] as const) {
    const bench = await provisioned(model)
    const steps = ['revoke-access', 'delete-secrets', 'shred-key', 'delete-cluster'] as const
    for (const key of [...steps, 'await-key-destroyed', 'delete-key'] as const) await done(bench, key)

    expect([model, bench.cloud.tracesOf(ACME), bench.cloud.keys.size]).toEqual([model, [], 0])
  }
})

// tenancy §10: a key that was disabled by mistake is restored within its time; reconcile runs these steps.
test('reconciling puts back a disabled key, a deleted secret and a lost binding, and else writes nothing', async () => {
  const bench = await provisioned('multi_tenant')
  const steps = ['create-key', 'ensure-secrets', 'bind-identity'] as const
  const reconcile = async (): Promise<string[]> => {
    const before = bench.cloud.calls.length
    for (const key of steps) await done(bench, key)
    return bench.cloud.calls.slice(before).map((call) => call.split(' ')[0] ?? '')
  }
  const [version] = bench.cloud.keys.get(ACME)?.versions ?? []
  await bench.cloud.kms.setEnabled(version?.name ?? '', false, AbortSignal.timeout(1000))
  bench.cloud.secretsByName.clear()

  await reconcile()

  expect(version?.state).toBe('enabled')
  expect([...(bench.cloud.secretsByName.get(SECRET)?.readers ?? [])]).toEqual(['principal:acme'])
  expect(new Set(await reconcile())).toEqual(
    new Set(['kms.find', 'secrets.ensure', 'secrets.list', 'iam.bind', 'iam.isBound']),
  )
})
