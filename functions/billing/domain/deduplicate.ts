import { canonicalJson } from '#shared/json.ts'
import { compare } from './rational.ts'
import { finish, type Steps } from './steps.ts'
import type { CountedEvent } from './usage-event.ts'

export type Deduplicated<E> = {
  /** Each event once, in the order in which its key was first seen. */
  readonly events: readonly E[]
  /** What was dropped because the same was said already. */
  readonly copies: readonly E[]
  /** Same key, other content: these lost and count for nothing. */
  readonly conflicts: readonly E[]
}

/** Events looked at between two yields, and what each costs in microseconds. */
const STRIDE = 1_000
const EVENT_COST = 1

/** Keeps each event once; of two that contradict each other the one that `rank` puts first. */
export function deduplicate<E extends CountedEvent>(events: Iterable<E>): Deduplicated<E> {
  return finish(deduplicating(events))
}

/** `deduplicate` in steps. */
export function* deduplicating<E extends CountedEvent>(events: Iterable<E>): Steps<Deduplicated<E>> {
  const byKey = new Map<string, E>()
  const rivals = new Map<string, Map<string, E>>()
  const copies: E[] = []
  let seen = 0
  for (const event of events) {
    seen += 1
    if (seen % STRIDE === 0) yield STRIDE * EVENT_COST
    const kept = byKey.get(event.key)
    if (kept === undefined) {
      byKey.set(event.key, event)
      continue
    }
    const contents = rivals.get(event.key) ?? new Map([[kept.digest, kept]])
    if (contents.has(event.digest)) copies.push(event)
    else rivals.set(event.key, contents.set(event.digest, event))
    // A copy too: the same content is worth more once a collector has said it.
    if (rank(event, kept) < 0) byKey.set(event.key, event)
  }
  const conflicts = [...rivals].flatMap(([key, contents]) => {
    const winner = byKey.get(key)?.digest
    return [...contents.values()].filter((event) => event.digest !== winner)
  })
  return { events: [...byKey.values()], copies, conflicts }
}

/**
 * Orders contents that contradict each other under one key; the lowest counts.
 *
 * A collector of the platform is believed before a tenant, so nothing a tenant sends takes away what
 * was measured. Among equals the larger effect counts, so a conflict never makes a bill smaller. What
 * decides then only has to be the same in every order of arrival; members that nobody knows, which
 * whoever sends an event can choose at will, come last and only where nothing that counts differs.
 */
export function rank(left: CountedEvent, right: CountedEvent): number {
  return (
    trust(right) - trust(left) ||
    weight(right) - weight(left) ||
    byValue(right, left) ||
    // Later: what lies before a subscription, or in its trial, is not charged.
    right.timeMs - left.timeMs ||
    byText(left.meter, right.meter) ||
    byText(left.resource ?? '', right.resource ?? '') ||
    byText(canonicalJson(left.dimensions), canonicalJson(right.dimensions)) ||
    byText(left.digest, right.digest)
  )
}

function trust(event: CountedEvent): number {
  return event.producer === 'collector' ? 1 : 0
}

/** Whether an event adds anything at all: a run that the platform failed does not. */
function weight(event: CountedEvent): number {
  return event.free ? 0 : 1
}

function byValue(left: CountedEvent, right: CountedEvent): number {
  if (left.value === undefined || right.value === undefined) {
    return Number(left.value !== undefined) - Number(right.value !== undefined)
  }
  return compare(left.value, right.value)
}

function byText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}
