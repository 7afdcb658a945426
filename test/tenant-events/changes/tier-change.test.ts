import { expect, test } from 'vitest'
import { TIER_LIMITS, type Tier } from '#shared/catalogue/tiers.ts'
import { asRecord } from '#shared/json.ts'
import { USED_BYTES } from '../../../functions/tenant-events/domain/volume.ts'
import type { LiveObject } from '../../../functions/tenant-events/ports.ts'
import { PERIOD_END_MS } from '../crash/others.ts'
import { ACME } from '../world.ts'
import { aLife, DAY_MS, dyingAt, type Life, MINUTE_MS } from './life.ts'

const NAMESPACE = `tenant-${ACME}`
const CLAIM = `PersistentVolumeClaim/${NAMESPACE}/tenant-data`

/** What a tenant has of a tier, wherever it shows. */
function has(life: Life) {
  const spec = (path: string) => asRecord(life.live(path).body['spec']) ?? {}
  const hard = asRecord(spec(`ResourceQuota/${NAMESPACE}/tenant-compute`)['hard']) ?? {}
  const claim = asRecord(asRecord(spec(CLAIM)['resources'])?.['requests'])
  const release = asRecord(spec(`HelmRelease/${NAMESPACE}/tenant-agents`)['values'])
  return {
    label: life.live(`Namespace//${NAMESPACE}`).labels['energent.ai/tier'],
    cpu: hard['limits.cpu'],
    pods: hard['pods'],
    agents: spec(`HorizontalPodAutoscaler/${NAMESPACE}/tenant-agents`)['maxReplicas'],
    told: asRecord(life.live(`ConfigMap/${NAMESPACE}/tenant-config`).body['data'])?.['tier'],
    released: release?.['tier'],
    storage: claim?.['storage'],
    paid: life.paid(),
    frozen: life.others.accounts.get(ACME)?.freeze?.operationId ?? null,
    state: life.tenant().state,
    tier: life.tenant().observed.tier,
    desired: life.tenant().desired.tier,
  }
}

function allOf(tier: Tier, storage: Tier = tier) {
  const { vcpu, concurrentWorkflows, storageGib } = TIER_LIMITS[tier]
  return {
    label: tier,
    cpu: `${vcpu}`,
    pods: `${concurrentWorkflows * 2}`,
    agents: concurrentWorkflows,
    told: tier,
    released: tier,
    storage: `${storageGib === 0 ? 0 : TIER_LIMITS[storage].storageGib}Gi`,
    paid: tier,
    frozen: null,
    state: 'ACTIVE',
    tier,
    desired: tier,
  }
}

const change = (toTier: Tier, effective: 'now' | 'period_end' = 'now') =>
  ({ name: 'tier-change', toTier, effective }) as const

async function ordered(life: Life, command: Parameters<Life['order']>[0]): Promise<string> {
  const answer = await life.order(command)
  if (!answer.ok) throw new Error(answer.code)
  if (answer.value.operationId === null) throw new Error('no operation')
  return answer.value.operationId
}

/** Changes what the server itself keeps of an object. */
function edit(life: Life, path: string, change: (body: LiveObject['body']) => object): void {
  const live = life.live(path)
  life.world.cluster.objects.set(path, { ...live, body: { ...live.body, ...change(live.body) } })
}

/** Somebody has measured what the volume holds; nobody has when it is undefined. */
function holds(life: Life, gib: number | undefined): void {
  edit(life, CLAIM, (body) => {
    const metadata = asRecord(body['metadata'])
    const { [USED_BYTES]: _before, ...rest } = asRecord(metadata?.['annotations']) ?? {}
    const measured = gib === undefined ? {} : { [USED_BYTES]: `${gib * 2 ** 30}` }
    return { metadata: { ...metadata, annotations: { ...rest, ...measured } } }
  })
}

/** As before the first pod: nothing has bound the claim. */
function unbind(life: Life): void {
  edit(life, CLAIM, (body) => {
    const { volumeName: _none, ...spec } = asRecord(body['spec']) ?? {}
    return { spec, status: { phase: 'Pending' } }
  })
}

