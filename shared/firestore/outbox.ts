import { z } from 'zod'
import type { Group } from '../catalogue/functions.ts'
import type { Clock } from '../clock.ts'
import { CLOUD_EVENT_TYPE, type CloudEvent } from '../contracts/cloud-event.ts'
import { TOPIC_NAMES, type TopicName } from '../contracts/topics.ts'
import { hashedId } from '../ids.ts'
import { canonicalJson, parser } from '../json.ts'
import { errorFields, type Logger } from '../log.ts'
import type { Publisher } from '../pubsub/publisher.ts'
import type { SystemFirestore } from './system.ts'
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
  /** Publishes rows just committed. Never fails: what is not published stays for the sweep. */
  dispatch(rows: readonly OutboxRow[]): Promise<void>
  /** Publishes rows that have waited for more than 30 s; returns how many went out. */
  sweep(): Promise<{ published: number; failed: number }>
}

export const OUTBOX_GRACE_MS = 30_000
const SENT_KEPT_MS = 7 * 24 * 3_600_000
const SWEEP_PAGE = 200

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

/** The row of an event. Its id comes from the event, so the same event is never written twice. */
export function outboxRow(outgoing: Outgoing, tenantId: string, position: number, nowMs: number): OutboxRow {
  const { event, topic } = outgoing
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

  /** One after the other, so that a tenant's facts leave in order; a tenant that fails waits for the sweep. */
  const sendAll = async (rows: readonly OutboxRow[]): Promise<{ published: number; failed: number }> => {
    const stopped = new Set<string>()
    let published = 0
    for (const row of rows) {
      if (stopped.has(row.tenantId)) continue
      try {
        await send(row)
        published += 1
      } catch (error) {
        stopped.add(row.tenantId)
        deps.log.warn('outbox row not published', {
          topic: row.topic,
          outboxId: row.id,
          ...errorFields(error),
        })
      }
    }
    return { published, failed: rows.length - published }
  }

  return {
    dispatch: async (rows) => void (await sendAll(rows)),
    sweep: async () => {
      const pending = await deps.system.list(
        collection,
        {
          where: [
            ['status', '==', 'pending'],
            ['createdAtMs', '<', deps.clock.now() - OUTBOX_GRACE_MS],
          ],
          orderBy: [['createdAtMs', 'asc']],
          limit: SWEEP_PAGE,
        },
        parseRow,
      )
      const rows = pending.map((doc) => ({ id: doc.id, ...doc.value }))
      rows.sort((left, right) => left.createdAtMs - right.createdAtMs || left.position - right.position)
      return sendAll(rows)
    },
  }
}
