import type { TenantContext } from '#shared/tenancy/context.ts'
import { type Corrections, correctionsOf, countedAtMs } from '../domain/apply-corrections.ts'
import { hourKey } from '../domain/calendar.ts'
import { contradictions } from '../domain/find-conflicts.ts'
import { type FoldedHour, foldingHour } from '../domain/fold-hour.ts'
import { keyIndexOf } from '../domain/key-index.ts'
import { merkleRoot } from '../domain/merkle.ts'
import { countRepeats } from '../domain/repeats.ts'
import { periodOfHour } from '../domain/spans.ts'
import { tallyEvents } from '../domain/tally.ts'
import type { BillingDeps, HourFold, LedgerBatch, Reading } from '../ports.ts'

type Deps = Pick<BillingDeps, 'ledger' | 'corrections' | 'rollups' | 'versionOf'>

/**
 * Folds one UTC hour of the ledger and stores its roll-up; true when it changed. The same events in any
 * order, copies and batches give the same content.
 */
export async function rollUpHour(
  deps: Deps,
  ctx: TenantContext,
  hour: string,
  run: { readonly reading: Reading; readonly nowMs: number },
): Promise<boolean> {
  let moved: readonly Moved[] = []
  const changed = await deps.rollups.foldHour(ctx, hour, async () => {
    const read = await deps.ledger.hours(ctx, [hour], run.reading)
    if (!read.ok) throw new Error(`the hour ${hour} cannot be read: ${read.detail}`)
    const batches = read.value.get(hour) ?? []
    // After the batches: a correction that this does not see finds the hour as it is now, and reopens it.
    const corrections = correctionsOf(await deps.corrections.all(ctx))
    const events = batches.flatMap((batch) => batch.events)
    const folded = await run.reading.work(foldingHour(events, periodOfHour(hour), corrections))
    moved = movedFrom(hour, batches, folded, corrections)
    return hourFold(deps, batches, folded, keysSaidOf(hour, batches, corrections))
  })
  for (const { event, to } of moved) await deps.corrections.copyTo(ctx, event, to, run.nowMs)
  return changed
}

function hourFold(
  deps: Pick<BillingDeps, 'versionOf'>,
  batches: readonly LedgerBatch[],
  folded: FoldedHour,
  keys: Iterable<string>,
): HourFold {
  const said = batches.flatMap(({ batchId, events }) => events.map((event) => ({ event, batchId })))
  return {
    batchCount: batches.length,
    tallies: tallyEvents(folded.events, deps.versionOf),
    repeats: countRepeats(folded.copies, folded.conflicts),
    root: merkleRoot(folded.events.map(({ key }) => key).sort()),
    events: folded.events.length,
    conflicts: contradictions(said, folded.said, folded.conflicts),
    newestMs: batches.reduce((newest, { receivedAtMs }) => Math.max(newest, receivedAtMs), 0),
    keys: keyIndexOf(keys),
  }
}

/** The keys of all that counts in the hour, has counted or could: an older invoice may rest on what is void now. */
function keysSaidOf(hour: string, batches: readonly LedgerBatch[], corrections: Corrections): string[] {
  const { fromMs, toMs } = periodOfHour(hour)
  const isHere = (timeMs: number): boolean => timeMs >= fromMs && timeMs < toMs
  return batches.flatMap(({ events }) =>
    events
      .filter(({ key, timeMs }) => isHere(timeMs) || corrections.timesGiven(key).some(isHere))
      .map(({ key }) => key),
  )
}

type Moved = { readonly event: { readonly batch: string; readonly key: string }; readonly to: string }

/** Events of this hour that were given a time in another one, where a copy must be found. */
function movedFrom(
  hour: string,
  batches: readonly LedgerBatch[],
  folded: FoldedHour,
  corrections: Corrections,
): Moved[] {
  return folded.said.flatMap((event) => {
    const to = hourKey(countedAtMs(event, corrections))
    if (to === hour) return []
    const batch = batches.find(({ events }) =>
      events.some(({ key, digest }) => key === event.key && digest === event.digest),
    )
    return batch === undefined ? [] : [{ event: { batch: batch.name, key: event.key }, to }]
  })
}
