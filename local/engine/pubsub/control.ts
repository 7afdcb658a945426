import { rpcError, status } from '../rpc-error.ts'
import type { Broker, Subscription } from './broker.ts'
import type { Delivery, Message } from './model.ts'
import { shortName } from './rules.ts'
import { realNow } from './timers.ts'

type MessageState = 'ready' | 'leased' | 'delayed' | 'acked'

/** One message as one subscription sees it, for the control door and the console. */
type MessageView = {
  readonly messageId: string
  readonly topic: string
  readonly subscription: string
  readonly state: MessageState
  readonly attempts: number
  /** Milliseconds of real time until the lease or the back-off ends. */
  readonly remainingMs?: number
  readonly publishTime: string
  readonly orderingKey: string
  readonly attributes: Readonly<Record<string, string>>
  /** Base64. */
  readonly data: string
}

type MessageQuery = {
  /** Short or full name. */
  readonly topic?: string
  readonly subscription?: string
  readonly state?: MessageState
}

export type MessageControl = {
  /** Every delivery that is owed, oldest first, and the latest acknowledged ones. */
  messages(query?: MessageQuery): MessageView[]
  /** Ends the back-off of a message: it is due now. */
  deliver(messageId: string, subscription?: string): void
  /** Delivers a message once more, also one already acknowledged: same id, same content. */
  duplicate(messageId: string, subscription?: string): void
  /** Loses a message: it is neither delivered again nor dead-lettered. */
  drop(messageId: string, subscription?: string): void
  /** True when no subscription that somebody listens to has a message out or due. */
  quiescent(): boolean
}

/** Looking at messages and interfering with them, for the control door. */
export function createControl(broker: Broker): MessageControl {
  const places = (messageId: string, subscription?: string) => {
    const found = [...broker.subscriptions.values()]
      .filter((candidate) => matches(candidate.config.name, subscription))
      .flatMap((candidate) =>
        [...candidate.queue.deliveries.values()]
          .filter((delivery) => delivery.message.messageId === messageId)
          .map((delivery) => ({ subscription: candidate, delivery })),
      )
    if (found.length === 0) throw noMessage(messageId)
    return found
  }
  return {
    messages: (query = {}) => [...broker.subscriptions.values()].flatMap((each) => viewsOf(each, query)),
    deliver: (messageId, subscription) => {
      for (const place of places(messageId, subscription)) place.subscription.queue.deliverNow(place.delivery)
    },
    drop: (messageId, subscription) => {
      for (const place of places(messageId, subscription)) {
        broker.dropDelivery(place.subscription, place.delivery)
      }
    },
    duplicate: (messageId, subscription) => duplicate(broker, messageId, subscription),
    quiescent: () =>
      [...broker.subscriptions.values()].every(
        ({ queue }) =>
          queue.consumers.size === 0 ||
          [...queue.deliveries.values()].every((delivery) => delivery.state === 'delayed'),
      ),
  }
}

function duplicate(broker: Broker, messageId: string, subscription: string | undefined): void {
  const message = broker.recent.get(messageId) ?? findMessage(broker, messageId)
  if (message === undefined) throw noMessage(messageId)
  const listeners = [...broker.subscriptions.values()].filter(
    (candidate) =>
      candidate.config.topic === message.topic &&
      candidate.matches(message.attributes) &&
      matches(candidate.config.name, subscription),
  )
  if (listeners.length === 0) throw noMessage(messageId)
  broker.journal.atomically(() => {
    // A message everybody has acknowledged is no longer stored; its copy needs it again.
    broker.keep(message)
    for (const listener of listeners) broker.addDelivery(listener, message)
    broker.letGo(message)
  })
}

function findMessage(broker: Broker, messageId: string): Message | undefined {
  for (const { queue } of broker.subscriptions.values()) {
    for (const { message } of queue.deliveries.values()) if (message.messageId === messageId) return message
  }
  return undefined
}

function viewsOf(subscription: Subscription, query: MessageQuery): MessageView[] {
  const { config, queue, retained, done } = subscription
  if (!matches(config.name, query.subscription)) return []
  // What is kept for seeks is among the latest done, too.
  const byEntry = new Map([...done, ...retained, ...queue.deliveries])
  return [...byEntry.values()]
    .filter(({ message, state }) => matches(message.topic, query.topic) && (query.state ?? state) === state)
    .sort((left, right) => left.entry - right.entry)
    .map((delivery) => toView(config.name, delivery))
}

function toView(subscription: string, { message, state, attempts, untilMs }: Delivery): MessageView {
  const waits = state === 'leased' || state === 'delayed'
  return {
    messageId: message.messageId,
    topic: message.topic,
    subscription,
    state,
    attempts,
    ...(waits && { remainingMs: Math.max(0, Math.round(untilMs - realNow())) }),
    publishTime: new Date(message.publishMs).toISOString(),
    orderingKey: message.orderingKey,
    attributes: message.attributes,
    data: message.data.toString('base64'),
  }
}

const matches = (name: string, wanted: string | undefined): boolean =>
  wanted === undefined || name === wanted || shortName(name) === wanted

const noMessage = (messageId: string) =>
  rpcError(status.NOT_FOUND, `No subscription holds the message ${messageId}.`)
