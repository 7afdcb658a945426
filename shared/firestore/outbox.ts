import { z } from 'zod'
import type { Group } from '../catalogue/functions.ts'
import type { Clock } from '../clock.ts'
import { CLOUD_EVENT_TYPE, type CloudEvent, subjectOf } from '../contracts/cloud-event.ts'
import { TOPIC_NAMES, type TopicName } from '../contracts/topics.ts'
import { signalAfter } from '../deadline.ts'
import { hashedId } from '../ids.ts'
import { canonicalJson, parser } from '../json.ts'
import { errorFields, type Logger } from '../log.ts'
import type { Publisher } from '../pubsub/publisher.ts'
import { compareVersions, type Doc } from './scoped.ts'
import type { SystemFirestore, SystemScope } from './system.ts'
import { timestamp } from './values.ts'

/** An event that leaves with a commit, and the topic it leaves on. */
export type Outgoing = {
  readonly topic: TopicName
  readonly event: CloudEvent
}

/** One row of an outbox: the bytes to publish, written in the commit that caused them. */
export type OutboxRow = {
  readonly id: string
  readonly tenantId: string
  readonly topic: TopicName
  readonly body: string
  readonly attributes: Readonly<Record<string, string>>
  readonly orderingKey: string
  /** Position among the rows of one commit. */
  readonly position: number
  readonly createdAtMs: number
}

export type Outbox = {
  /**
   * Publishes rows just committed, after what still waits of the same tenants. Never fails, and begins
   * none after 5 s, since somebody waits for the answer: what is not published stays for the sweep.
   */
  dispatch(rows: readonly OutboxRow[]): Promise<void>
  /**
   * Publishes rows that have waited for more than 30 s, up to 1,000 of them; returns how many went out.
   * Once `signal` is aborted it begins no other row.
   */
  sweep(signal?: AbortSignal): Promise<{ published: number; failed: number }>
}

export const OUTBOX_GRACE_MS = 30_000
const SENT_KEPT_MS = 7 * 24 * 3_600_000
const SWEEP_PAGE = 200
const MOST_PAGES = 5
const MOST_LANES = 16
/** A tenant with as many rows waiting is left to the sweep, which can sort them all. */
const MOST_WAITING = 100
const DISPATCH_LIMIT_MS = 5_000

type Swept = { published: number; failed: number }

const parseRow = parser(
  z.object({
    tenantId: z.string(),
    topic: z.enum(TOPIC_NAMES as [TopicName, ...TopicName[]]),
    body: z.string(),
    attributes: z.record(z.string(), z.string()),
    orderingKey: z.string(),
    position: z.number(),
    createdAtMs: z.number(),
  }),
)

/**
 * The row of an event. Its id comes from the event, so the same event is never written twice.
 *
 * Throws when the event is about another tenant than the commit that it leaves with.
 */
export function outboxRow(outgoing: Outgoing, tenantId: string, position: number, nowMs: number): OutboxRow {
  const { event, topic } = outgoing
  if (event.tenantid !== tenantId || event.subject !== subjectOf(tenantId)) {
    throw new TypeError(`an event about ${event.subject} cannot leave with a commit of ${tenantId}`)
  }
  return {
    id: hashedId(event.source, event.id),
    tenantId,
    topic,
    body: canonicalJson(event),
    attributes: {
      type: event.type,
      'content-type': CLOUD_EVENT_TYPE,
      ...(event.tenantid === undefined ? {} : { tenantid: event.tenantid }),
      ...(event.traceparent === undefined ? {} : { traceparent: event.traceparent }),
    },
    orderingKey: event.partitionkey ?? '',
    position,
    createdAtMs: nowMs,
  }
}

/** What a row looks like in the store: pending until its publish was acknowledged. */
export function outboxFields(row: OutboxRow): Record<string, unknown> {
  const { id: _id, ...fields } = row
  return { ...fields, status: 'pending' }
}

