import { ok, type Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { type Corrections, correctionsOf } from '../domain/apply-corrections.ts'
import { dayKey, type Period } from '../domain/calendar.ts'
import { foldingHour } from '../domain/fold-hour.ts'
import type { DayLeaves, TallyRoot } from '../domain/invoice/line-tree.ts'
import { merkleRoot } from '../domain/merkle.ts'
import { periodOfHour } from '../domain/spans.ts'
import { type Tally, tallyEvents, tallyKey } from '../domain/tally.ts'
import type { CountedEvent } from '../domain/usage-event.ts'
import type { BillingDeps, LiveHour, Reading } from '../ports.ts'

export type EvidenceDeps = Pick<BillingDeps, 'ledger' | 'corrections' | 'live' | 'rollups' | 'versionOf'>

/** What usage a line is made of, and as of when. */
export type EvidenceQuery = {
  readonly ctx: TenantContext
  readonly period: Period
  readonly isIn: (tally: Pick<Tally, 'meter' | 'group'>) => boolean
  /** What was received later is left out; everything is in it where undefined. */
  readonly asOfMs: number | undefined
  readonly reading: Reading
}

/** The hours of a period in which something is, ascending. */
export async function hoursWithUsage(
  deps: Pick<EvidenceDeps, 'live'>,
  { ctx, period }: Pick<EvidenceQuery, 'ctx' | 'period'>,
): Promise<ReadonlyMap<string, LiveHour>> {
  const live = await deps.live.hours(ctx, dayKey(period.fromMs), dayKey(period.toMs - 1))
  const near = [...live].filter(([hour]) => {
    const { fromMs, toMs } = periodOfHour(hour)
    return toMs > period.fromMs && fromMs < period.toMs
  })
  return new Map(near.sort(([left], [right]) => (left < right ? -1 : 1)))
}

/** By UTC day the tallies of a line with their roots: from the roll-ups of days, else hour by hour. */
export async function dayLeaves(deps: EvidenceDeps, query: EvidenceQuery): Promise<Result<DayLeaves[]>> {
  const { ctx, period, isIn } = query
  const live = await hoursWithUsage(deps, query)
  const rollups =
    query.asOfMs === undefined
      ? await deps.rollups.days(ctx, dayKey(period.fromMs), dayKey(period.toMs - 1))
      : new Map<string, never>()
  const leaves: DayLeaves[] = []
  for (const [day, hours] of Map.groupBy(live.keys(), (hour) => hour.slice(0, 8))) {
    const rollup = rollups.get(day)
    const whole = hours.every((hour) => isWhole(hour, period))
    const exact =
      rollup?.tallies !== undefined &&
      hours.every((hour) => rollup.hours[hour.slice(8)]?.batchCount === live.get(hour)?.batches)
    if (whole && exact && rollup?.tallies !== undefined) {
      leaves.push({ day, tallies: rollup.tallies.filter(isIn) })
      continue
    }
    const folded = await hourLeaves(deps, query, hours)
    if (!folded.ok) return folded
    leaves.push({ day, tallies: ofDay(folded.value) })
  }
  return ok(leaves)
}

export type HourLeaves = { readonly hour: string; readonly tallies: readonly TallyRoot[] }

/** The tallies of a line in some hours of one day, with their roots over event keys. */
export async function hourLeaves(
  deps: EvidenceDeps,
  query: EvidenceQuery,
  hours: readonly string[],
): Promise<Result<HourLeaves[]>> {
  const leaves: HourLeaves[] = []
  for (const hour of hours) {
    const events = await eventsOfHour(deps, query, hour)
    if (!events.ok) return events
    leaves.push({ hour, tallies: tallyEvents(events.value, deps.versionOf).filter(query.isIn) })
  }
  return ok(leaves)
}

/** The root of a day is over the roots of its hours. */
export function ofDay(hours: readonly HourLeaves[]): TallyRoot[] {
  const byTally = Map.groupBy(
    hours.flatMap(({ tallies }) => tallies),
    (tally) => tallyKey(tally),
  )
  return [...byTally.values()].flatMap((parts) => {
    const [first] = parts
    if (first === undefined) return []
    const events = parts.reduce((sum, part) => sum + part.events, 0)
    return [{ ...first, events, root: merkleRoot(parts.map(({ root }) => root)) }]
  })
}

/** The events of an hour that count in the period, each once and as corrected. */
export async function eventsOfHour(
  deps: Pick<EvidenceDeps, 'ledger' | 'corrections'>,
  { ctx, period, asOfMs = Number.POSITIVE_INFINITY, reading }: EvidenceQuery,
  hour: string,
): Promise<Result<readonly CountedEvent[]>> {
  const read = await deps.ledger.hours(ctx, [hour], reading)
  if (!read.ok) return read
  const batches = (read.value.get(hour) ?? []).filter(({ receivedAtMs }) => receivedAtMs <= asOfMs)
  const corrections = await correctionsAsOf(deps, ctx, asOfMs)
  const events = batches.flatMap((batch) => batch.events)
  const folded = await reading.work(foldingHour(events, periodOfHour(hour), corrections))
  return ok(folded.events.filter(({ timeMs }) => timeMs >= period.fromMs && timeMs < period.toMs))
}

async function correctionsAsOf(
  deps: Pick<EvidenceDeps, 'corrections'>,
  ctx: TenantContext,
  asOfMs: number,
): Promise<Corrections> {
  const all = await deps.corrections.all(ctx)
  return correctionsOf(all.filter(({ receivedAtMs }) => receivedAtMs <= asOfMs))
}

function isWhole(hour: string, period: Period): boolean {
  const { fromMs, toMs } = periodOfHour(hour)
  return fromMs >= period.fromMs && toMs <= period.toMs
}
