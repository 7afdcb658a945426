import { createHash } from 'node:crypto'
import { dayKey, hourKey } from './calendar.ts'
import { merkleRoot } from './merkle.ts'
import type { CountedEvent, Producer, UsageEvent } from './usage-event.ts'

/** Events of one tenant that are stored by one commit. */
export type UsageBatch = {
  /** Base64url; a repeated batch has the same one, which is what makes its effect happen once. */
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
  return parts.map((part, index) => {
    const hours = new Set(part.map((event) => hourKey(event.timeMs)))
    const days = new Set(part.map((event) => dayKey(event.timeMs)))
    return {
      batchId: childId(message, parts.length === 1 ? undefined : index),
      producer: message.producer,
      events: part,
      firstMs: part[0]?.timeMs ?? 0,
      lastMs: part.at(-1)?.timeMs ?? 0,
      hours: [...hours].sort(),
      days: [...days].sort(),
      root: merkleRoot(part.map((event) => event.key + event.digest).sort()),
    }
  })
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
  let hours = new Set<string>()
  for (const event of sorted) {
    const size = Buffer.byteLength(JSON.stringify(event.raw))
    const hour = hourKey(event.timeMs)
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
