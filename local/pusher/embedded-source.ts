import type { Broker } from '../engine/pubsub/broker.ts'
import type { Consumer, Leased } from '../engine/pubsub/model.ts'
import type { MessageSource, PushMessage } from './model.ts'

/**
 * Takes messages straight from the embedded engine in this process.
 *
 * The engine does the back-off, the order and the dead letters itself and has them on disk, so nothing
 * is lost when the process is killed: what was out is due again after the restart.
 */
export function embeddedSource(broker: Broker, project: string): MessageSource {
  return {
    settleMs: 0,
    open: async (config, sink) => {
      const subscription = broker.subscriptions.get(`projects/${project}/subscriptions/${config.name}`)
      if (subscription === undefined) throw new Error(`there is no subscription ${config.name} to push`)
      const { queue } = subscription
      const toMessage = ({ ackId, message, attempt }: Leased): PushMessage => ({
        messageId: message.messageId,
        data: message.data,
        attributes: message.attributes,
        publishTime: new Date(message.publishMs).toISOString(),
        orderingKey: message.orderingKey,
        deliveryAttempt: attempt,
        ack: () => void broker.journal.atomically(() => queue.acknowledge(ackId)),
        nack: () => void broker.journal.atomically(() => queue.modifyDeadline(ackId, 0)),
      })
      const consumer: Consumer = {
        room: () => ({ messages: sink.room(), bytes: Number.POSITIVE_INFINITY }),
        deliver: (batch) => {
          for (const leased of batch) sink.take(toMessage(leased))
        },
        // The pusher gives up at the deadline; the lease ends later, so that it is never the first to.
        ackDeadlineMs: (config.ackDeadlineSeconds + 10) * 1000,
        oneAtATimePerKey: config.enableOrdering,
      }
      const detach = queue.attach(consumer)
      const count = (delayed: boolean): number =>
        [...queue.deliveries.values()].filter((delivery) => (delivery.state === 'delayed') === delayed).length
      return {
        wake: () => queue.pump(),
        due: () => count(false),
        delayed: () => count(true),
        close: async () => detach(),
      }
    },
  }
}
