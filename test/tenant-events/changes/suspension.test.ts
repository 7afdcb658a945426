import { expect, test } from 'vitest'
import { asRecord } from '#shared/json.ts'
import { ACME } from '../world.ts'
import { aLife, DAY_MS, dyingAt, type Life, MINUTE_MS } from './life.ts'

const NAMESPACE = `tenant-${ACME}`

const suspend = (mode: 'soft' | 'hard') => ({ name: 'suspend', mode, reason: 'admin' }) as const
const resume = { name: 'resume' } as const

/** What stands still, and what does not. */
function shows(life: Life) {
  const spec = (path: string) => asRecord(life.live(path).body['spec']) ?? {}
  const values = asRecord(spec(`HelmRelease/${NAMESPACE}/tenant-agents`)['values'])
  const egress = [...life.world.cluster.objects]
    .filter(([path]) => path.startsWith('NetworkPolicy/'))
    .some(([, { body }]) => asRecord(body['spec'])?.['egress'] !== undefined)
  return {
    state: life.tenant().state,
    pods: asRecord(spec(`ResourceQuota/${NAMESPACE}/tenant-compute`)['hard'])?.['pods'],
    running: [...life.world.cluster.objects.keys()].filter((path) => path.startsWith('Pod/')).length,
    egress,
    stopped: values?.['suspended'],
    frozen: life.others.accounts.get(ACME)?.freeze?.operationId !== undefined,
    observed: life.tenant().observed.suspension?.mode ?? null,
  }
}

const STILL = { state: 'SUSPENDED', pods: '0', running: 0, egress: false, stopped: true }
const WORKING = {
  state: 'ACTIVE',
  pods: '4',
  running: 1,
  egress: true,
  stopped: false,
  frozen: false,
  observed: null,
}

test('a soft suspension is in force at once, waits for what runs, and stands still then', async () => {
  const life = await aLife()
  life.runningWorkflows = 1
  await life.order(suspend('soft'))
  expect(life.facts()).toEqual(['suspend-started'])
  expect(life.tenant().state).toBe('SUSPENDING')
  await life.pass(10 * MINUTE_MS)
  expect(shows(life)).toMatchObject({ state: 'SUSPENDING', pods: '0', running: 1, egress: true })
  life.runningWorkflows = 0
  await life.pass(5 * MINUTE_MS)
  expect(shows(life)).toEqual({ ...STILL, frozen: true, observed: 'soft' })
  expect(life.facts()).toEqual(['suspend-started', 'suspended'])
})

test('a hard suspension waits for nobody', async () => {
  const life = await aLife()
  life.runningWorkflows = 3
  await life.order(suspend('hard'))
  await life.pass(5 * MINUTE_MS)
  expect(shows(life)).toMatchObject({ ...STILL, observed: 'hard' })
})

test('the harder mode wins while a soft suspension waits, and a softer one changes nothing', async () => {
  const life = await aLife()
  life.runningWorkflows = 1
  await life.order(suspend('soft'))
  await life.pass(2 * MINUTE_MS)
  await life.order(suspend('hard'))
  await life.order(suspend('soft'))
  await life.pass(2 * MINUTE_MS)
  expect(shows(life)).toMatchObject({ ...STILL, observed: 'hard' })
  await life.order(suspend('soft'))
  await life.pass(2 * MINUTE_MS)
  expect(shows(life)).toMatchObject({ ...STILL, observed: 'hard' })
  expect(life.facts().filter((kind) => kind === 'suspended')).toHaveLength(1)
})

test('a suspended tenant is suspended harder when that is asked for', async () => {
  const life = await aLife()
  await life.order(suspend('soft'))
  await life.pass(2 * MINUTE_MS)
  await life.order(suspend('hard'))
  await life.pass(2 * MINUTE_MS)
  expect(shows(life)).toMatchObject({ ...STILL, observed: 'hard' })
})

test.each(['soft', 'hard'] as const)(
  'after a %s suspension resuming brings back exactly what was',
  async (mode) => {
    const life = await aLife()
    const before = objectsOf(life)
    await life.order(suspend(mode))
    await life.pass(5 * MINUTE_MS)
    await life.order(resume)
    await life.pass(5 * MINUTE_MS)
    expect(shows(life)).toEqual(WORKING)
    expect(objectsOf(life)).toEqual(before)
    expect(life.facts()).toEqual(['suspend-started', 'suspended', 'resumed'])
  },
)

test('resuming turns a suspension round that still waits', async () => {
  const life = await aLife()
  const before = objectsOf(life)
  life.runningWorkflows = 1
  await life.order(suspend('soft'))
  await life.pass(2 * MINUTE_MS)
  await life.order(resume)
  await life.pass(5 * MINUTE_MS)
  expect(shows(life)).toEqual(WORKING)
  expect(objectsOf(life)).toEqual(before)
  expect(life.facts()).toEqual(['suspend-started', 'resumed'])
  // The workflow ends at last: what billing says of the freeze concerns nobody any more.
  life.runningWorkflows = 0
  await life.pass(5 * MINUTE_MS)
  expect(shows(life)).toEqual(WORKING)
})

