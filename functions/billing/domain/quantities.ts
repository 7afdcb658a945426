import { METERS, type MeterId } from '#shared/catalogue/meters.ts'
import { canonicalJson } from '#shared/json.ts'
import { dayKey, type Period } from './calendar.ts'
import { heldLevels, type TaggedRun } from './level-runs.ts'
import { merkleRoot } from './merkle.ts'
import { fromScaled, type Rational, rational } from './rational.ts'
import {
  addAmounts,
  type Counts,
  STEP_DIGITS,
  type Tally,
  taggedRuns,
  tallyKey,
  type VersionOf,
} from './tally.ts'

/** The tallies of an hour, of a part of one, or of a whole UTC day. */
export type Slice = {
  readonly period: Period
  readonly tallies: readonly Tally[]
  /** `{document}@{revision}` of the roll-up; undefined for what was folded from the ledger. */
  readonly rollup: string | undefined
  /** A UTC day: its roots are those over its hours' roots. */
  readonly isDay: boolean
}

export type QuantityRules = {
  readonly meters: readonly MeterId[]
  /** Dimensions to tell apart; those that a meter does not have are the empty text. */
  readonly groupBy: readonly string[]
  /** Keeps what has one of the values in each of the dimensions named. */
  readonly filter: Readonly<Record<string, readonly string[]>>
  readonly versionOf: VersionOf
  /** What the meters' own filters let through; everything unless given. */
  readonly counts?: Counts
  /** A level that no sample renews is missed until now, not beyond. */
  readonly nowMs: number
}

/** How much of a meter was used in a period, by one of its versions and in one group. */
export type Quantity = {
  readonly meterId: MeterId
  readonly version: number
  readonly group: Readonly<Record<string, string>>
  readonly period: Period
  /** In the meter's unit, times hours for levels; undefined for the maximum of nothing. */
  readonly value: Rational | undefined
  readonly events: number
  /** Over the tallies' roots: by UTC day, then by group. */
  readonly root: string
  /** The roll-ups it was made from; boundary hours come from the ledger and have none. */
  readonly rollups: readonly string[]
  /** Milliseconds for which a resource that had been measured had no level that held. */
  readonly staleMs: number
}

const HOUR_MS = 3_600_000n

/**
 * What slices that cover a period come to, sorted by meter, version and group; a meter of which nothing is
 * known has one row without events. `before` are the slices of the two hours before the period, from
 * which levels hold on.
 */
export function quantitiesOf(
  rules: QuantityRules,
  period: Period,
  slices: readonly Slice[],
  before: readonly Slice[],
): Quantity[] {
  return rules.meters.flatMap((meter) => {
    const rows = rowsOf(rules, meter, period, slices, before)
    if (rows.length > 0) return rows
    const version = rules.versionOf(meter, period.fromMs)
    const group = Object.fromEntries(rules.groupBy.map((name) => [name, '']))
    return rules.groupBy.length > 0 ? [] : [emptyRow(meter, version, group, period)]
  })
}

type Row = { readonly version: number; readonly group: Record<string, string>; readonly tallies: Placed[] }
type Placed = { readonly tally: Tally; readonly slice: Slice }

function rowsOf(
  rules: QuantityRules,
  meter: MeterId,
  period: Period,
  slices: readonly Slice[],
  before: readonly Slice[],
): Quantity[] {
  const rows = new Map<string, Row>()
  const rowOf = (tally: Tally): Row | undefined => {
    if (!passes(rules, tally)) return undefined
    const group = Object.fromEntries(rules.groupBy.map((name) => [name, tally.group[name] ?? '']))
    const key = canonicalJson([tally.version, group])
    const row = rows.get(key) ?? { version: tally.version, group, tallies: [] }
    rows.set(key, row)
    return row
  }
  const ofMeter = (list: readonly Slice[]): Placed[] =>
    list.flatMap((slice) =>
      slice.tallies.filter((tally) => tally.meter === meter).map((tally) => ({ tally, slice })),
    )
  const placed = ofMeter(slices)
  for (const one of placed) rowOf(one.tally)?.tallies.push(one)
  const levels = METERS[meter].aggregation === 'level_hours'
  const areas = levels
    ? levelAreas([...ofMeter(before), ...placed], period, Math.min(period.toMs, rules.nowMs), rowOf)
    : undefined
  return [...rows]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([, row]) => quantity(meter, row, period, areas?.get(row)))
    .filter(({ events, value }) => events > 0 || (value !== undefined && value.n !== 0n))
}

type Area = { steps: bigint; staleMs: number }

