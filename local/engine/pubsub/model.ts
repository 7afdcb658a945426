/** One published message, shared by every subscription that holds it. */
export type Message = {
  /** Grows with every publish; the order in which a topic received its messages. */
  readonly seq: number
  readonly messageId: string
  readonly topic: string
  readonly data: Buffer
  readonly attributes: Readonly<Record<string, string>>
  readonly orderingKey: string
  /** On the engine's clock, which tests may move. */
  readonly publishMs: number
  /** On the retention clock: what message retention counts from. */
  readonly storedMs: number
}

/** `ready` may be delivered, `leased` is with a subscriber, `delayed` waits for its back-off. */
type DeliveryState = 'ready' | 'leased' | 'delayed' | 'acked'

/** One subscription's obligation to deliver one message; a duplicate is a second one. */
export type Delivery = {
  readonly entry: number
  readonly message: Message
  state: DeliveryState
  /** How often it has been handed to a subscriber. */
  attempts: number
  /** Counts leases and back-offs, so that a timer or an ack id of an earlier one means nothing. */
  generation: number
  /** End of the lease or of the back-off, in real milliseconds. */
  untilMs: number
  /** Acknowledged before an earlier message of its ordering key: counts once that one is. */
  ackedEarly: boolean
  consumer: Consumer | undefined
}

export type Leased = {
  readonly ackId: string
  readonly message: Message
  /** 1 for the first delivery. */
  readonly attempt: number
}

/** Whoever takes messages from a subscription: a pull, an open stream, our pusher. */
export type Consumer = {
  /** How much it can take now; at least one message is offered when `messages` is positive. */
  room(): { readonly messages: number; readonly bytes: number }
  deliver(batch: readonly Leased[]): void
  /** A message it was given is no longer its own: acknowledged, refused, expired or taken back. */
  released?(message: Message, ackId: string): void
  readonly ackDeadlineMs: number
  /** As push subscriptions do: one outstanding message per ordering key. */
  readonly oneAtATimePerKey: boolean
}

export type Backoff = { readonly minMs: number; readonly maxMs: number }

/** A message's size as Pub/Sub counts it for flow control and limits, in bytes. */
export function messageBytes(message: Pick<Message, 'data' | 'attributes' | 'orderingKey'>): number {
  let bytes = message.data.length + Buffer.byteLength(message.orderingKey)
  for (const [key, value] of Object.entries(message.attributes)) {
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value)
  }
  return bytes
}
