/** A push subscription as production declares it; names are short, the project is the pusher's. */
export type PushSubscription = {
  readonly name: string
  readonly topic: string
  readonly endpoint: string
  /** Whom the identity token speaks for, and to which audience. */
  readonly serviceAccountEmail: string
  readonly audience: string
  /** How long the endpoint may take to answer. */
  readonly ackDeadlineSeconds: number
  readonly retry: { readonly minMs: number; readonly maxMs: number }
  readonly maxDeliveryAttempts: number
  readonly deadLetterTopic: string
  readonly filter?: string
  readonly enableOrdering: boolean
}

/** A message to be pushed; exactly one of `ack` and `nack` is called, once. */
export type PushMessage = {
  readonly messageId: string
  readonly data: Buffer
  readonly attributes: Readonly<Record<string, string>>
  /** RFC 3339. */
  readonly publishTime: string
  readonly orderingKey: string
  /** 1 for the first delivery. */
  readonly deliveryAttempt: number
  ack(): void
  /** The source delivers it again after the back-off, or dead-letters it after the last attempt. */
  nack(): void
}

export type MessageSink = {
  /** How many more messages it takes now. */
  room(): number
  take(message: PushMessage): void
}

export type OpenSource = {
  /** Says that the sink has room again. */
  wake(): void
  /** Messages that are out or due now; those that wait for their back-off do not count. */
  due(): number
  /** Messages that wait for their back-off. */
  delayed(): number
  close(): Promise<void>
}

/**
 * Where messages come from. A source keeps the subscription's promises: filter, order of keys with one
 * message of a key out at a time, exponential back-off, dead letter after the last attempt.
 */
export type MessageSource = {
  open(subscription: PushSubscription, sink: MessageSink): Promise<OpenSource>
  /** How long nothing may have happened before a source that cannot see its backlog counts as idle. */
  readonly settleMs: number
}
