import { CLOUD_EVENT_BATCH_TYPE } from '#shared/contracts/cloud-event.ts'
import type { Publisher } from '#shared/pubsub/publisher.ts'
import { formatTraceparent } from '#shared/trace.ts'
import { producerAttributes } from '../domain/producer.ts'
import type { UsageQueue } from '../ports.ts'

/** One message per request on `billing-events`, as one array of the events as they came. */
export function pubsubUsageQueue(publisher: Publisher): UsageQueue {
  return {
    publish: async (tenantId, events, trace) => {
      const types = new Set(events.map((event) => String(event.raw['type'])))
      const [type] = types
      await publisher.publish({
        topic: 'billing-events',
        data: Buffer.from(JSON.stringify(events.map((event) => event.raw)), 'utf8'),
        attributes: {
          'content-type': CLOUD_EVENT_BATCH_TYPE,
          tenantid: tenantId,
          ...producerAttributes('tenant'),
          traceparent: formatTraceparent(trace),
          // An attribute must be true of every event in the message.
          ...(types.size === 1 && type !== undefined ? { type } : {}),
        },
      })
    },
  }
}
