import type { Message, PubSub, Subscription } from '@google-cloud/pubsub'
import { parseFilter } from '../engine/pubsub/filter.ts'
import { backoffMs } from '../engine/pubsub/queue.ts'
import { connectPubsub } from './connect.ts'
import type { MessageSink, MessageSource, OpenSource, PushMessage, PushSubscription } from './model.ts'

/**
 * Takes messages with Google's client, for Google's emulator.
 *
 * That emulator ignores filters and retry policies and lets messages of a key overtake each other after
 * a refusal. So a refused message is not given back: it is kept, its lease extended by the client, and
 * pushed again after the back-off. A killed pusher's leases end and the emulator delivers again.
 */
export function clientSource(options: {
  readonly pubsubHost: string
  readonly project: string
}): MessageSource {
  let client: Promise<PubSub> | undefined
  let open = 0
  return {
    settleMs: 300,
    open: async (config, sink) => {
      client ??= connectPubsub(options)
      const pubsub = await client
      open += 1
      const source = listen(pubsub, config, sink, options.project)
      return {
        ...source,
        close: async () => {
          await source.close()
          open -= 1
          if (open > 0) return
          client = undefined
          await pubsub.close()
        },
      }
    },
  }
}

/** A message the emulator has given us and has no acknowledgement for yet. */
type Held = { readonly message: Message; failures: number; state: 'waiting' | 'out' | 'delayed' }

type Listening = {
  readonly pubsub: PubSub
  readonly config: PushSubscription
  readonly project: string
  readonly sink: MessageSink
  readonly held: Set<Held>
  readonly timers: Set<NodeJS.Timeout>
}

function listen(pubsub: PubSub, config: PushSubscription, sink: MessageSink, project: string): OpenSource {
  const filter = parseFilter(config.filter ?? '')
  if (!filter.ok) throw new Error(`the filter of ${config.name}: ${filter.problem}`)
  const listening: Listening = { pubsub, config, project, sink, held: new Set(), timers: new Set() }
  const subscription: Subscription = pubsub.subscription(config.name, {
    flowControl: { maxMessages: 1000, allowExcessMessages: false },
    streamingOptions: { maxStreams: 1 },
  })
  subscription.on('message', (message: Message) => {
    if (!filter.matches(message.attributes)) {
      message.ack()
      return
    }
    listening.held.add({ message, failures: 0, state: 'waiting' })
    offer(listening)
  })
  // The client reconnects by itself; what it reports here has been retried or will be.
  subscription.on('error', () => undefined)
  const count = (delayed: boolean): number =>
    [...listening.held].filter((item) => (item.state === 'delayed') === delayed).length
  return {
    wake: () => offer(listening),
    due: () => count(false),
    delayed: () => count(true),
    close: async () => {
      for (const timer of listening.timers) clearTimeout(timer)
      await subscription.close()
    },
  }
}

/** Gives the sink what it has room for; a key with a message out or delayed waits. */
function offer(listening: Listening): void {
  const { config, held, sink } = listening
  const busyKeys = new Set<string>()
  for (const item of held) {
    const key = config.enableOrdering ? (item.message.orderingKey ?? '') : ''
    const blocked = key !== '' && busyKeys.has(key)
    if (key !== '') busyKeys.add(key)
    if (blocked || item.state !== 'waiting') continue
    if (sink.room() <= 0) return
    item.state = 'out'
    sink.take(toPushMessage(listening, item))
  }
}

function toPushMessage(listening: Listening, item: Held): PushMessage {
  const { message } = item
  return {
    messageId: message.id,
    data: message.data,
    attributes: message.attributes,
    publishTime: message.publishTime.toISOString(),
    orderingKey: message.orderingKey ?? '',
    deliveryAttempt: attemptOf(item),
    ack: () => finish(listening, item),
    nack: () => refuse(listening, item),
  }
}

function finish(listening: Listening, item: Held): void {
  item.message.ack()
  listening.held.delete(item)
  offer(listening)
}

function refuse(listening: Listening, item: Held): void {
  item.failures += 1
  if (attemptOf(item) <= listening.config.maxDeliveryAttempts) {
    delay(listening, item)
    return
  }
  // Published before it is acknowledged: a kill between the two makes a copy, never a loss.
  publishDeadLetter(listening, item).then(
    () => finish(listening, item),
    () => delay(listening, item),
  )
}

// Real time: a push subscription's back-off does not follow a test's clock.
function delay(listening: Listening, item: Held): void {
  item.state = 'delayed'
  const timer = setTimeout(
    () => {
      listening.timers.delete(timer)
      item.state = 'waiting'
      offer(listening)
    },
    backoffMs(listening.config.retry, item.failures),
  )
  listening.timers.add(timer)
}

/** The emulator counts its own deliveries, we those it does not see. */
const attemptOf = (item: Held): number => Math.max(1, item.message.deliveryAttempt ?? 0) + item.failures

async function publishDeadLetter(
  { pubsub, config, project }: Listening,
  { message, failures }: Held,
): Promise<void> {
  const topic = pubsub.topic(config.deadLetterTopic, { messageOrdering: Boolean(message.orderingKey) })
  await topic.publishMessage({
    data: message.data,
    attributes: {
      ...message.attributes,
      CloudPubSubDeadLetterSourceDeliveryCount: String(
        Math.max(1, message.deliveryAttempt ?? 0) + failures - 1,
      ),
      CloudPubSubDeadLetterSourceDeliveryErrorMessage: 'the maximum number of delivery attempts was reached',
      CloudPubSubDeadLetterSourceSubscription: config.name,
      CloudPubSubDeadLetterSourceSubscriptionProject: project,
      CloudPubSubDeadLetterSourceTopicPublishTime: message.publishTime.toISOString(),
    },
    ...(message.orderingKey && { orderingKey: message.orderingKey }),
  })
}
