import { METERS, type MeterId } from '#shared/catalogue/meters.ts'
import { canonicalJson } from '#shared/json.ts'
import { joinRuns, type LevelRun, type TaggedRun } from './level-runs.ts'
import { merkleRoot } from './merkle.ts'
import { toScaled } from './rational.ts'
import type { CountedEvent } from './usage-event.ts'

/** Decimal places of the steps in which quantities are added up: the most that any meter has. */
export const STEP_DIGITS = 6

/** What was measured, by how the meter aggregates; quantities are whole millionths of the meter's unit. */
export type Amount =
  | { readonly kind: 'count' }
  | { readonly kind: 'sum'; readonly steps: bigint }
  | { readonly kind: 'max'; readonly steps: bigint }
  | { readonly kind: 'unique_count'; readonly members: readonly string[] }
  | { readonly kind: 'level_hours'; readonly runs: readonly LevelRun[] }

/** Events of one meter, version and group in one span of time, and what they came to. Tallies of neighbouring spans add up. */
export type Tally = {
  readonly meter: MeterId
  readonly version: number
  /** Every dimension the meter has; the empty text where an event says none. */
  readonly group: Readonly<Record<string, string>>
  readonly events: number
  readonly amount: Amount
  /** Merkle root over the sorted event keys of an hour; of a longer span, over the roots of its parts in order. */
  readonly root: string
}

/** Which version of a meter holds at an instant. */
export type VersionOf = (meter: MeterId, atMs: number) => number

/** Whether a version of a meter counts a group at all: its filters leave others out. */
export type Counts = (tally: Pick<Tally, 'meter' | 'version' | 'group'>) => boolean

/** What makes two tallies the same one of two spans; sorts as answers do. */
export function tallyKey(tally: Pick<Tally, 'meter' | 'version' | 'group'>): string {
  return canonicalJson([tally.meter, tally.version, tally.group])
}

/**
 * Tallies events of one span: each once, corrected, in order of time, none that counts for nothing.
 * Sorted by key, so that the same events give the same tallies.
 */
export function tallyEvents(events: Iterable<CountedEvent>, versionOf: VersionOf): Tally[] {
  const parts = new Map<
    string,
    { first: Omit<Tally, 'events' | 'amount' | 'root'>; events: CountedEvent[] }
  >()
  const samples = new Map<string, CountedEvent>()
  for (const event of events) {
    if (METERS[event.meter].aggregation === 'level_hours') samples.set(sampleOf(event), event)
    const version = versionOf(event.meter, event.timeMs)
    const key = quickKey(event, version)
    const part = parts.get(key)
    if (part !== undefined) part.events.push(event)
    else parts.set(key, { first: { meter: event.meter, version, group: groupOf(event) }, events: [event] })
  }
  const byKey = new Map([...parts.values()].map((part) => [tallyKey(part.first), part]))
  return joinLevels(
    inOrder(byKey).map(({ first, events: members }) => ({
      ...first,
      events: members.length,
      amount: amountOf(first.meter, members, samples),
      root: merkleRoot(members.map(({ key }) => key).sort()),
    })),
  )
}

/** Adds up tallies of spans that follow each other, given in order of time. */
export function addTallies(spans: readonly (readonly Tally[])[]): Tally[] {
  const parts = new Map<string, Tally[]>()
  for (const tally of spans.flat()) {
    const key = tallyKey(tally)
    const part = parts.get(key)
    if (part === undefined) parts.set(key, [tally])
    else part.push(tally)
  }
  const added = inOrder(parts).flatMap((part) => {
    const [first] = part
    if (first === undefined) return []
    return [
      {
        ...first,
        events: part.reduce((sum, { events }) => sum + events, 0),
        amount: addAmounts(part.map(({ amount }) => amount)),
        root: merkleRoot(part.map(({ root }) => root)),
      },
    ]
  })
  return joinLevels(added)
}

