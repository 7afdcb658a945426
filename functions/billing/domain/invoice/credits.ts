import { burnOrder } from '../rating/phases.ts'
import type { RatedLine } from './line.ts'
import type { PrepaidCredit } from './terms.ts'

/** What one grant pays of one line. */
export type Burn = { readonly grantId: string; readonly lineKey: string; readonly minor: bigint }

/**
 * Pays lines with prepaid credit: grants in their order (priority, expiry with none last, creation, id),
 * each over the lines in theirs, as far as its scope goes. Credit counts at the end of what a line is for:
 * it must have begun before, and not have ended. Nothing is paid twice, and no grant beyond what is left.
 */
export function burnCredits(
  lines: readonly (RatedLine & { readonly servedUntilMs: number })[],
  credits: readonly PrepaidCredit[],
): Burn[] {
  const owed = new Map(lines.map((line) => [line.lineKey, line.minor]))
  const burns: Burn[] = []
  for (const credit of credits.toSorted(byBurnOrder)) {
    let left = credit.remainingMinor
    for (const line of lines) {
      const due = owed.get(line.lineKey) ?? 0n
      if (left <= 0n) break
      if (due <= 0n || !pays(credit, line)) continue
      const minor = due < left ? due : left
      burns.push({ grantId: credit.grantId, lineKey: line.lineKey, minor })
      owed.set(line.lineKey, due - minor)
      left -= minor
    }
  }
  return burns
}

function pays(credit: PrepaidCredit, line: RatedLine & { readonly servedUntilMs: number }): boolean {
  const { effectiveAtMs, endsAtMs, scope = {} } = credit
  if (effectiveAtMs >= line.servedUntilMs) return false
  if (endsAtMs !== undefined && endsAtMs < line.servedUntilMs) return false
  const { meters, priceIds, kinds } = scope
  if (meters !== undefined && !(line.meter !== null && meters.includes(line.meter))) return false
  if (kinds !== undefined && !kinds.includes(line.kind)) return false
  return priceIds === undefined || priceIds.includes(line.priceRef.slice(line.priceRef.indexOf('/') + 1))
}

function byBurnOrder(left: PrepaidCredit, right: PrepaidCredit): number {
  return burnOrder(orderOf(left), orderOf(right))
}

function orderOf(credit: PrepaidCredit): Parameters<typeof burnOrder>[0] {
  const minute = (ms: number): number => Math.floor(ms / 60_000) * 60_000
  return {
    id: credit.grantId,
    priority: BigInt(credit.priority),
    expiresAtMs: credit.endsAtMs === undefined ? Number.POSITIVE_INFINITY : minute(credit.endsAtMs),
    createdAtMs: minute(credit.createdAtMs),
  }
}