export function createOutbox(deps: {
  readonly group: Group
  readonly system: SystemFirestore
  readonly publisher: Publisher
  readonly clock: Clock
  readonly log: Logger
}): Outbox {
  const collection = `${deps.group}_outbox`

  /** Publish, then mark: a crash between the two publishes again, with the same id and bytes. */
  const send = async (row: OutboxRow): Promise<void> => {
    await deps.publisher.publish({
      topic: row.topic,
      data: Buffer.from(row.body, 'utf8'),
      attributes: row.attributes,
      ...(row.orderingKey === '' ? {} : { orderingKey: row.orderingKey }),
    })
    await deps.system.merge(collection, row.id, {
      status: 'sent',
      expireAt: timestamp(deps.clock.now() + SENT_KEPT_MS),
    })
  }

  /** One after the other, so that a tenant's facts leave in order; after a failure the rest waits for the sweep. */
  const sendInOrder = async (rows: readonly OutboxRow[], signal?: AbortSignal): Promise<Swept> => {
    for (const [index, row] of rows.entries()) {
      if (signal?.aborted === true) return { published: index, failed: 0 }
      try {
        await send(row)
      } catch (error) {
        const fields = { topic: row.topic, outboxId: row.id, ...errorFields(error) }
        deps.log.warn('outbox row not published', fields)
        return { published: index, failed: rows.length - index }
      }
    }
    return { published: rows.length, failed: 0 }
  }

  /** Tenants side by side: one whose rows fail holds up nobody else. */
  const sendAll = async (rows: readonly OutboxRow[], signal?: AbortSignal): Promise<Swept> => {
    const lanes = [...Map.groupBy(rows, (row) => row.tenantId).values()]
    const total = { published: 0, failed: 0 }
    const work = async (): Promise<void> => {
      for (let lane = lanes.shift(); lane !== undefined; lane = lanes.shift()) {
        const sent = await sendInOrder(lane, signal)
        total.published += sent.published
        total.failed += sent.failed
      }
    }
    await Promise.all(Array.from({ length: MOST_LANES }, work))
    return total
  }

  /** Oldest first, page after page: rows that keep failing at the front do not hide those behind them. */
  const sweep = async (signal?: AbortSignal): Promise<Swept> => {
    const before = deps.clock.now() - OUTBOX_GRACE_MS
    const total = { published: 0, failed: 0 }
    let startAfter: readonly unknown[] | undefined
    for (let page = 0; page < MOST_PAGES && signal?.aborted !== true; page += 1) {
      const pending = await deps.system.list(
        collection,
        {
          where: [
            ['status', '==', 'pending'],
            ['createdAtMs', '<', before],
          ],
          orderBy: [
            ['createdAtMs', 'asc'],
            ['__name__', 'asc'],
          ],
          limit: SWEEP_PAGE,
          ...(startAfter === undefined ? {} : { startAfter }),
        },
        parseRow,
      )
      const sent = await sendAll(inOrder(pending), signal)
      total.published += sent.published
      total.failed += sent.failed
      const last = pending.at(-1)
      if (last === undefined || pending.length < SWEEP_PAGE) break
      startAfter = [last.value.createdAtMs, last.id]
    }
    return total
  }

  const sendWaiting = async (tenantId: string, signal: AbortSignal): Promise<void> => {
    // Those before took all the time.
    if (signal.aborted) return
    try {
      const where = [
        ['tenantId', '==', tenantId],
        ['status', '==', 'pending'],
      ] as const
      const waiting = await deps.system.list(collection, { where, limit: MOST_WAITING }, parseRow)
      if (waiting.length < MOST_WAITING) await sendInOrder(inOrder(waiting), signal)
    } catch (error) {
      deps.log.warn('outbox row not published', { tenantId, ...errorFields(error) })
    }
  }

  const turns = new Map<string, Promise<void>>()
  /** One after the other for a tenant: two at once would publish the same rows twice. */
  const takeTurn = (tenantId: string, signal: AbortSignal): Promise<void> => {
    let begun = false
    const turn = (turns.get(tenantId) ?? Promise.resolve()).then(() => {
      begun = true
      return sendWaiting(tenantId, signal)
    })
    turns.set(tenantId, turn)
    const done = turn.then(() => {
      if (turns.get(tenantId) === turn) turns.delete(tenantId)
    })
    // Whose turn has not come by then does not wait for those before: each of them may be slow.
    const given = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => begun || resolve(), { once: true })
    })
    return Promise.race([done, given])
  }

  return {
    dispatch: async (rows) => {
      const tenants = [...new Set(rows.map((row) => row.tenantId))]
      if (tenants.length === 0) return
      const signal = signalAfter(DISPATCH_LIMIT_MS)
      await Promise.all(tenants.map((tenantId) => takeTurn(tenantId, signal)))
    },
    sweep,
  }
}

/** As the store committed them: clocks of two instances need not agree. */
function inOrder(docs: readonly Doc<SystemScope, Omit<OutboxRow, 'id'>>[]): OutboxRow[] {
  return [...docs]
    .sort(
      (left, right) =>
        compareVersions(left.version, right.version) || left.value.position - right.value.position,
    )
    .map((doc) => ({ id: doc.id, ...doc.value }))
}
