import type { Period } from './calendar.ts'
import type { Producer } from './usage-event.ts'

/** How long a level holds when no newer sample comes: after that it counts as zero. */
export const STALENESS_MS = 2 * 3_600_000

/**
 * Samples of one resource by one producer that say the same level, none of them so late that the one
 * before had gone stale: the level holds from the first until two hours after the last.
 */
export type LevelRun = {
  readonly resource: string
  readonly producer: Producer
  readonly firstMs: number
  readonly lastMs: number
  /** The level in millionths of the meter's unit. */
  readonly steps: bigint
}

/** A run, and the tally that its samples belong to. */
export type TaggedRun = LevelRun & { readonly tag: string }

/**
 * Runs in order of resource, producer and time, with those joined that say one thing. All runs of a meter
 * must be given: a sample in another group ends a run as well.
 */
export function joinRuns(runs: readonly TaggedRun[]): TaggedRun[] {
  const joined: TaggedRun[] = []
  for (const run of runs.toSorted(byResourceThenTime)) {
    const last = joined.at(-1)
    if (last !== undefined && goesOn(last, run)) joined[joined.length - 1] = { ...last, lastMs: run.lastMs }
    else joined.push(run)
  }
  return joined
}

/** A level over the time it held within a period. */
export type Held<R> = Period & { readonly run: R }

/**
 * While each run's level holds within the period: until the next sample of its resource and producer,
 * or until it is stale.
 *
 * What a tenant says of a resource counts only while no collector's sample of it holds: a zero sent one
 * millisecond after the collector's sample must not undo it.
 */
export function heldLevels<R extends LevelRun>(runs: readonly R[], period: Period): Held<R>[] {
  const held: Held<R>[] = []
  for (const ofResource of Map.groupBy(runs, ({ resource }) => resource).values()) {
    const measured = heldBy('collector', ofResource, period)
    held.push(...measured, ...uncovered(heldBy('tenant', ofResource, period), measured))
  }
  return held
}

function goesOn(last: TaggedRun, next: TaggedRun): boolean {
  return (
    last.tag === next.tag &&
    last.resource === next.resource &&
    last.producer === next.producer &&
    last.steps === next.steps &&
    next.firstMs <= last.lastMs + STALENESS_MS
  )
}

function heldBy<R extends LevelRun>(producer: Producer, runs: readonly R[], period: Period): Held<R>[] {
  const own = runs
    .filter((run) => run.producer === producer)
    .sort((left, right) => left.firstMs - right.firstMs)
  return own.flatMap((run, index) => {
    const fromMs = Math.max(run.firstMs, period.fromMs)
    const nextMs = own[index + 1]?.firstMs ?? Number.POSITIVE_INFINITY
    const toMs = Math.min(nextMs, run.lastMs + STALENESS_MS, period.toMs)
    return toMs <= fromMs ? [] : [{ fromMs, toMs, run }]
  })
}

/** What is left of `levels` outside `covering`; both in order of time, each without overlaps. */
function uncovered<R>(levels: readonly Held<R>[], covering: readonly Period[]): Held<R>[] {
  const left: Held<R>[] = []
  let first = 0
  for (const { fromMs, toMs, run } of levels) {
    let atMs = fromMs
    while ((covering[first]?.toMs ?? Number.POSITIVE_INFINITY) <= fromMs) first += 1
    for (let index = first; atMs < toMs; index += 1) {
      const cover = covering[index] ?? { fromMs: toMs, toMs }
      if (cover.fromMs > atMs) left.push({ fromMs: atMs, toMs: Math.min(cover.fromMs, toMs), run })
      atMs = Math.max(atMs, cover.toMs)
    }
  }
  return left
}

function byResourceThenTime(left: LevelRun, right: LevelRun): number {
  return (
    byText(left.resource, right.resource) ||
    byText(left.producer, right.producer) ||
    left.firstMs - right.firstMs
  )
}

function byText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}
