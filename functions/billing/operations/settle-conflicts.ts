import type { TenantContext } from '#shared/tenancy/context.ts'
import { correctionsOf } from '../domain/apply-corrections.ts'
import { dayKeysOf, type Period } from '../domain/calendar.ts'
import { correctionBatches, restoreCorrection } from '../domain/correction.ts'
import { crossHourConflicts, hoursOfIds, voidsOfLosers } from '../domain/cross-hour.ts'
import type { Said } from '../domain/find-conflicts.ts'
import type { BillingDeps, LedgerBatch, Reading, UsageConflict } from '../ports.ts'
import { rollUp } from './roll-up-tenant.ts'

type FindDeps = Pick<BillingDeps, 'ledger' | 'corrections'>
export type SettleDeps = FindDeps & Pick<BillingDeps, 'rollups' | 'live' | 'reads' | 'versionOf' | 'meters'>

/**
 * The ids that stand in several hours of a period with different contents, by one pass over all of its
 * events and a second one only where the first has found something. What has been settled is not found again.
 */
export async function findCrossHourConflicts(
  deps: FindDeps,
  ctx: TenantContext,
  period: Period,
  reading: Reading,
): Promise<readonly UsageConflict[]> {
  const ids = hoursOfIds()
  const isWithin = (timeMs: number): boolean => timeMs >= period.fromMs && timeMs < period.toMs
  await eachDay(deps, ctx, period, reading, ({ events }) => {
    for (const event of events) if (isWithin(event.timeMs)) ids.note(event)
  })
  if (ids.suspects === 0) return []
  const said: Said[] = []
  await eachDay(deps, ctx, period, reading, ({ batchId, events }) => {
    for (const event of events) {
      if (isWithin(event.timeMs) && ids.isSuspect(event.key)) said.push({ event, batchId })
    }
  })
  return crossHourConflicts(said, correctionsOf(await deps.corrections.all(ctx)))
}

/**
 * Settles them: what lost is taken back by voids of just those contents, the conflicts are kept, and the
 * hours are rolled up again. For the close of a period, before anything is computed; done again it finds
 * nothing. Returns how many there were.
 */
export async function settleCrossHourConflicts(
  deps: SettleDeps,
  ctx: TenantContext,
  period: Period,
  run: { readonly reading: Reading; readonly nowMs: number },
): Promise<number> {
  const conflicts = await findCrossHourConflicts(deps, ctx, period, run.reading)
  if (conflicts.length === 0) return 0
  await deps.rollups.keepConflicts(ctx, conflicts)
  const voids = conflicts.flatMap((conflict) => voidsOfLosers(conflict, ctx.tenantId)).map(restoreCorrection)
  for (const batch of correctionBatches(voids)) await deps.corrections.append(ctx, batch, run.nowMs)
  await rollUp(deps, ctx, run)
  return conflicts.length
}

/** The batches of each day; one that touches two days comes twice. */
async function eachDay(
  deps: FindDeps,
  ctx: TenantContext,
  period: Period,
  reading: Reading,
  look: (batch: LedgerBatch) => void,
): Promise<void> {
  for (const day of dayKeysOf(period)) {
    reading.check()
    const read = await deps.ledger.days(ctx, [day], reading)
    if (!read.ok) throw new Error(`the ledger cannot be read: ${read.detail}`)
    for (const batch of read.value.get(day) ?? []) look(batch)
  }
}
