import { createHash } from 'node:crypto'
import { hourKey } from './calendar.ts'
import { merkleRoot } from './merkle.ts'
import { hourOf } from './spans.ts'
import type { CountedEvent, Producer, UsageEvent } from './usage-event.ts'

/** Events of one tenant that are stored by one commit. */
export type UsageBatch = {
  /**
   * Base64url; a repeated batch has the same one, which is what makes its effect happen once. It stands
   * for what the message held, not for what was accepted of it: whose clock judged must not change it.
   */
  readonly batchId: string
  /** Who said it, all of it. */
  readonly producer: Producer
  /** By time, then key. */
  readonly events: readonly UsageEvent[]
  /** Of the first and the last event, in milliseconds. */
  readonly firstMs: number
  readonly lastMs: number
  /** The UTC hours (`yyyymmddHH`) and days (`yyyymmdd`) touched, ascending. */
  readonly hours: readonly string[]
  readonly days: readonly string[]
  /** Merkle root over keys and digests. */
  readonly root: string
}

const MOST_EVENTS = 500
const MOST_BYTES = 256 * 1024
const MOST_HOURS = 48

/** Base64url SHA-256 of all keys and digests, sorted: the same events in any order give the same id. */
export function batchIdOf(events: readonly { readonly key: string; readonly digest: string }[]): string {
  const hash = createHash('sha256')
  for (const pair of events.map((event) => event.key + event.digest).sort())
    hash.update(Buffer.from(pair, 'hex'))
  return hash.digest('base64url')
}

/**
 * Makes one tenant's part of a message into batches that each fit one document.
 *
 * Nearly always that is one batch with the message's own id. A message of several tenants, and a
 * part too large for one document, get child ids made from the message's id, so a redelivery makes
 * the same ones.
 */
export function makeBatches(
  events: readonly UsageEvent[],
  message: {
    readonly batchId: string
    readonly tenantId: string
    readonly mixed: boolean
    readonly producer: Producer
  },
): UsageBatch[] {
  const parts = split([...events].sort(byTimeThenKey))
  return parts.map((part, index) =>
    batchOf(childId(message, parts.length === 1 ? undefined : index), message.producer, part),
  )
}

/** The batch with some of its events left out: it keeps its name, which stands for all of them. */
export function without(batch: UsageBatch, left: ReadonlySet<UsageEvent>): UsageBatch {
  if (left.size === 0) return batch
  return batchOf(
    batch.batchId,
    batch.producer,
    batch.events.filter((event) => !left.has(event)),
  )
}

/** Whether a message of this event alone would have the same name, and with it the same verdict. */
export function isNamedByOneEvent({ batchId, events }: Pick<UsageBatch, 'batchId' | 'events'>): boolean {
  return events.length === 1 && batchId === batchIdOf(events)
}

/** `events` must be in order. */
function batchOf(batchId: string, producer: Producer, events: readonly UsageEvent[]): UsageBatch {
  const hours = [...new Set(events.map(({ timeMs }) => hourOf(timeMs).fromMs))].map(hourKey)
  const days = new Set(hours.map((hour) => hour.slice(0, 8)))
  return {
    batchId,
    producer,
    events,
    firstMs: events[0]?.timeMs ?? 0,
    lastMs: events.at(-1)?.timeMs ?? 0,
    hours: hours.sort(),
    days: [...days].sort(),
    root: merkleRoot(events.map((event) => event.key + event.digest).sort()),
  }
}

/** Events in the one order that aggregation uses: time, then source, then id. */
export function byTimeThenKey(left: CountedEvent, right: CountedEvent): number {
  if (left.timeMs !== right.timeMs) return left.timeMs - right.timeMs
  if (left.source !== right.source) return left.source < right.source ? -1 : 1
  return left.id < right.id ? -1 : left.id > right.id ? 1 : 0
}

function split(sorted: readonly UsageEvent[]): UsageEvent[][] {
  const parts: UsageEvent[][] = []
  let bytes = 0
  let hours = new Set<number>()
  for (const event of sorted) {
    const size = Buffer.byteLength(JSON.stringify(event.raw))
    const hour = hourOf(event.timeMs).fromMs
    const last = parts.at(-1)
    const full =
      last === undefined ||
      last.length >= MOST_EVENTS ||
      bytes + size > MOST_BYTES ||
      (hours.size >= MOST_HOURS && !hours.has(hour))
    if (full) {
      parts.push([event])
      bytes = size
      hours = new Set([hour])
    } else {
      last.push(event)
      bytes += size
      hours.add(hour)
    }
  }
  return parts
}

function childId(
  message: { batchId: string; tenantId: string; mixed: boolean },
  index: number | undefined,
): string {
  if (!message.mixed && index === undefined) return message.batchId
  const parts = [message.batchId, message.tenantId, ...(index === undefined ? [] : [String(index)])]
  return createHash('sha256').update(parts.join('\0'), 'utf8').digest('base64url')
}
