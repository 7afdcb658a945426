import { type Result, refuse } from '#shared/result.ts'
import { faultInMeter, type MeterVersion, parseWantedMeter } from '../domain/meter.ts'
import { parseWantedPlan } from '../domain/parse-plan.ts'
import type { PlanVersion } from '../domain/plan.ts'
import type { Kept } from '../ports/contracts.ts'
import type { BillingDeps } from '../ports.ts'

/** All instances know a meter's version before it is valid; they look once a minute. */
const METER_NOTICE_MS = 10 * 60_000

/**
 * Adds a plan or the next version of one. What exists is never changed: the same contents under the same
 * number are what is there, other contents are a conflict.
 */
export async function addPlanVersion(
  deps: Pick<BillingDeps, 'plans'>,
  raw: unknown,
  { isNew, nowMs }: { readonly isNew: boolean; readonly nowMs: number },
): Promise<Result<Kept<PlanVersion>>> {
  const wanted = parseWantedPlan(raw)
  if (!wanted.ok) return { ...wanted, code: 'plan.invalid' }
  const { validFrom, version: asked, ...terms } = wanted.value
  const entry = await deps.plans.findEntry(terms.planId)
  if (entry === undefined && !isNew) return refuse('resource.not_found', 'no such plan')
  const validFromMs = validFrom === undefined ? nowMs : Date.parse(validFrom)
  const version = asked ?? (isNew ? 1 : (entry?.latest ?? 0) + 1)
  const plan: PlanVersion = { ...terms, version, validFromMs }
  // What is sold already must not turn out to have cost something else.
  if (validFromMs < nowMs && version > (entry?.latest ?? 0)) {
    return refuse('plan.invalid', 'validFrom', 'validFrom: must not lie in the past')
  }
  return deps.plans.add(plan, nowMs)
}

/** Adds the next version of a meter, to measure events from an instant that all instances will know of. */
export async function addMeterVersion(
  deps: Pick<BillingDeps, 'meters'>,
  raw: unknown,
  nowMs: number,
): Promise<Result<Kept<MeterVersion>>> {
  const wanted = parseWantedMeter(raw)
  if (!wanted.ok) return { ...wanted, code: 'meter.invalid' }
  const { validFrom, version: asked, ...definition } = wanted.value
  const fault = faultInMeter(definition)
  if (fault !== undefined) return refuse('meter.invalid', fault, fault)
  const known = await deps.meters.versions(definition.meterId)
  const latest = Math.max(...known.map(({ version }) => version))
  const version = asked ?? latest + 1
  const validFromMs = Date.parse(validFrom)
  if (version > latest && validFromMs < nowMs + METER_NOTICE_MS) {
    return refuse('meter.invalid', 'validFrom', 'validFrom: must be at least ten minutes ahead')
  }
  return deps.meters.add({ ...definition, version, validFromMs }, nowMs)
}