/** Amounts of one meter in spans that follow each other; runs of levels are put one after the other. */
export function addAmounts(amounts: readonly Amount[]): Amount {
  const [first] = amounts
  if (first === undefined) throw new RangeError('there is nothing to add')
  switch (first.kind) {
    case 'count':
      return first
    case 'sum':
      return { kind: 'sum', steps: amounts.reduce((sum, part) => sum + stepsOf(part), 0n) }
    case 'max':
      return { kind: 'max', steps: amounts.reduce((most, part) => larger(most, stepsOf(part)), first.steps) }
    case 'unique_count':
      return { kind: 'unique_count', members: [...new Set(amounts.flatMap(membersOf))].sort() }
    case 'level_hours':
      return { kind: 'level_hours', runs: amounts.flatMap(runsOf) }
  }
}

/** The runs of levels of some tallies, each with the tally it is of. */
export function taggedRuns(tallies: readonly Tally[]): TaggedRun[] {
  return tallies.flatMap((tally) => {
    const tag = tallyKey(tally)
    return runsOf(tally.amount).map((run) => ({ ...run, tag }))
  })
}

/** Joins the runs of each meter across its tallies: one group's sample ends another's run. */
function joinLevels(tallies: readonly Tally[]): Tally[] {
  const joined = new Map<string, LevelRun[]>()
  for (const ofMeter of Map.groupBy(tallies, ({ meter }) => meter).values()) {
    for (const { tag, ...run } of joinRuns(taggedRuns(ofMeter))) {
      const runs = joined.get(tag)
      if (runs === undefined) joined.set(tag, [run])
      else runs.push(run)
    }
  }
  return tallies.map((tally) =>
    tally.amount.kind !== 'level_hours'
      ? tally
      : { ...tally, amount: { kind: 'level_hours', runs: joined.get(tallyKey(tally)) ?? [] } },
  )
}

function runsOf(amount: Amount): readonly LevelRun[] {
  return amount.kind === 'level_hours' ? amount.runs : []
}

/** Of several levels of one instant the last in order holds, in whatever group: the others held for no time. */
function sampleOf({ resource, producer, timeMs, meter }: CountedEvent): string {
  return `${meter} ${producer} ${timeMs} ${resource ?? ''}`
}

function amountOf(
  meter: MeterId,
  events: readonly CountedEvent[],
  samples: ReadonlyMap<string, CountedEvent>,
): Amount {
  const kind = METERS[meter].aggregation
  switch (kind) {
    case 'count':
      return { kind }
    case 'sum':
      return { kind, steps: events.reduce((sum, event) => sum + eventSteps(event), 0n) }
    case 'max':
      return { kind, steps: events.map(eventSteps).reduce(larger) }
    case 'unique_count':
      return { kind, members: [...new Set(events.map(({ resource }) => resource ?? ''))].sort() }
    case 'level_hours':
      return { kind, runs: events.filter((event) => samples.get(sampleOf(event)) === event).map(runOf) }
  }
}

function runOf(event: CountedEvent): LevelRun {
  return {
    resource: event.resource ?? '',
    producer: event.producer,
    firstMs: event.timeMs,
    lastMs: event.timeMs,
    steps: eventSteps(event),
  }
}

/** As good as `tallyKey` to tell groups apart, and made for each event: no dimension holds a control character. */
function quickKey({ meter, dimensions }: CountedEvent, version: number): string {
  let key = `${meter}\0${version}`
  for (const name of METERS[meter].dimensions) key += `\0${dimensions[name] ?? ''}`
  return key
}

function groupOf({ meter, dimensions }: CountedEvent): Record<string, string> {
  return Object.fromEntries(METERS[meter].dimensions.map((name) => [name, dimensions[name] ?? '']))
}

function eventSteps({ value }: CountedEvent): bigint {
  return value === undefined ? 0n : toScaled(value, STEP_DIGITS)
}

function stepsOf(amount: Amount): bigint {
  return amount.kind === 'sum' || amount.kind === 'max' ? amount.steps : 0n
}

function membersOf(amount: Amount): readonly string[] {
  return amount.kind === 'unique_count' ? amount.members : []
}

function larger(left: bigint, right: bigint): bigint {
  return left >= right ? left : right
}

function inOrder<T>(parts: ReadonlyMap<string, T>): T[] {
  return [...parts].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, part]) => part)
}
