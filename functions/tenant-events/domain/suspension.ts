import type { Hold, Suspension, SuspensionMode, Tenant } from './tenant.ts'

const HARDNESS: Readonly<Record<SuspensionMode, number>> = { soft: 1, hard: 2 }

/** Whether `held` holds at least as hard as `wanted` asks for. */
export function holdsAsHard(
  held: Pick<Suspension, 'mode'> | null,
  wanted: Pick<Suspension, 'mode'>,
): boolean {
  return held !== null && HARDNESS[held.mode] >= HARDNESS[wanted.mode]
}

/** The tenant with another set of holds; the hardest of them is what is desired, an operator's first. */
export function withHolds(tenant: Tenant, holds: readonly Hold[]): Tenant {
  const [hardest] = holds.toSorted(
    (left, right) => HARDNESS[right.mode] - HARDNESS[left.mode] || right.by.localeCompare(left.by),
  )
  const suspension = hardest === undefined ? null : { mode: hardest.mode, reason: hardest.reason }
  return { ...tenant, holds, desired: { ...tenant.desired, suspension } }
}

/** The tenant held by one more, or by the same one for another reason; what that one holds harder stays. */
export function hold(tenant: Tenant, added: Hold): Tenant {
  const isHarder = tenant.holds.some(
    ({ by, mode }) => by === added.by && HARDNESS[mode] > HARDNESS[added.mode],
  )
  if (isHarder) return tenant
  return withHolds(tenant, [...tenant.holds.filter(({ by }) => by !== added.by), added])
}

/**
 * The tenant let go. An operator lets go for everybody; billing of its own hold alone, so that paying a
 * bill does not free a tenant who is held for abuse.
 */
export function letGo(tenant: Tenant, by: Hold['by']): Tenant {
  return withHolds(tenant, by === 'operator' ? [] : tenant.holds.filter((held) => held.by !== by))
}
