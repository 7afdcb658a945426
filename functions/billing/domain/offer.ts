import { effectiveMs, type WantedChange } from './change-plan.ts'
import type { PlanVersion } from './plan.ts'
import type { Subscription, Terms } from './subscription.ts'
import { phasesOf, termsAt } from './subscription-phases.ts'

/**
 * Whether any tenant of the tier may choose a version. `newest` is the plan's version that holds now: once
 * it is unlisted the plan is offered no more, in none of its versions.
 */
export function isOffered(plan: PlanVersion, newest: PlanVersion | undefined): boolean {
  return plan.listed && newest?.listed !== false
}

/**
 * Whether a change leaves a tenant on the very version that it has from then on anyway. Where another plan
 * waits for its day it does not: what operators ended, a tenant does not prolong.
 */
export function staysOn(
  current: Subscription | undefined,
  { planId, version }: PlanVersion,
  effective: WantedChange['effective'],
  nowMs: number,
): boolean {
  if (current?.status !== 'active') return false
  const isIt = (terms: Terms): boolean => terms.planId === planId && terms.planVersion === version
  const atMs = effectiveMs(current, effective, nowMs)
  const later = phasesOf(current).filter(({ fromMs }) => fromMs > atMs)
  return isIt(termsAt(current, atMs)) && later.every(({ terms }) => isIt(terms))
}
