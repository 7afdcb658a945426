import { type Corrections, corrected, countedAtMs } from './apply-corrections.ts'
import type { Period } from './calendar.ts'
import { deduplicating } from './deduplicate.ts'
import { type Steps, sorting } from './steps.ts'
import { byTimeThenKey } from './usage-batch.ts'
import type { CountedEvent } from './usage-event.ts'

/** What the ledger holds of one UTC hour. */
export type FoldedHour<E extends CountedEvent = CountedEvent> = {
  /** What counts, as corrected: each once, in order of time, source and id. */
  readonly events: readonly E[]
  readonly copies: readonly E[]
  /** Same key, other content: these lost. */
  readonly conflicts: readonly E[]
  /** What happened in the hour, before corrections, each once. */
  readonly said: readonly E[]
}

/**
 * Folds what the ledger holds of one UTC hour into one set: copies count once, of a conflict one, what was
 * voided and runs that the platform failed not at all. The same events in any order and any batches give
 * the same result, and events of other hours, which come along because they share a batch, none at all.
 *
 * An event that was given another time counts in the hour of that time alone.
 */
export function* foldingHour<E extends CountedEvent>(
  events: readonly E[],
  hour: Period,
  corrections: Corrections,
): Steps<FoldedHour<E>> {
  const isHere = (timeMs: number): boolean => timeMs >= hour.fromMs && timeMs < hour.toMs
  const within = events.filter(({ timeMs }) => isHere(timeMs))
  const movedHere = events.filter((event) => !isHere(event.timeMs) && isHere(countedAtMs(event, corrections)))
  const contents = (list: readonly E[]): E[] => list.filter((event) => !corrections.isContentVoid(event))
  const here = yield* deduplicating(contents(within))
  const arrived = yield* deduplicating(contents(movedHere))
  const known = new Set(here.events.map(({ key }) => key))
  const kept = [...here.events, ...arrived.events.filter(({ key }) => !known.has(key))]
  const counted = kept.flatMap((event) => corrected(event, corrections) ?? [])
  return {
    events: yield* sorting(
      counted.filter(({ free, timeMs }) => !free && isHere(timeMs)),
      byTimeThenKey,
    ),
    copies: here.copies,
    conflicts: here.conflicts,
    said: here.events,
  }
}
