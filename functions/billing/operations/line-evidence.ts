import { ok, type Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { type Corrections, correctionsOf } from '../domain/apply-corrections.ts'
import { dayKey, type Period } from '../domain/calendar.ts'
import { foldingHour } from '../domain/fold-hour.ts'
import type { DayLeaves, TallyRoot } from '../domain/invoice/line-tree.ts'
import { merkleRoot } from '../domain/merkle.ts'
import { DAY_MS, periodOfHour, startOfUtcDay } from '../domain/spans.ts'
import { type Tally, tallyEvents, tallyKey } from '../domain/tally.ts'
import type { CountedEvent } from '../domain/usage-event.ts'
import type { BillingDeps, LiveHour, Reading } from '../ports.ts'

export type EvidenceDeps = Pick<BillingDeps, 'ledger' | 'corrections' | 'live' | 'rollups' | 'versionOf'>

/** What usage a line is made of, and as of when. */
export type EvidenceQuery = {
  readonly ctx: TenantContext
  readonly period: Period
  readonly isIn: (tally: Pick<Tally, 'meter' | 'version' | 'group'>) => boolean
  /** What was received later is left out; everything is in it where undefined. */
  readonly asOfMs: number | undefined
  /** As of then. */
  readonly corrections: Corrections
  /** The hours of the period in which something is, ascending. */
  readonly hours: ReadonlyMap<string, LiveHour>
  readonly reading: Reading
}

/** Reads what every step of a question about a line needs. */
export async function openEvidence(
  deps: Pick<EvidenceDeps, 'corrections' | 'live'>,
  query: Omit<EvidenceQuery, 'corrections' | 'hours'>,
): Promise<EvidenceQuery> {
  const [hours, corrections] = await Promise.all([
    hoursWithUsage(deps, query),
    correctionsAsOf(deps, query.ctx, query.asOfMs),
  ])
  return { ...query, hours, corrections }
}

async function hoursWithUsage(
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

/** What a line is made of by UTC day, and the roll-ups that say so, as `{document}@{revision}`. */
export type LineLeaves = { readonly days: readonly DayLeaves[]; readonly rollups: readonly string[] }

/** By UTC day the tallies of a line with their roots: from the roll-ups of days, else hour by hour. */
export async function dayLeaves(deps: EvidenceDeps, query: EvidenceQuery): Promise<Result<LineLeaves>> {
  const { ctx, period, isIn } = query
  const rollups = await deps.rollups.days(ctx, dayKey(period.fromMs), dayKey(period.toMs - 1))
  const leaves: DayLeaves[] = []
  const read: string[] = []
  for (const [day, hours] of Map.groupBy(query.hours.keys(), (hour) => hour.slice(0, 8))) {
    const rollup = rollups.get(day)
    // A period may begin or end within a UTC day, whose fold then holds hours of its neighbour.
    const fromMs = startOfUtcDay(day)
    const whole =
      fromMs >= period.fromMs &&
      fromMs + DAY_MS <= period.toMs &&
      hours.every((hour) => isUsable(query, hour, rollup?.hours[hour.slice(8)]))
    if (whole && rollup?.tallies !== undefined) {
      const tallies = rollup.tallies.filter(isIn)
      leaves.push({ day, tallies })
      if (tallies.length > 0) read.push(`${day}@${rollup.rev}`)
      continue
    }
    const folded = await hourLeaves(deps, query, day)
    if (!folded.ok) return folded
    leaves.push({ day, tallies: ofDay(folded.value) })
    read.push(
      ...folded.value.flatMap(({ rollup: name, tallies }) => (tallies.length > 0 ? (name ?? []) : [])),
    )
  }
  return ok({ days: leaves, rollups: read })
}

export type HourLeaves = {
  readonly hour: string
  readonly tallies: readonly TallyRoot[]
  /** Undefined for what was folded from the ledger. */
  readonly rollup?: string
}

/** The tallies of a line in the hours of a day, with their roots over event keys: rolled up, else from the ledger. */
export async function hourLeaves(
  deps: EvidenceDeps,
  query: EvidenceQuery,
  day: string,
): Promise<Result<HourLeaves[]>> {
  const hours = [...query.hours.keys()].filter((hour) => hour.startsWith(day))
  const rollups = await deps.rollups.hours(query.ctx, day)
  const leaves: HourLeaves[] = []
  for (const hour of hours) {
    const rollup = rollups.get(hour)
    if (rollup?.tallies !== undefined && isUsable(query, hour, rollup)) {
      leaves.push({ hour, tallies: rollup.tallies.filter(query.isIn), rollup: `${hour}@${rollup.rev}` })
      continue
    }
    const events = await eventsOfHour(deps, query, hour)
    if (!events.ok) return events
    leaves.push({ hour, tallies: tallyEvents(events.value, deps.versionOf).filter(query.isIn) })
  }
  return ok(leaves)
}

/** Whether a roll-up says of an hour just what the question is about: all batches, and none that came later. */
function isUsable(
  { period, asOfMs, hours }: EvidenceQuery,
  hour: string,
  rollup: { readonly batchCount: number; readonly newestMs?: number | undefined } | undefined,
): boolean {
  const { fromMs, toMs } = periodOfHour(hour)
  const isWhole = fromMs >= period.fromMs && toMs <= period.toMs
  const inTime = asOfMs === undefined || (rollup?.newestMs ?? Number.POSITIVE_INFINITY) <= asOfMs
  return isWhole && inTime && rollup?.batchCount === hours.get(hour)?.batches
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
  deps: Pick<EvidenceDeps, 'ledger'>,
  { ctx, period, asOfMs = Number.POSITIVE_INFINITY, corrections, reading }: EvidenceQuery,
  hour: string,
): Promise<Result<readonly CountedEvent[]>> {
  const read = await deps.ledger.hours(ctx, [hour], reading)
  if (!read.ok) return read
  const batches = (read.value.get(hour) ?? []).filter(({ receivedAtMs }) => receivedAtMs <= asOfMs)
  const events = batches.flatMap((batch) => batch.events)
  const folded = await reading.work(foldingHour(events, periodOfHour(hour), corrections))
  return ok(folded.events.filter(({ timeMs }) => timeMs >= period.fromMs && timeMs < period.toMs))
}

/** What corrections that were received until an instant come to; all of them where it is undefined. */
async function correctionsAsOf(
  deps: Pick<EvidenceDeps, 'corrections'>,
  ctx: TenantContext,
  asOfMs: number | undefined,
): Promise<Corrections> {
  const all = await deps.corrections.all(ctx)
  return correctionsOf(all.filter(({ receivedAtMs }) => asOfMs === undefined || receivedAtMs <= asOfMs))
}
