import type { Period } from './calendar.ts'
import { deduplicating } from './deduplicate.ts'
import { type Steps, sorting } from './steps.ts'
import { byTimeThenKey } from './usage-batch.ts'
import type { CountedEvent } from './usage-event.ts'

/** What the ledger holds of one UTC hour. */
export type FoldedHour<E extends CountedEvent = CountedEvent> = {
  /** What counts: each once, in order of time, source and id. */
  readonly events: readonly E[]
  readonly copies: readonly E[]
  /** Same key, other content: these lost. */
  readonly conflicts: readonly E[]
}

/**
 * Folds what the ledger holds of one UTC hour into one set: copies count once, of a conflict one, runs
 * that the platform failed not at all. The same events in any order and any batches give the same result,
 * and events of other hours, which come along because they share a batch, none at all.
 */
export function* foldingHour<E extends CountedEvent>(
  events: readonly E[],
  hour: Period,
): Steps<FoldedHour<E>> {
  const within = events.filter(({ timeMs }) => timeMs >= hour.fromMs && timeMs < hour.toMs)
  const { events: kept, copies, conflicts } = yield* deduplicating(within)
  const counted = kept.filter(({ free }) => !free)
  return { events: yield* sorting(counted, byTimeThenKey), copies, conflicts }
}
