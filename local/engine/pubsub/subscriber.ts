import { applyMask, type FieldMask } from '../field-mask.ts'
import type { ServiceHandlers, UnaryContext } from '../grpc.ts'
import { rpcError, status } from '../rpc-error.ts'
import { acknowledge, modifyDeadlines } from './acknowledge.ts'
import type { Broker, Subscription } from './broker.ts'
import { dropBacklog, getAttached, getSubscription, getTopic, pageOfProject } from './lookup.ts'
import { pull } from './pull.ts'
import { alreadyExists, checkRange, completeSubscription, notFound } from './rules.ts'
import { snapshotHandlers } from './snapshots.ts'
import { streamingPull } from './streaming-pull.ts'
import type { SubscriptionConfig } from './wire.ts'

type Named = { subscription: string }
type AckIds = Named & { ackIds: string[] }

const UPDATABLE = new Set([
  'pushConfig',
  'bigqueryConfig',
  'cloudStorageConfig',
  'ackDeadlineSeconds',
  'retainAckedMessages',
  'messageRetentionDuration',
  'labels',
  'expirationPolicy',
  'deadLetterPolicy',
  'retryPolicy',
  'enableExactlyOnceDelivery',
  'messageTransforms',
])

/** google.pubsub.v1.Subscriber. */
export function subscriberHandlers(broker: Broker): ServiceHandlers {
  return {
    unary: {
      CreateSubscription: (config: SubscriptionConfig) => createSubscription(broker, config),
      GetSubscription: (request: Named) => getSubscription(broker, request.subscription).config,
      UpdateSubscription: (request: { subscription: SubscriptionConfig | null; updateMask: FieldMask }) =>
        updateSubscription(broker, request.subscription, request.updateMask),
      ListSubscriptions: (request: { project: string; pageSize: number; pageToken: string }) => {
        const page = pageOfProject(broker.subscriptions.values(), request)
        return { subscriptions: page.items, nextPageToken: page.nextPageToken }
      },
      DeleteSubscription: (request: Named) => deleteSubscription(broker, request.subscription),
      ModifyPushConfig: (request: Named & { pushConfig: SubscriptionConfig['pushConfig'] }) => {
        const subscription = getSubscription(broker, request.subscription)
        save(broker, subscription, { ...subscription.config, pushConfig: request.pushConfig ?? {} })
        return {}
      },
      Acknowledge: (request: AckIds) =>
        acknowledge(broker, getSubscription(broker, request.subscription), request.ackIds),
      ModifyAckDeadline: (request: AckIds & { ackDeadlineSeconds: number }) => {
        const subscription = getSubscription(broker, request.subscription)
        checkRange('ack_deadline_seconds', request.ackDeadlineSeconds, 0, 600)
        const changes = request.ackIds.map((ackId) => ({ ackId, seconds: request.ackDeadlineSeconds }))
        return modifyDeadlines(broker, subscription, changes)
      },
      Pull: (
        request: Named & { maxMessages: number; returnImmediately: boolean },
        { cancelled }: UnaryContext,
      ) => {
        const subscription = getAttached(broker, request.subscription)
        if (request.maxMessages < 1) {
          throw rpcError(status.INVALID_ARGUMENT, 'The value for max_messages must be greater than 0.')
        }
        return pull(subscription, request.maxMessages, request.returnImmediately, cancelled)
      },
      ...snapshotHandlers(broker),
    },
    stream: { StreamingPull: streamingPull(broker) },
  }
}

/** Creates a subscription with production's defaults; it gets what is published from now on. */
export function createSubscription(broker: Broker, given: SubscriptionConfig): SubscriptionConfig {
  const config = completeSubscription({ ...given, detached: false })
  if (broker.subscriptions.has(config.name)) throw alreadyExists(config.name)
  getTopic(broker, config.topic)
  checkDeadLetterTopic(broker, config)
  broker.journal.putResource('subscriptions', config.name, config)
  return broker.openSubscription(config).config
}

function checkDeadLetterTopic(broker: Broker, config: SubscriptionConfig): void {
  if (config.deadLetterPolicy !== null) getTopic(broker, config.deadLetterPolicy.deadLetterTopic)
}

function updateSubscription(
  broker: Broker,
  update: SubscriptionConfig | null,
  mask: FieldMask,
): SubscriptionConfig {
  if (update === null) throw rpcError(status.INVALID_ARGUMENT, 'The subscription of the update is missing.')
  const subscription = getSubscription(broker, update.name)
  const changed = completeSubscription(applyMask(subscription.config, update, mask, UPDATABLE))
  checkDeadLetterTopic(broker, changed)
  save(broker, subscription, changed)
  return changed
}

/** Brings what may change of an existing subscription up to date; its messages stay. */
export function reviseSubscription(
  broker: Broker,
  subscription: Subscription,
  wanted: SubscriptionConfig,
): SubscriptionConfig {
  for (const field of ['topic', 'filter', 'enableMessageOrdering'] as const) {
    if (subscription.config[field] === wanted[field]) continue
    throw rpcError(
      status.FAILED_PRECONDITION,
      `${field} of ${wanted.name} cannot change: delete the subscription, or start with a fresh store.`,
    )
  }
  return updateSubscription(broker, wanted, {
    paths: ['ackDeadlineSeconds', 'retryPolicy', 'deadLetterPolicy', 'messageRetentionDuration'],
  })
}

function save(broker: Broker, subscription: Subscription, config: SubscriptionConfig): void {
  broker.journal.putResource('subscriptions', config.name, config)
  subscription.config = config
}

function deleteSubscription(broker: Broker, name: string): object {
  const subscription = getSubscription(broker, name)
  broker.journal.atomically(() => {
    dropBacklog(broker, subscription)
    broker.journal.deleteResource('subscriptions', name)
    broker.subscriptions.delete(name)
    broker.topics.get(subscription.config.topic)?.subscriptions.delete(subscription)
  })
  for (const end of [...subscription.streams]) end(notFound(name))
  return {}
}
