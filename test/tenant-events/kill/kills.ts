import { setTimeout as pause } from 'node:timers/promises'
import type { Stack } from '#local/stack/stack.ts'
import { TIERS, type Tier } from '#shared/catalogue/tiers.ts'
import { randomOf } from '#shared/testing/random.ts'
import { control, eventually } from '../../e2e/test-stack.ts'
import { type Holdings, holdingsOf } from './holdings.ts'

export type KillPlan = {
  /** How many tenants are asked for, all at once. */
  readonly tenants: number
  /** How often the process dies while they are provisioned. */
  readonly kills: number
  /** Draws when it dies. */
  readonly seed: number
  readonly print?: (line: string) => void
}

export type KillFigures = {
  readonly tenants: number
  readonly kills: number
  /** Kills that took a process away which held a lease at that moment, as the documents show. */
  readonly interrupted: number
  readonly seconds: number
  /** What is not as it is with a tenant of the same tier that was provisioned in peace. */
  readonly wrong: readonly string[]
}

const AT_ONCE = 25
/** Of real time; the stack's own passes faster. */
const ACTIVE_WITHIN_MS = 25 * 60_000
/** Looks, 10 ms apart, without anybody at work: then there is nothing left to be killed at. */
const IDLE_ROUNDS = 2_000
/** How long a process works before it is killed. */
const WORKS_MS = { from: 5, to: 500 }

/**
 * Ends the process of tenant-events with `kill -9` again and again while many tenants are provisioned, and
 * compares each with one of its tier that was provisioned in peace.
 */
export async function killDuringProvisioning(stack: Stack, plan: KillPlan): Promise<KillFigures> {
  const startedMs = performance.now()
  const say = plan.print ?? (() => {})
  const token = await eventually('an operator token', () => stack.api().token(stack.info().operator))
  const inPeace = new Map<Tier, Holdings>()
  for (const tier of TIERS) {
    await ask(stack, token, `peace-${tier}`, tier)
    await eventually(`peace-${tier} active`, () => isActive(stack, token, `peace-${tier}`), 60_000)
  }
  await settle(stack)
  for (const tier of TIERS) inPeace.set(tier, await holdingsOf(stack, `peace-${tier}`))
  say(`${TIERS.length} tenants in peace`)
  const wanted = Array.from({ length: plan.tenants }, (_none, at) => ({
    tenantId: `killed-${at}`,
    tier: TIERS[at % TIERS.length] ?? 'basic',
  }))
  const killing = killAtRandom(stack, plan, say)
  await inBatches(wanted, AT_ONCE, ({ tenantId, tier }) => ask(stack, token, tenantId, tier))
  say(`${wanted.length} tenants accepted`)
  const { done, interrupted } = await killing
  await untilActive(stack, token, wanted, say)
  await settle(stack)
  const wrong: string[] = []
  for (const { tenantId, tier } of wanted) {
    const expected = inPeace.get(tier)
    if (expected === undefined) throw new Error(`no tenant of ${tier} was provisioned in peace`)
    wrong.push(...differences(tenantId, expected, await holdingsOf(stack, tenantId)))
  }
  const seconds = (performance.now() - startedMs) / 1000
  return { tenants: wanted.length, kills: done, interrupted, seconds, wrong }
}

/** Asks until it is taken, as any client does whose connection broke; the key makes that harmless. */
async function ask(stack: Stack, token: string, tenantId: string, tier: Tier): Promise<void> {
  const json = {
    ...{ tenantId, displayName: tenantId, tier },
    ...{ deploymentModel: 'multi_tenant', region: 'us-central1' },
  }
  const headers = { 'idempotency-key': tenantId }
  await eventually(
    `${tenantId} accepted`,
    async () => {
      const answer = await stack.api().call('POST', '/v1/tenants', { token, json, headers })
      return answer.status === 202 ? true : undefined
    },
    60_000,
  )
}

async function isActive(stack: Stack, token: string, tenantId: string): Promise<true | undefined> {
  const answer = await stack.api().call('GET', `/v1/tenants/${tenantId}`, { token })
  return answer.body['state'] === 'ACTIVE' && answer.body['operation'] === null ? true : undefined
}

