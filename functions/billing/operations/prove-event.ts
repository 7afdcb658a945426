import { ok, type Result, refuse } from '#shared/result.ts'
import type { lineTree, ProofLevel } from '../domain/invoice/line-tree.ts'
import { merklePath } from '../domain/merkle.ts'
import { type Tally, tallyEvents, tallyKey } from '../domain/tally.ts'
import type { CountedEvent } from '../domain/usage-event.ts'
import { hoursOfKeys, type Places } from './hours-of-keys.ts'
import { type EvidenceDeps, type EvidenceQuery, eventsOfHour, hourLeaves } from './line-evidence.ts'

/** A key alone, or behind its hour, as the list of events has it. */
const EVENT_NAME = /^(?:(\d{10})\.)?([0-9a-f]{64})$/
/** Events looked at where no index of keys says which hour it is: two seconds' work. */
const MOST_LOOKED_AT = 100_000

export type EventName = { readonly hour: string | undefined; readonly key: string }

/** Reads `key` or `yyyymmddHH.key`. */
export function parseEventName(text: string): Result<EventName> {
  const [, hour, key] = EVENT_NAME.exec(text) ?? []
  if (key !== undefined) return ok({ hour, key })
  const hint = 'event: must be the key of an event, or its hour, a point and the key'
  return refuse('request.malformed', 'event', hint)
}

export type ProvenEvent = {
  readonly hour: string
  readonly event: CountedEvent
  readonly levels: ProofLevel[]
}

/**
 * The way from an event's key to the root of its line; 404 where the line does not hold it.
 *
 * A bare key is looked for in the hours whose roll-ups do not rule it out: of a million events in a month
 * that is nearly always the right hour alone. Hours that are not rolled up, or hold too much for an index,
 * are looked through as far as it goes; beyond that the answer is 422 and asks for the hour.
 */
export async function proveEvent(
  deps: EvidenceDeps,
  query: EvidenceQuery,
  { hour: named, key }: EventName,
  tree: ReturnType<typeof lineTree>,
): Promise<Result<ProvenEvent>> {
  const { ctx, hours, reading } = query
  const { likely, unknown } =
    named === undefined ? await hoursOfKeys(deps, ctx, [key], hours, reading) : onlyIn(query, named)
  let looked = 0
  for (const hour of [...likely, ...unknown]) {
    if (looked > MOST_LOOKED_AT) return tooMany()
    const events = await eventsOfHour(deps, query, hour)
    if (!events.ok) return events
    looked += events.value.length
    const event = events.value.find((one) => one.key === key)
    const tally = event === undefined ? undefined : tallyEvents([event], deps.versionOf).find(query.isIn)
    if (event === undefined || tally === undefined) continue
    const levels = await levelsOf(deps, query, { hour, event, tally, events: events.value }, tree)
    if (!levels.ok) return levels
    if (levels.value !== undefined) return ok({ hour, event, levels: levels.value })
  }
  return refuse('resource.not_found', 'no such event', 'The line holds no event with this key.')
}

function onlyIn(query: EvidenceQuery, hour: string): Places {
  return { likely: query.hours.has(hour) ? [hour] : [], unknown: [] }
}

/** Undefined where the tree does not hold the event's tally. */
async function levelsOf(
  deps: EvidenceDeps,
  query: EvidenceQuery,
  found: {
    readonly hour: string
    readonly event: CountedEvent
    readonly tally: Tally
    readonly events: readonly CountedEvent[]
  },
  tree: ReturnType<typeof lineTree>,
): Promise<Result<ProofLevel[] | undefined>> {
  const { hour, event, tally, events } = found
  const name = tallyKey(tally)
  const keys = events
    .filter((one) => tallyEvents([one], deps.versionOf).some((other) => tallyKey(other) === name))
    .map((one) => one.key)
    .sort()
  const day = hour.slice(0, 8)
  const leaves = await hourLeaves(deps, query, day)
  if (!leaves.ok) return leaves
  const ofTally = leaves.value.flatMap((one) =>
    one.tallies.filter((other) => tallyKey(other) === name).map(({ root }) => ({ hour: one.hour, root })),
  )
  const above = tree.pathFrom(day, name)
  if (above === undefined) return ok(undefined)
  const place = ofTally.findIndex((one) => one.hour === hour)
  return ok([
    { over: 'events', path: merklePath(keys, keys.indexOf(event.key)) },
    {
      over: 'hours',
      path: merklePath(
        ofTally.map(({ root }) => root),
        place,
      ),
    },
    ...above,
  ])
}

function tooMany(): Result<never> {
  const hint =
    'Too many events may be it. Put its hour (UTC) before the key, as the list of events has it: 2026112009.{key}'
  return refuse('usage.range_invalid', `more than ${MOST_LOOKED_AT} events to look through`, hint)
}