test('upwards the tenant is charged, then gets every limit, then the slots with the fact', async () => {
  const life = await aLife('standard')
  const operationId = await ordered(life, change('premium'))
  expect(life.tenant().state).toBe('TIER_CHANGING')
  expect(has(life)).toMatchObject({ cpu: '2', paid: 'standard' })
  await life.pass(5 * MINUTE_MS)
  expect(has(life)).toEqual(allOf('premium'))
  expect(life.facts()).toEqual(['tier-changed'])
  expect(life.operation(operationId).status).toBe('succeeded')
  expect(life.tenant().observed.planId).toBe('example-premium')
  const at = (key: string) => life.world.store.audit.findIndex(({ target }) => target.endsWith(key))
  expect(at('/charge-tier')).toBeLessThan(at('/apply-limits'))
})

test('downwards nothing is changed while workflows run, and the price comes last', async () => {
  const life = await aLife('premium')
  holds(life, 3)
  life.runningWorkflows = 2
  const operationId = await ordered(life, change('basic'))
  await life.pass(5 * MINUTE_MS)
  expect(has(life)).toMatchObject({
    ...allOf('premium'),
    state: 'TIER_CHANGING',
    desired: 'basic',
    frozen: expect.any(String),
  })
  life.runningWorkflows = 0
  await life.pass(5 * MINUTE_MS)
  // A volume never shrinks.
  expect(has(life)).toEqual(allOf('basic', 'premium'))
  expect(life.facts()).toEqual(['tier-changed'])
  const done = life.world.store.audit
    .filter(({ action, target }) => action === 'step.done' && target.includes(operationId))
    .map(({ target }) => target.split('/').at(-1))
  expect(done).toEqual([
    'precheck-tier',
    'drain-slots',
    'fit-storage',
    'apply-limits',
    'verify-tier',
    'charge-tier',
    'commit-tier',
  ])
})

test('a claim that nothing has bound yet is made anew in the size of the tier, up and down', async () => {
  const life = await aLife('standard')
  for (const tier of ['premium', 'basic'] as const) {
    unbind(life)
    const { uid } = life.live(CLAIM)
    await ordered(life, change(tier))
    await life.pass(10 * MINUTE_MS)
    expect(has(life)).toEqual(allOf(tier))
    expect(life.live(CLAIM).uid).not.toBe(uid)
  }
})

test.each(['plan.unavailable', 'credit.insufficient'])(
  'a refused charge (%s) leaves the tenant as it was, up and down',
  async (reason) => {
    for (const tier of ['premium', 'basic'] as const) {
      const life = await aLife('standard')
      holds(life, 1)
      life.others.refuses.charge = reason
      const operationId = await ordered(life, change(tier))
      await life.pass(10 * MINUTE_MS)
      expect(has(life)).toEqual(allOf('standard'))
      expect(life.facts()).toEqual(['tier-change-failed'])
      expect(life.operation(operationId)).toMatchObject({
        status: 'failed',
        failure: { step: 'charge-tier', code: reason, blocked: false },
      })
    }
  },
)

test('a volume that holds more than the smaller tier stores blocks the change', async () => {
  const life = await aLife('premium')
  holds(life, 11)
  const operationId = await ordered(life, change('basic'))
  await life.pass(10 * MINUTE_MS)
  expect(has(life)).toEqual(allOf('premium'))
  expect(life.facts()).toEqual(['tier-change-blocked'])
  expect(life.operation(operationId).failure).toMatchObject({ code: 'tier.storage_in_use', blocked: true })
})

test('workflows that do not end in time block the change, and go on', async () => {
  const life = await aLife('premium')
  holds(life, 1)
  life.runningWorkflows = 1
  const operationId = await ordered(life, change('basic'))
  await life.pass(14 * MINUTE_MS)
  expect(life.tenant().state).toBe('TIER_CHANGING')
  await life.pass(3 * MINUTE_MS)
  expect(has(life)).toEqual(allOf('premium'))
  expect(life.facts()).toEqual(['tier-change-blocked'])
  expect(life.operation(operationId).failure).toMatchObject({ code: 'tier.slots_in_use' })
  // Heard too late, it changes nothing.
  life.runningWorkflows = 0
  await life.pass(5 * MINUTE_MS)
  expect(has(life)).toEqual(allOf('premium'))
})

test('pods beyond the smaller quota that do not go block the change, and everything is what it was', async () => {
  const life = await aLife('premium')
  holds(life, 1)
  edit(life, `ResourceQuota/${NAMESPACE}/tenant-compute`, () => ({
    status: { used: { 'limits.cpu': '3500m' } },
  }))
  await ordered(life, change('standard'))
  await life.pass(40 * MINUTE_MS)
  expect(has(life)).toEqual(allOf('premium'))
  expect(life.facts().filter((kind) => kind.startsWith('tier-'))).toEqual(['tier-change-blocked'])
})

