import { outboxRow } from '#shared/firestore/outbox.ts'
import type { Publisher } from '#shared/pubsub/publisher.ts'
import type { WorkQueue } from '../ports.ts'

/** Publishes in the form an outbox row has, so that listeners cannot tell the difference. */
export function pubsubWorkQueue(publisher: Publisher): WorkQueue {
  return {
    enqueue: async (tenantId, outgoing) => {
      const row = outboxRow(outgoing, tenantId, 0, Date.parse(outgoing.event.time))
      await publisher.publish({
        topic: row.topic,
        data: Buffer.from(row.body, 'utf8'),
        attributes: row.attributes,
      })
    },
  }
}