/** Kills the process each time it has begun to work, a moment later. */
async function killAtRandom(
  stack: Stack,
  { kills, seed }: KillPlan,
  say: (line: string) => void,
): Promise<{ done: number; interrupted: number }> {
  const random = randomOf(seed, 'kills')
  const left = new Set<string>()
  let interrupted = 0
  let done = 0
  const inHand = (): string[] => leasesHeld(stack).filter((lease) => !left.has(lease))
  for (let kill = 0; kill < kills; kill += 1) {
    if (!(await untilBusy(stack, inHand))) break
    await pause(random.between(WORKS_MS.from, WORKS_MS.to))
    const pid = stack.info().functions['tenant-events']?.pid
    if (pid === undefined || !killed(pid)) continue
    // A lease that somebody left when he died is still there until another one takes it.
    const held = inHand()
    for (const lease of held) left.add(lease)
    interrupted += held.length > 0 ? 1 : 0
    done += 1
    await eventually('tenant-events runs again', async () => {
      const next = stack.info().functions['tenant-events']?.pid
      return next !== undefined && next !== pid ? next : undefined
    })
    if ((kill + 1) % 10 === 0) say(`${kill + 1} kills, the last one with ${held.length} operations in hand`)
  }
  return { done, interrupted }
}

/** False when there is no such process any more: it is being started again. */
function killed(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL')
  } catch {
    return false
  }
}

/**
 * Until somebody works; false when nobody will. When nobody does for long, minutes pass: the sweep asks for
 * what the dead left.
 */
async function untilBusy(stack: Stack, inHand: () => readonly string[]): Promise<boolean> {
  for (let round = 0; inHand().length === 0; round += 1) {
    await pause(10)
    if (round % 200 === 199) await control(stack, 'POST', '/clock', { advanceSeconds: 61 }).catch(() => {})
    if (round > IDLE_ROUNDS) return false
  }
  return true
}

/** The operations that somebody works on right now, by tenant and fence. */
function leasesHeld(stack: Stack): string[] {
  const documents = stack.parts().engines.firestore?.dump() ?? []
  return documents.flatMap(({ path, data }) => {
    if (!/^tenants\/[^/]+$/.test(path)) return []
    const { op } = data as { op?: { leaseUntilMs?: number; fence?: number } | null }
    return Number(op?.leaseUntilMs ?? 0) > 0 ? [`${path} ${op?.fence}`] : []
  })
}

/** Lets minutes pass, so that leases of the dead run out and the sweep asks again. */
async function untilActive(
  stack: Stack,
  token: string,
  wanted: readonly { readonly tenantId: string }[],
  say: (line: string) => void,
): Promise<void> {
  let waiting = wanted
  const untilMs = performance.now() + ACTIVE_WITHIN_MS
  for (let minute = 1; waiting.length > 0 && performance.now() < untilMs; minute += 1) {
    // Refused while messages are on their way: then it is not time that is wanting.
    await control(stack, 'POST', '/clock', { advanceSeconds: 61 }).catch(() => pause(1_000))
    const fresh = minute % 10 === 0 ? await stack.api().token(stack.info().operator) : token
    const left: { readonly tenantId: string }[] = []
    await inBatches(waiting, AT_ONCE, async (tenant) => {
      if ((await isActive(stack, fresh, tenant.tenantId)) !== true) left.push(tenant)
    })
    waiting = left
    say(`after ${minute} minutes ${waiting.length} are not active`)
  }
}

/** Until every message and every row of an outbox has gone its way. */
async function settle(stack: Stack): Promise<void> {
  await aMinuteLater(stack)
  await stack.parts().pusher.idle()
}

/** The clock moves once all is quiet; with hundreds of tenants under way that is not at once. */
async function aMinuteLater(stack: Stack): Promise<void> {
  await eventually(
    'a minute has passed',
    () => control(stack, 'POST', '/clock', { advanceSeconds: 61 }).catch(() => undefined),
    600_000,
  )
}

function differences(tenantId: string, expected: Holdings, found: Holdings): string[] {
  return (Object.keys(expected) as (keyof Holdings)[]).flatMap((name) => {
    const [want, have] = [expected[name], found[name]]
    const missing = want.filter((item) => !have.includes(item))
    const more = have.filter((item) => !want.includes(item))
    const doubled = have.length !== new Set(have).size ? [`${name} more than once`] : []
    const said = [
      ...missing.slice(0, 3).map((item) => `${name} without ${item.slice(0, 200)}`),
      ...more.slice(0, 3).map((item) => `${name} with ${item.slice(0, 200)}`),
      ...doubled,
    ]
    return said.map((what) => `${tenantId}: ${what}`)
  })
}

async function inBatches<T>(
  items: readonly T[],
  size: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  for (let at = 0; at < items.length; at += size) await Promise.all(items.slice(at, at + size).map(work))
}