test('a suspension turns a resumption round', async () => {
  const life = await aLife()
  await life.order(suspend('soft'))
  await life.pass(5 * MINUTE_MS)
  life.world.cluster.fail = () => ({ kind: 'transient', code: 'cluster.unreachable', text: 'away' })
  await life.order(resume)
  await life.pass(2 * MINUTE_MS)
  expect(life.tenant().state).toBe('RESUMING')
  await life.order(suspend('hard'))
  life.world.cluster.fail = () => undefined
  await life.pass(10 * MINUTE_MS)
  expect(shows(life)).toMatchObject({ ...STILL, observed: 'hard' })
})

test('a resumption that the cluster refuses leaves the tenant suspended, and says that it is stuck', async () => {
  const life = await aLife()
  await life.order(suspend('hard'))
  await life.pass(5 * MINUTE_MS)
  let refusals = 3
  life.world.cluster.fail = (call) => {
    if (call !== 'apply HelmRelease/tenant-agents' || refusals === 0) return undefined
    refusals -= 1
    return { kind: 'permanent', code: 'cluster.invalid', text: 'no' }
  }
  await life.order(resume)
  await life.pass(60 * MINUTE_MS)
  expect(shows(life)).toMatchObject({ ...STILL, observed: 'hard' })
  expect(life.facts()).toContain('operation-stuck')
  life.world.cluster.fail = () => undefined
  await life.order(resume)
  await life.pass(10 * MINUTE_MS)
  expect(shows(life)).toEqual(WORKING)
})

test.each(['now', 'period_end'] as const)(
  'a tier ordered (%s) while the tenant is suspended is charged and given after it resumed',
  async (effective) => {
    const life = await aLife()
    await life.order(suspend('soft'))
    await life.pass(5 * MINUTE_MS)
    await life.order({ name: 'tier-change', toTier: 'premium', effective })
    await life.pass(DAY_MS)
    expect(shows(life)).toMatchObject(STILL)
    expect(life.paid()).toBe('standard')
    await life.order(resume)
    await life.pass(9 * DAY_MS)
    expect(shows(life)).toEqual({ ...WORKING, pods: '8' })
    expect([life.tenant().observed.tier, life.paid()]).toEqual(['premium', 'premium'])
    expect(life.facts()).toEqual(['suspend-started', 'suspended', 'resumed', 'tier-changed'])
  },
)

test('a scheduled tier change waits out a suspension that is over its day', async () => {
  const life = await aLife()
  await life.order({ name: 'tier-change', toTier: 'premium', effective: 'period_end' })
  await life.pass(5 * MINUTE_MS)
  await life.order(suspend('soft'))
  await life.pass(20 * DAY_MS)
  expect(shows(life)).toMatchObject({ ...STILL, observed: 'soft' })
  expect(life.tenant().observed.tier).toBe('standard')
  await life.order(resume)
  await life.pass(DAY_MS)
  expect(shows(life)).toEqual({ ...WORKING, pods: '8' })
  expect(life.facts()).toEqual(['suspend-started', 'suspended', 'resumed', 'tier-changed'])
})

test('a suspension that is asked for during a tier change follows it', async () => {
  const life = await aLife()
  life.world.cluster.fail = () => ({ kind: 'transient', code: 'cluster.unreachable', text: 'away' })
  await life.order({ name: 'tier-change', toTier: 'premium', effective: 'now' })
  await life.pass(2 * MINUTE_MS)
  await life.order(suspend('hard'))
  expect(life.tenant().state).toBe('TIER_CHANGING')
  life.world.cluster.fail = () => undefined
  await life.pass(10 * MINUTE_MS)
  expect(shows(life)).toMatchObject(STILL)
  expect(life.facts()).toEqual(['tier-changed', 'suspend-started', 'suspended'])
})

const crashes = Array.from({ length: 80 }, (_, at) => at + 1).flatMap((at) =>
  (['before', 'after'] as const).map((mode) => [at, mode] as const),
)

test.each(['soft', 'hard'] as const)(
  'whatever call is the last of a process, a %s suspension and the way back end as they should',
  async (mode) => {
    for (const [at, when] of crashes) {
      const life = await aLife()
      const before = objectsOf(life)
      const { crash, next } = dyingAt(life, at, when)
      await life.order(suspend(mode))
      await life.pass(10 * MINUTE_MS, next)
      expect(shows(life), `${when} ${at}`).toMatchObject({ ...STILL, observed: mode })
      await life.order(resume)
      await life.pass(10 * MINUTE_MS, next)
      expect(shows(life), `${when} ${at}`).toEqual(WORKING)
      expect(objectsOf(life)).toEqual(before)
      expect(life.facts()).toEqual(['suspend-started', 'suspended', 'resumed'])
      if (crash.reached !== true) break
    }
  },
)

