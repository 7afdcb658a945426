import type { Clock } from '../clock.ts'
import { DependencyFailed, withDeadline } from '../deadline.ts'
import type { RevocationFeed } from '../firestore/revocation-feed.ts'
import { errorFields, type Logger } from '../log.ts'
import { FEED_REACH_MS, type MarksLimits, type RevocationMarks, revocationMarks } from './revocation-marks.ts'

/** What is revoked, as this process knows it. */
export type Revocations = {
  /**
   * For verifying: what the feed said at most two seconds ago; while the store cannot be reached, what
   * it said last, for a minute. Throws `DependencyFailed` after that.
   */
  current(): Promise<RevocationMarks>
  /** For minting: what the feed said at most two seconds ago, or it throws. */
  fresh(): Promise<RevocationMarks>
  /** Reads the feed now, or joins a read that is under way. For whoever waits for news. */
  refresh(): Promise<RevocationMarks>
  /** Makes the next question read the feed: this process has just written to it. */
  expire(): void
  /** The store's time up to which everything is known, in milliseconds; 0 before the first read. */
  readTimeMs(): number
}

export type RevocationsDeps = {
  readonly feed: RevocationFeed
  readonly clock: Clock
  readonly log: Logger
  readonly limits?: MarksLimits
}

/** A revocation bites within this time in every process (`auth.md` §6). */
export const VIEW_FRESH_MS = 2_000
/** From this age on the view is read again beside the requests, so that in a busy process none waits for it. */
const VIEW_AHEAD_MS = 1_400
/** So long a view is still good for verifying while the store cannot be reached. */
export const VIEW_LAST_MS = 60_000
/** How long a request waits for a newer view while it could go on with the last one. */
const PATIENCE_MS = 1_000
/** After a failed read, so long nobody waits for the next one. */
const REST_MS = 1_000
const PRUNE_EVERY_MS = 60_000

/**
 * How far the next read reaches back before the last one. An entry is stamped when its commit arrives
 * at the store and can be seen a little later, so a read may miss one that is stamped before it.
 */
export const FEED_WINDOW_MS = 10_000

/**
 * One view of the feed for all tenants, shared by everything in the process.
 *
 * The first read takes in all that can still matter; each later one asks every shard once for what is
 * new. Requests that come together share one read.
 */
export function revocations(deps: RevocationsDeps): Revocations {
  const marks = revocationMarks(deps.limits)
  const cursors = new Map<string, number>()
  /** When the last good read began. */
  let readAtMs: number | undefined
  let failedAtMs: number | undefined
  let prunedAtMs = 0
  let reading: Promise<void> | undefined
  /** Rises with each write of our own; a read that began before one does not know it. */
  let written = 0
  let writtenAtRead = 0

  const readShard = async (shard: string, startMs: () => Promise<number>): Promise<number> => {
    const { feed, log } = deps
    const page = await feed.since(shard, cursors.get(shard) ?? (await startMs()))
    marks.add(page.entries)
    cursors.set(shard, page.readTimeMs - FEED_WINDOW_MS)
    if (page.unreadable > 0) log.error('revocation entry not understood', { count: page.unreadable })
    return page.readTimeMs
  }
  const read = async (): Promise<void> => {
    const beganAtMs = deps.clock.now()
    const writtenBefore = written
    // After a long sleep, what was revoked meanwhile has mostly lost its meaning; start as at first.
    if (ageMs() > FEED_REACH_MS) cursors.clear()
    try {
      let start: Promise<number> | undefined
      const startMs = (): Promise<number> => {
        start ??= deps.feed.now().then((nowMs) => nowMs - FEED_REACH_MS)
        return start
      }
      await Promise.all(deps.feed.shards.map((shard) => readShard(shard, startMs)))
      readAtMs = beganAtMs
      writtenAtRead = writtenBefore
      failedAtMs = undefined
      if (Math.abs(beganAtMs - prunedAtMs) >= PRUNE_EVERY_MS) {
        prunedAtMs = beganAtMs
        marks.prune(beganAtMs)
      }
    } catch (error) {
      if (failedAtMs === undefined) {
        deps.log.warn('revocation feed not read; the last view is used', errorFields(error))
      }
      failedAtMs = deps.clock.now()
      throw new DependencyFailed('the revocation feed cannot be read', { cause: error })
    } finally {
      reading = undefined
    }
  }
  const refresh = async (): Promise<void> => {
    const wanted = written
    reading ??= read()
    await reading
    if (writtenAtRead < wanted) {
      reading ??= read()
      await reading
    }
  }
  // A clock that was set back makes no view fresh for longer.
  const ageMs = (): number => {
    if (readAtMs === undefined) return Number.POSITIVE_INFINITY
    const age = Math.abs(deps.clock.now() - readAtMs)
    return writtenAtRead < written ? Math.max(age, VIEW_FRESH_MS) : age
  }
  // A process that has no view at all waits for nothing.
  const resting = (): boolean =>
    readAtMs !== undefined && failedAtMs !== undefined && Math.abs(deps.clock.now() - failedAtMs) < REST_MS

  /** Tells whoever cannot go on without a view soon that there is none; those who come next wait for nothing. */
  const inTime = async (work: Promise<void>): Promise<void> => {
    // The first reading takes in an hour, and nobody has waited for it yet.
    if (readAtMs === undefined) return work
    try {
      await withDeadline('revocation feed', 2 * PATIENCE_MS, work)
    } catch (error) {
      failedAtMs ??= deps.clock.now()
      throw error
    }
  }
  const fresh = async (): Promise<RevocationMarks> => {
    const age = ageMs()
    if (age >= VIEW_FRESH_MS) {
      if (resting()) throw new DependencyFailed('the revocation feed cannot be read')
      await inTime(refresh())
    } else if (age >= VIEW_AHEAD_MS && !resting()) refresh().catch(() => undefined)
    return marks
  }
  return {
    fresh,
    current: async () => {
      const age = ageMs()
      if (age < VIEW_FRESH_MS) return fresh()
      if (age > VIEW_LAST_MS) {
        if (resting()) throw new DependencyFailed('the revocation feed cannot be read')
        await inTime(refresh())
        return marks
      }
      if (resting()) return marks
      try {
        await withDeadline('revocation feed', PATIENCE_MS, refresh())
      } catch {
        // The view in hand is less than a minute old, which is what an outage of the store may cost.
        failedAtMs ??= deps.clock.now()
      }
      return marks
    },
    refresh: async () => {
      await refresh()
      return marks
    },
    expire: () => {
      written += 1
    },
    readTimeMs: () => (cursors.size === 0 ? 0 : Math.min(...cursors.values()) + FEED_WINDOW_MS),
  }
}
