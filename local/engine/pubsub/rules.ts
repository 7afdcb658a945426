import { rpcError, status } from '../rpc-error.ts'
import { parseFilter } from './filter.ts'
import { messageBytes } from './model.ts'
import { durationMs, type SubscriptionConfig, seconds, type TopicConfig, type WireMessage } from './wire.ts'

const invalid = (details: string) => rpcError(status.INVALID_ARGUMENT, details)

export const notFound = (name: string) =>
  rpcError(status.NOT_FOUND, `Resource not found (resource=${shortName(name)}).`)
export const alreadyExists = (name: string) =>
  rpcError(status.ALREADY_EXISTS, `Resource already exists in the project (resource=${shortName(name)}).`)

/** The last part of a resource's name. */
export const shortName = (name: string): string => name.slice(name.lastIndexOf('/') + 1)
/** The project id within a resource's name. */
export const projectOf = (name: string): string => name.split('/')[1] ?? ''

/** What a subscription's topic is called once the topic is gone. */
export const DELETED_TOPIC = '_deleted-topic_'

const NAME =
  /^projects\/[a-z0-9:.-]+\/(topics|subscriptions|snapshots)\/(?!goog)[A-Za-z][A-Za-z0-9\-_.~+%]{2,254}$/

/** Refuses what is not `projects/P/<kind>/ID` with an id as Pub/Sub allows it. */
export function checkName(name: string, kind: 'topics' | 'subscriptions' | 'snapshots'): void {
  if (NAME.exec(name)?.[1] !== kind) throw invalid(`Invalid [${kind}] name: (name=${name})`)
}

/** Pub/Sub's limits on one publish request: messages, bytes, attributes, ordering keys. */
export function checkPublish(messages: readonly WireMessage[]): void {
  if (messages.length === 0) throw invalid('The value for message_count is too small. You passed 0.')
  if (messages.length > 1000) {
    throw invalid(`The value for message_count is too large. You passed ${messages.length}.`)
  }
  let bytes = 0
  for (const message of messages) {
    checkMessage(message)
    bytes += messageBytes(message)
  }
  if (bytes > MAX_REQUEST_BYTES) {
    throw invalid(
      `The value for request_size is too large. You passed ${bytes} bytes of ${MAX_REQUEST_BYTES}.`,
    )
  }
}

const MAX_REQUEST_BYTES = 10_000_000

function checkMessage(message: WireMessage): void {
  const attributes = Object.entries(message.attributes)
  if (message.data.length === 0 && attributes.length === 0) {
    throw invalid('One or more messages in the publish request is empty. Each needs data or an attribute.')
  }
  if (attributes.length > 100) throw invalid('A message has at most 100 attributes.')
  for (const [key, value] of attributes) {
    if (key === '' || Buffer.byteLength(key) > 256) throw invalid('An attribute key has 1 to 256 bytes.')
    if (key.startsWith('goog')) throw invalid(`The attribute key ${key} starts with goog.`)
    if (Buffer.byteLength(value) > 1024) throw invalid('An attribute value has at most 1024 bytes.')
  }
  if (Buffer.byteLength(message.orderingKey) > 1024) throw invalid('An ordering key has at most 1024 bytes.')
}

/** Refuses a topic that production would refuse. */
export function checkTopic(config: TopicConfig): void {
  checkName(config.name, 'topics')
  checkLabels(config.labels)
  const retention = config.messageRetentionDuration
  if (retention !== null)
    checkRange('message_retention_duration', durationMs(retention) / 1000, 600, 2_678_400)
}

/** Fills a subscription's defaults in and refuses what Pub/Sub would. */
export function completeSubscription(given: SubscriptionConfig): SubscriptionConfig {
  const config: SubscriptionConfig = {
    ...given,
    ackDeadlineSeconds: given.ackDeadlineSeconds || 10,
    messageRetentionDuration: given.messageRetentionDuration ?? seconds(604_800),
    expirationPolicy: given.expirationPolicy ?? { ttl: seconds(2_678_400) },
    pushConfig: given.pushConfig ?? {},
    retryPolicy: given.retryPolicy && {
      minimumBackoff: given.retryPolicy.minimumBackoff ?? seconds(10),
      maximumBackoff: given.retryPolicy.maximumBackoff ?? seconds(600),
    },
    deadLetterPolicy: given.deadLetterPolicy && {
      deadLetterTopic: given.deadLetterPolicy.deadLetterTopic,
      maxDeliveryAttempts: given.deadLetterPolicy.maxDeliveryAttempts || 5,
    },
    state: 'ACTIVE',
  }
  checkSubscription(config)
  return config
}

function checkSubscription(config: SubscriptionConfig): void {
  checkName(config.name, 'subscriptions')
  checkLabels((config['labels'] as Record<string, string> | undefined) ?? {})
  checkRange('ack_deadline_seconds', config.ackDeadlineSeconds, 10, 600)
  const retention = config.messageRetentionDuration
  if (retention !== null)
    checkRange('message_retention_duration', durationMs(retention) / 1000, 600, 2_678_400)
  const { retryPolicy, deadLetterPolicy } = config
  if (retryPolicy?.minimumBackoff && retryPolicy.maximumBackoff) {
    const minimum = durationMs(retryPolicy.minimumBackoff) / 1000
    const maximum = durationMs(retryPolicy.maximumBackoff) / 1000
    checkRange('minimum_backoff', minimum, 0, 600)
    checkRange('maximum_backoff', maximum, 0, 600)
    if (maximum < minimum) throw invalid('maximum_backoff is less than minimum_backoff.')
  }
  if (deadLetterPolicy !== null) {
    checkName(deadLetterPolicy.deadLetterTopic, 'topics')
    checkRange('max_delivery_attempts', deadLetterPolicy.maxDeliveryAttempts, 5, 100)
  }
  const filter = parseFilter(config.filter)
  if (!filter.ok) throw invalid(`Invalid filter: ${filter.problem}.`)
  const endpoint = config.pushConfig?.pushEndpoint
  if (endpoint && !/^https?:\/\//.test(endpoint)) throw invalid('Invalid push endpoint given.')
}

function checkLabels(labels: Readonly<Record<string, string>>): void {
  const entries = Object.entries(labels)
  if (entries.length > 64) throw invalid('A resource has at most 64 labels.')
  for (const [key, value] of entries) {
    if (!/^\p{Ll}[\p{Ll}\p{N}_-]{0,62}$/u.test(key) || !/^[\p{Ll}\p{N}_-]{0,63}$/u.test(value)) {
      throw invalid(`Invalid label ${key}.`)
    }
  }
}

/** Refuses a number outside `least` to `most`. */
export function checkRange(field: string, value: number, least: number, most: number): void {
  if (value >= least && value <= most) return
  throw invalid(`Invalid value for ${field}: ${value}. It must be between ${least} and ${most}.`)
}
