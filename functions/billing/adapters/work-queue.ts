import { workRequested } from '#shared/contracts/events/work-requested.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { outboxRow } from '#shared/firestore/outbox.ts'
import type { TenantId } from '#shared/ids.ts'
import type { Publisher } from '#shared/pubsub/publisher.ts'
import type { WorkQueue } from '../ports.ts'

const SOURCE = '//energent.ai/billing'

/** Units of work on `billing-work`. No ordering key: a unit that fails must not hold up the next. */
export function pubsubWorkQueue(publisher: Publisher): WorkQueue {
  return {
    request: async (data, { id, nowMs, trace }) => {
      const tenantId = data.tenantId as TenantId
      const event = newEvent({ id, source: SOURCE, type: workRequested.type, tenantId, nowMs, data, trace })
      const { topic, body, attributes } = outboxRow({ topic: 'billing-work', event }, tenantId, 0, nowMs)
      await publisher.publish({ topic, data: Buffer.from(body, 'utf8'), attributes })
    },
  }
}