test.each(['premium', 'basic'] as const)(
  'a cluster that refuses the limits of %s for good gives the old ones back, and the money',
  async (tier) => {
    const life = await aLife('standard')
    unbind(life)
    let refusals = 3
    life.world.cluster.fail = (call) => {
      if (call !== 'apply LimitRange/tenant-limits' || refusals === 0) return undefined
      refusals -= 1
      return { kind: 'permanent', code: 'cluster.invalid', text: 'no' }
    }
    await ordered(life, change(tier))
    await life.pass(60 * MINUTE_MS)
    expect(has(life)).toEqual(allOf('standard'))
    expect(life.facts()).toEqual(['tier-change-failed'])
  },
)

test('undone objects carry a higher number than those they undo: whoever is late is refused', async () => {
  const life = await aLife('standard')
  const applied: [string, string][] = []
  const { cluster } = life.world
  const { apply } = cluster
  Object.assign(cluster, {
    apply: (...args: Parameters<typeof apply>) => {
      const [object] = args
      const hard = asRecord(asRecord(object['spec'])?.['hard'])
      if (object.metadata.name === 'tenant-compute') {
        applied.push([
          String(hard?.['limits.cpu']),
          String(object.metadata.annotations['energent.ai/spec-rev']),
        ])
      }
      return apply(...args)
    },
  })
  let refusals = 3
  cluster.fail = (call) => {
    if (call !== 'apply LimitRange/tenant-limits' || refusals === 0) return undefined
    refusals -= 1
    return { kind: 'permanent', code: 'cluster.invalid', text: 'no' }
  }
  await ordered(life, change('premium'))
  await life.pass(60 * MINUTE_MS)
  const revisions = new Map(applied)
  expect(Number(revisions.get('2'))).toBeGreaterThan(Number(revisions.get('4')))
})

test('a change for the end of the period is charged at once, and takes place when billing says', async () => {
  const life = await aLife('premium')
  holds(life, 1)
  const operationId = await ordered(life, change('basic', 'period_end'))
  await life.pass(5 * MINUTE_MS)
  expect(has(life)).toMatchObject({ ...allOf('premium'), paid: 'basic', desired: expect.anything() })
  expect(life.operation(operationId)).toMatchObject({ status: 'scheduled', resumeAtMs: PERIOD_END_MS })
  expect(life.facts()).toEqual([])
  await life.pass(PERIOD_END_MS - life.world.clock.now() - MINUTE_MS)
  expect(life.tenant().observed.tier).toBe('premium')
  await life.pass(DAY_MS / 4)
  expect(has(life)).toEqual(allOf('basic', 'premium'))
  expect(life.facts()).toEqual(['tier-changed'])
  expect(life.operations('tier-change')).toHaveLength(1)
})

test('a scheduled change that does not fit on its day is blocked, and its price taken back', async () => {
  const life = await aLife('premium')
  await ordered(life, change('basic', 'period_end'))
  await life.pass(5 * MINUTE_MS)
  holds(life, 40)
  await life.pass(9 * DAY_MS)
  expect(has(life)).toEqual(allOf('premium'))
  expect(life.facts()).toEqual(['tier-change-blocked'])
})

test.each([
  ['now', 'enterprise'],
  ['period_end', 'standard'],
] as const)('a newer change (%s) replaces one that waits for its day', async (effective, tier) => {
  const life = await aLife('premium')
  holds(life, 1)
  const first = await ordered(life, change('basic', 'period_end'))
  await life.pass(5 * MINUTE_MS)
  const second = await ordered(life, change(tier, effective))
  await life.pass(9 * DAY_MS)
  expect(has(life)).toEqual(allOf(tier, tier === 'standard' ? 'premium' : tier))
  expect(life.operation(first).status).toBe('superseded')
  expect(life.operation(second).status).toBe('succeeded')
  expect(life.facts()).toEqual(['tier-change-failed', 'tier-changed'])
})

test('to order the tier that the tenant has takes back a change that waits for its day', async () => {
  const life = await aLife('premium')
  await ordered(life, change('basic', 'period_end'))
  await life.pass(5 * MINUTE_MS)
  await life.order(change('premium'))
  await life.pass(9 * DAY_MS)
  expect(has(life)).toEqual(allOf('premium'))
  expect(life.facts()).toEqual(['tier-change-failed'])
})