/** Level times milliseconds by row. A sample of any group ends the level before it, filtered out or not. */
function levelAreas(
  placed: readonly Placed[],
  period: Period,
  untilMs: number,
  rowOf: (tally: Tally) => Row | undefined,
): Map<Row, Area> {
  const rowOfTag = new Map(placed.map(({ tally }) => [tallyKey(tally), rowOf(tally)]))
  const runs = taggedRuns(placed.map(({ tally }) => tally))
  const areas = new Map<Row, Area>()
  const areaOf = (tag: string): Area | undefined => {
    const row = rowOfTag.get(tag)
    if (row === undefined) return undefined
    const area = areas.get(row) ?? { steps: 0n, staleMs: 0 }
    areas.set(row, area)
    return area
  }
  const known = new Map<string, Known>()
  for (const run of runs) noteSample(known, run)
  const held = heldLevels(runs, period)
  for (const { fromMs, toMs, run } of held) {
    const area = areaOf(run.tag)
    if (area !== undefined) area.steps += run.steps * BigInt(toMs - fromMs)
    const resource = known.get(run.resource)
    if (resource !== undefined) resource.heldMs += Math.max(Math.min(toMs, untilMs) - fromMs, 0)
  }
  for (const { firstMs, tag, heldMs } of known.values()) {
    const missing = untilMs - Math.max(firstMs, period.fromMs) - heldMs
    const area = areaOf(tag)
    if (area !== undefined && missing > 0) area.staleMs += missing
  }
  return areas
}

/** A measured resource: since when, in which tally last, and for how long its level held in the period. */
type Known = { firstMs: number; lastMs: number; tag: string; heldMs: number }

function noteSample(known: Map<string, Known>, run: TaggedRun): void {
  const { resource, firstMs, lastMs, tag } = run
  const before = known.get(resource)
  if (before === undefined) known.set(resource, { firstMs, lastMs, tag, heldMs: 0 })
  else {
    before.firstMs = Math.min(before.firstMs, firstMs)
    if (lastMs >= before.lastMs) Object.assign(before, { lastMs, tag })
  }
}

function quantity(meter: MeterId, row: Row, period: Period, area: Area | undefined): Quantity {
  const { version, group, tallies } = row
  return {
    meterId: meter,
    version,
    group,
    period,
    value: area === undefined ? totalOf(meter, tallies) : levelHours(area),
    events: tallies.reduce((sum, { tally }) => sum + tally.events, 0),
    root: rootOf(tallies),
    rollups: [...new Set(tallies.flatMap(({ slice }) => slice.rollup ?? []))],
    staleMs: area?.staleMs ?? 0,
  }
}

function totalOf(meter: MeterId, tallies: readonly Placed[]): Rational | undefined {
  const amounts = tallies.map(({ tally }) => tally.amount)
  if (amounts.length === 0) return nothing(meter)
  const sum = addAmounts(amounts)
  switch (sum.kind) {
    case 'count':
      return rational(BigInt(tallies.reduce((events, { tally }) => events + tally.events, 0)))
    case 'sum':
    case 'max':
      return fromScaled(sum.steps, STEP_DIGITS)
    case 'unique_count':
      return rational(BigInt(sum.members.length))
    case 'level_hours':
      return nothing(meter)
  }
}

function levelHours({ steps }: Area): Rational {
  return rational(steps, 10n ** BigInt(STEP_DIGITS) * HOUR_MS)
}

/** By group the root over its days; by day the one over its hours. However it was read, it is the same. */
function rootOf(tallies: readonly Placed[]): string {
  const byGroup = Map.groupBy(tallies, ({ tally }) => tallyKey(tally))
  const groups = [...byGroup].sort(([left], [right]) => (left < right ? -1 : 1))
  return merkleRoot(
    groups.map(([, ofGroup]) => {
      const byDay = Map.groupBy(ofGroup, ({ slice }) => dayKey(slice.period.fromMs))
      return merkleRoot([...byDay.values()].map(dayRoot))
    }),
  )
}

function dayRoot(ofDay: readonly Placed[]): string {
  const [only] = ofDay
  if (only?.slice.isDay === true) return only.tally.root
  return merkleRoot(ofDay.map(({ tally }) => tally.root))
}

function emptyRow(
  meterId: MeterId,
  version: number,
  group: Readonly<Record<string, string>>,
  period: Period,
): Quantity {
  const value = nothing(meterId)
  return { meterId, version, group, period, value, events: 0, root: merkleRoot([]), rollups: [], staleMs: 0 }
}

function nothing(meter: MeterId): Rational | undefined {
  return METERS[meter].aggregation === 'max' ? undefined : rational(0n)
}

function passes({ filter, counts }: QuantityRules, tally: Tally): boolean {
  if (counts?.(tally) === false) return false
  return Object.entries(filter).every(([name, values]) => values.includes(tally.group[name] ?? ''))
}
