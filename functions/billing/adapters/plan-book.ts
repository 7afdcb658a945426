import { z } from 'zod'
import { TIERS } from '#shared/catalogue/tiers.ts'
import type { Clock } from '#shared/clock.ts'
import type { Doc } from '#shared/firestore/scoped.ts'
import type { SystemFirestore, SystemScope } from '#shared/firestore/system.ts'
import type { Ids } from '#shared/ids.ts'
import { canonicalJson, parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { EXAMPLE_PLANS } from '../domain/example-plans.ts'
import { parsePlanVersion } from '../domain/parse-plan.ts'
import { defaultPlan, type PlanVersion } from '../domain/plan.ts'
import type { Kept, PlanBook, PlanEntry } from '../ports/contracts.ts'

const PLANS = 'plans'
const MOST_PLANS = 500
const CACHE_MS = 60_000
const MOST_VERSIONS_HELD = 1_000

const parseEntry = parser<PlanEntry>(
  z.object({
    planId: z.string(),
    tier: z.enum(TIERS),
    latest: z.number().int(),
    retiredAtMs: z.number().int().nullable(),
  }),
)

type Deps = { readonly system: SystemFirestore; readonly ids: Ids; readonly clock: Clock }

/**
 * Plans as documents: an entry for each with the number of its newest version, and the versions below it,
 * created and never written again. What was read of a version holds for ever; what is sold, for a minute.
 */
export function firestorePlanBook(deps: Deps): PlanBook {
  const { system, clock } = deps
  const known = new Map<string, PlanVersion>()
  let sold: { readonly plans: readonly PlanVersion[]; readonly untilMs: number } | undefined
  const find = async (planId: string, version: number): Promise<PlanVersion | undefined> => {
    const key = `${planId}@${version}`
    const held = known.get(key) ?? shipped(planId, version)
    if (held !== undefined) return held
    const found = await system.find(versionsOf(planId), String(version), parsePlanVersion)
    if (found === undefined) return undefined
    if (known.size >= MOST_VERSIONS_HELD) known.clear()
    known.set(key, found.value)
    return found.value
  }
  const at = async (planId: string, atMs: number): Promise<PlanVersion | undefined> => {
    const entry = await system.find(PLANS, planId, parseEntry)
    const latest = entry?.value.latest ?? (shipped(planId, 1) === undefined ? 0 : 1)
    for (let version = latest; version >= 1; version -= 1) {
      const plan = await find(planId, version)
      if (plan !== undefined && plan.validFromMs <= atMs) return plan
    }
    return undefined
  }
  const onSale = async (atMs: number): Promise<readonly PlanVersion[]> => {
    if (sold !== undefined && clock.now() < sold.untilMs) return sold.plans
    const entries = await seeded(deps)
    const live = entries.filter(({ value }) => value.retiredAtMs === null)
    const plans = await Promise.all(live.map(({ value }) => at(value.planId, atMs)))
    sold = { plans: plans.filter((plan) => plan !== undefined), untilMs: clock.now() + CACHE_MS }
    return sold.plans
  }
  return {
    find,
    at,
    forTier: async (tier, atMs) => defaultPlan(tier, await onSale(atMs)),
    findEntry: async (planId) => {
      await seeded(deps)
      return (await system.find(PLANS, planId, parseEntry))?.value
    },
    list: async (after, limit) => {
      const entries = await seeded(deps)
      const left = entries.map(({ value }) => value).filter(({ planId }) => planId > (after ?? ''))
      return left.slice(0, limit)
    },
    versions: async (planId) => {
      const entry = await system.find(PLANS, planId, parseEntry)
      const numbers = Array.from({ length: entry?.value.latest ?? 0 }, (_, index) => index + 1)
      const found = await Promise.all(numbers.map((version) => find(planId, version)))
      return found.filter((plan) => plan !== undefined)
    },
    add: async (plan, nowMs) => {
      const added = await addVersion(deps, plan, nowMs)
      sold = undefined
      return added
    },
    retire: async (planId, nowMs) => {
      const retired = await retire(deps, planId, nowMs)
      sold = undefined
      return retired
    },
  }
}

async function addVersion(deps: Deps, plan: PlanVersion, nowMs: number): Promise<Result<Kept<PlanVersion>>> {
  const { system, ids } = deps
  const { planId, version } = plan
  for (;;) {
    await seeded(deps)
    const entry = await system.find(PLANS, planId, parseEntry)
    const latest = entry?.value.latest ?? 0
    const before =
      latest === 0 ? undefined : await system.find(versionsOf(planId), String(latest), parsePlanVersion)
    if (before !== undefined && version === latest && isSame(before.value, plan)) {
      return ok({ outcome: 'existed', value: before.value })
    }
    if (version !== latest + 1) return refuse('plan.version_conflict', `the next version is ${latest + 1}`)
    if (before !== undefined && before.value.tier !== plan.tier) {
      return refuse('plan.tier_mismatch', `${planId} is for the tier ${before.value.tier}`)
    }
    if (before !== undefined && plan.validFromMs < before.value.validFromMs) {
      return refuse('plan.invalid', 'validFrom', 'validFrom: must not be before the version before')
    }
    const fields = { planId, tier: plan.tier, latest: version, retiredAtMs: null }
    const writes = [
      entry === undefined ? system.create(PLANS, planId, fields) : system.update(PLANS, entry, fields),
      system.create(versionsOf(planId), String(version), { ...plan }),
    ]
    const outcome = await system.commit(writes, ids.uuid(nowMs))
    if (outcome.kind === 'committed') return ok({ outcome: 'created', value: plan })
    // Somebody else made a version in between: look again.
  }
}

async function retire(deps: Deps, planId: string, nowMs: number): Promise<Result<PlanEntry>> {
  const { system, ids } = deps
  for (;;) {
    await seeded(deps)
    const entry = await system.find(PLANS, planId, parseEntry)
    if (entry === undefined) return refuse('resource.not_found', 'no such plan')
    if (entry.value.retiredAtMs !== null) return ok(entry.value)
    const retired = { ...entry.value, retiredAtMs: nowMs }
    const outcome = await system.commit([system.update(PLANS, entry, retired)], ids.uuid(nowMs))
    if (outcome.kind === 'committed') return ok(retired)
  }
}

/** All entries by id; the shipped plans are among them when this returns. */
async function seeded(deps: Deps): Promise<readonly Doc<SystemScope, PlanEntry>[]> {
  const { system, ids, clock } = deps
  for (;;) {
    const options = { orderBy: [['__name__', 'asc']] as const, limit: MOST_PLANS }
    const entries = await system.list(PLANS, options, parseEntry)
    const missing = EXAMPLE_PLANS.filter(({ planId }) => !entries.some(({ id }) => id === planId))
    if (missing.length === 0) return entries
    const writes = missing.flatMap((plan) => {
      const { planId, tier, version } = plan
      return [
        system.create(PLANS, planId, { planId, tier, latest: version, retiredAtMs: null }),
        system.create(versionsOf(planId), String(version), { ...plan }),
      ]
    })
    await system.commit(writes, ids.uuid(clock.now()))
  }
}

/** What is shipped is known before it is stored. */
function shipped(planId: string, version: number): PlanVersion | undefined {
  return EXAMPLE_PLANS.find((plan) => plan.planId === planId && plan.version === version)
}

function versionsOf(planId: string): string {
  return `${PLANS}/${planId}/versions`
}

/** A repeat of a request says the same, but for a beginning that was left out. */
function isSame(stored: PlanVersion, wanted: PlanVersion): boolean {
  const said = (plan: PlanVersion): string => canonicalJson({ ...plan, validFromMs: 0 })
  return said(stored) === said(wanted)
}