test('leaving takes back a change that waits for its day, and coming back finds the tenant as it was', async () => {
  const life = await aLife('premium')
  await ordered(life, change('basic', 'period_end'))
  await life.pass(5 * MINUTE_MS)
  await ordered(life, { name: 'offboard', graceDays: 60, export: false })
  await life.pass(9 * DAY_MS)
  expect(life.paid()).toBe('premium')
  await ordered(life, { name: 'offboard-cancel' })
  await life.pass(DAY_MS)
  expect(has(life)).toEqual(allOf('premium'))
  expect(life.facts()).toEqual(['offboarding-started', 'tier-change-failed', 'offboarding-cancelled'])
})

const places = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16]
const replacements = (['now', 'period_end'] as const).flatMap((first) =>
  (['now', 'period_end'] as const).flatMap((second) =>
    places.map((commits) => [first, second, commits] as const),
  ),
)

test.each(replacements)(
  'of a change (%s) that a newer one (%s) replaces after its commit %i nothing stays',
  async (effective, next, commits) => {
    const life = await aLife('standard')
    let left = commits
    let replaced: string | undefined
    const first = await ordered(life, change('premium', effective))
    await life.run(() => {
      const deps = life.process()
      const { store } = deps
      return {
        ...deps,
        store: {
          ...store,
          change: async (...args) => {
            const answer = await store.change(...args)
            if (left === 0) replaced = await ordered(life, change('enterprise', next))
            left -= 1
            return answer as never
          },
        },
      }
    })
    replaced ??= await ordered(life, change('enterprise', next))
    await life.pass(9 * DAY_MS)
    expect(has(life)).toEqual(allOf('enterprise'))
    expect(['superseded', 'succeeded']).toContain(life.operation(first).status)
    expect(life.operation(replaced).status).toBe('succeeded')
    const failed = life.operation(first).status === 'superseded' ? ['tier-change-failed'] : ['tier-changed']
    expect(life.facts()).toEqual([...failed, 'tier-changed'])
    expect(life.others.accounts.get(ACME)?.charges.map(({ tier }) => tier)).toEqual(
      failed[0] === 'tier-changed' ? ['standard', 'premium', 'enterprise'] : ['standard', 'enterprise'],
    )
  },
)

const crashes = Array.from({ length: 60 }, (_, at) => at + 1).flatMap((at) =>
  (['before', 'after'] as const).map((mode) => [at, mode] as const),
)

/** A crash at every call: whether the change succeeds or is refused, the tenant has all of one tier. */
test.each([
  ['up', 'premium', undefined, 'premium'],
  ['up, refused', 'premium', 'credit.insufficient', 'standard'],
  ['down', 'basic', undefined, 'basic'],
  ['down, refused', 'basic', 'plan.unavailable', 'standard'],
] as const)(
  'whatever call is the last of a process, %s ends as it should',
  async (_name, to, reason, ends) => {
    for (const [at, mode] of crashes) {
      const life = await aLife('standard')
      unbind(life)
      if (reason !== undefined) life.others.refuses.charge = reason
      const { crash, next } = dyingAt(life, at, mode)
      await ordered(life, change(to))
      await life.pass(30 * MINUTE_MS, next)
      expect(has(life), `${mode} ${at}`).toEqual(allOf(ends))
      expect(life.facts(), `${mode} ${at}`).toEqual([
        reason === undefined ? 'tier-changed' : 'tier-change-failed',
      ])
      if (crash.reached !== true) break
    }
  },
)

test.each(['before', 'after'] as const)(
  'a tier change whose namespace somebody deletes %s its limits ends, and a reconciliation makes it anew',
  async (moment) => {
    const life = await aLife('standard')
    const { objects } = life.world.cluster
    const wipe = () => {
      for (const path of objects.keys()) if (path.split('/')[1] === NAMESPACE) objects.delete(path)
      objects.delete(`Namespace//${NAMESPACE}`)
    }
    if (moment === 'before') wipe()
    const operationId = await ordered(life, change('premium'))
    let wiped = moment === 'before'
    life.world.cluster.fail = (call) => {
      // The first that the step after the limits asks for.
      if (!wiped && call.includes('PersistentVolumeClaim')) wipe()
      wiped ||= call.includes('PersistentVolumeClaim')
      return undefined
    }
    await ordered(life, { name: 'reconcile', scope: undefined })
    await life.pass(60 * MINUTE_MS)
    expect(life.operation(operationId)).toMatchObject({ status: 'failed' })
    expect(has(life)).toEqual(allOf('standard'))
    expect(life.facts()).toEqual(['tier-change-failed', 'drift-detected'])
  },
)
