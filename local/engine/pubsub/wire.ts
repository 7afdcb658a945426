/** Resources as they cross the wire, decoded; fields the engine only stores are left untyped. */
export type Duration = { readonly seconds: string | number; readonly nanos: number }
export type Timestamp = Duration
type Labels = Readonly<Record<string, string>>

export type TopicConfig = {
  readonly name: string
  readonly labels: Labels
  readonly messageRetentionDuration: Duration | null
  readonly [field: string]: unknown
}

export type SubscriptionConfig = {
  readonly name: string
  readonly topic: string
  readonly ackDeadlineSeconds: number
  readonly retainAckedMessages: boolean
  readonly messageRetentionDuration: Duration | null
  readonly enableMessageOrdering: boolean
  readonly enableExactlyOnceDelivery: boolean
  readonly filter: string
  readonly deadLetterPolicy: {
    readonly deadLetterTopic: string
    readonly maxDeliveryAttempts: number
  } | null
  readonly retryPolicy: {
    readonly minimumBackoff: Duration | null
    readonly maximumBackoff: Duration | null
  } | null
  readonly expirationPolicy: { readonly ttl: Duration | null } | null
  readonly pushConfig: { readonly pushEndpoint?: string } | null
  readonly detached: boolean
  readonly [field: string]: unknown
}

export type SnapshotConfig = {
  readonly name: string
  readonly topic: string
  readonly expireTime: Timestamp
  readonly labels: Labels
}

export type WireMessage = {
  readonly data: Buffer
  readonly attributes: Readonly<Record<string, string>>
  readonly orderingKey: string
}

/** A duration, or a moment since 1970, in milliseconds. */
export function durationMs(duration: Duration): number {
  return Number(duration.seconds) * 1000 + duration.nanos / 1e6
}

/** A moment in milliseconds as `google.protobuf.Timestamp`. */
export function toTimestamp(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1000)
  return { seconds: String(seconds), nanos: Math.round((ms - seconds * 1000) * 1e6) }
}

export const seconds = (count: number): Duration => ({ seconds: String(count), nanos: 0 })

/** A topic with every field at its default, for callers that do not come over the wire. */
export function newTopicConfig(name: string): TopicConfig {
  return { name, labels: {}, messageRetentionDuration: null }
}

/** A subscription with every field it is not given at its default. */
export function newSubscriptionConfig(
  given: Pick<SubscriptionConfig, 'name' | 'topic'> & Partial<SubscriptionConfig>,
): SubscriptionConfig {
  return {
    labels: {},
    ackDeadlineSeconds: 0,
    retainAckedMessages: false,
    messageRetentionDuration: null,
    enableMessageOrdering: false,
    enableExactlyOnceDelivery: false,
    filter: '',
    deadLetterPolicy: null,
    retryPolicy: null,
    expirationPolicy: null,
    pushConfig: null,
    detached: false,
    ...given,
  }
}

/** Milliseconds as `google.protobuf.Duration`. */
export function toDuration(ms: number): Duration {
  return toTimestamp(ms)
}