/** What we applied, without the numbers that only rise. */
function objectsOf(life: Life): Record<string, unknown> {
  const ours = [...life.world.cluster.objects].filter(([path]) => !path.startsWith('Pod/'))
  return Object.fromEntries(ours.map(([path, { body }]) => [path, body['spec'] ?? body['data'] ?? {}]))
}

/** Somebody deletes the namespace, with all that is in it. */
function wipe({ world: { cluster } }: Life): void {
  for (const path of cluster.objects.keys())
    if (path.split('/')[1] === NAMESPACE) cluster.objects.delete(path)
  cluster.objects.delete(`Namespace//${NAMESPACE}`)
}

test.each([
  ['before it begins', 'find Namespace'],
  ['before it ends pods', 'list Pod'],
  ['before it closes the ways out', 'apply NetworkPolicy'],
])('a suspension whose namespace somebody deletes %s is done, and told', async (_when, moment) => {
  const life = await aLife()
  const { cluster } = life.world
  let wiped = false
  cluster.fail = (call) => {
    if (!wiped && call.startsWith(moment)) wipe(life)
    wiped ||= call.startsWith(moment)
    return undefined
  }
  await life.order(suspend('hard'))
  await life.pass(5 * MINUTE_MS)
  expect(life.tenant()).toMatchObject({
    state: 'SUSPENDED',
    op: null,
    observed: { suspension: { mode: 'hard' } },
  })
  expect(life.facts().toSorted()).toEqual(['drift-detected', 'suspend-started', 'suspended'])

  await life.order(resume)
  await life.pass(5 * MINUTE_MS)
  expect(life.operations('resume')).toMatchObject([
    { status: 'failed', failure: { code: 'cluster.namespace_missing' } },
  ])
  await life.order({ name: 'reconcile' })
  await life.pass(5 * MINUTE_MS)
  expect(shows(life)).toMatchObject({
    state: 'SUSPENDED',
    pods: '0',
    running: 0,
    egress: false,
    stopped: true,
  })
  await life.order(resume)
  await life.pass(5 * MINUTE_MS)
  expect(shows(life)).toEqual(WORKING)
})

test('a namespace that a backup brought back is the tenant’s once it is reconciled', async () => {
  const life = await aLife()
  const { cluster } = life.world
  const path = `Namespace//${NAMESPACE}`
  cluster.objects.set(path, { ...life.live(path), uid: 'uid-9999' })
  await life.order(suspend('hard'))
  await life.pass(5 * MINUTE_MS)
  expect(shows(life)).toMatchObject(STILL)
  await life.order({ name: 'reconcile' })
  await life.pass(5 * MINUTE_MS)
  expect(life.tenant().namespaceUid).toBe('uid-9999')
  await life.order(resume)
  await life.pass(5 * MINUTE_MS)
  expect(shows(life)).toEqual(WORKING)
})

/** Somebody writes the annotation by hand, as `kubectl annotate --overwrite` does. */
function raise(life: Life, path: string, revision: string): void {
  const change = (body: Record<string, unknown>) => {
    const metadata = asRecord(body['metadata']) ?? {}
    const annotations = { ...asRecord(metadata['annotations']), 'energent.ai/spec-rev': revision }
    body['metadata'] = { ...metadata, annotations }
  }
  life.world.cluster.edit(path, change, 'kubectl-annotate')
}

const QUOTA = `ResourceQuota/${NAMESPACE}/tenant-compute`

test.each([QUOTA, `Namespace//${NAMESPACE}`, `NetworkPolicy/${NAMESPACE}/default-deny`])(
  'a revision raised by hand on %s is adopted by a reconciliation, and everything applies afterwards',
  async (path) => {
    const life = await aLife()
    raise(life, path, '999999')
    await life.order({ name: 'reconcile' })
    await life.pass(5 * MINUTE_MS)
    expect(life.operations('reconcile')).toMatchObject([{ status: 'succeeded' }])
    expect(life.tenant().specRevision).toBe(1_000_000)
    expect(life.facts()).toContain('drift-detected')
    await life.order(suspend('hard'))
    await life.pass(5 * MINUTE_MS)
    expect(shows(life)).toMatchObject(STILL)
    await life.order(resume)
    await life.pass(5 * MINUTE_MS)
    expect(shows(life)).toEqual(WORKING)
  },
)

test('a suspension is not kept waiting by a revision raised by hand, and a late executor is still refused', async () => {
  const life = await aLife()
  const before = life.live(QUOTA)
  raise(life, QUOTA, '999999')
  await life.order(suspend('hard'))
  await life.pass(5 * MINUTE_MS)
  expect(shows(life)).toMatchObject(STILL)
  expect(life.facts()).toContain('drift-detected')
  const late = await life.world.cluster.apply(before.body as never, AbortSignal.timeout(1000))
  expect(late).toMatchObject({ ok: false, failure: { code: 'cluster.stale_revision' } })
})
