import type { PubSub } from '@google-cloud/pubsub'
import type { Broker } from '../engine/pubsub/broker.ts'
import { createTopic } from '../engine/pubsub/publisher.ts'
import { createSubscription, reviseSubscription } from '../engine/pubsub/subscriber.ts'
import { newSubscriptionConfig, newTopicConfig, toDuration } from '../engine/pubsub/wire.ts'
import { connectPubsub } from './connect.ts'
import type { PushSubscription } from './model.ts'

type TopologyOptions = {
  readonly project: string
  /** Short names; each gets a dead-letter topic beside it. */
  readonly topics: readonly string[]
  readonly subscriptions: readonly PushSubscription[]
} & ({ readonly store: Broker } | { readonly pubsubHost: string })

/** What must exist, whichever engine it is created on. */
type Admin = {
  topic(name: string): Promise<void>
  /** `push` is absent for the plain subscription that keeps a dead-letter topic's messages. */
  subscription(name: string, topic: string, push?: PushSubscription): Promise<void>
}

/**
 * Creates what is missing: topics, a dead-letter topic `<topic>-dead-letter` for each with a subscription
 * of the same name (a topic nobody subscribes to loses what it is given), and the push subscriptions.
 *
 * Safe to run at every start: what exists stays, with its messages; changed retry, deadline and
 * dead-letter settings are brought up to date.
 */
export async function createTopology(options: TopologyOptions): Promise<void> {
  if ('store' in options) {
    await create(options, embeddedAdmin(options.store, options.project))
    return
  }
  const pubsub = await connectPubsub(options)
  try {
    await create(options, clientAdmin(pubsub, options.project))
  } finally {
    await pubsub.close()
  }
}

async function create({ topics, subscriptions }: TopologyOptions, admin: Admin): Promise<void> {
  const deadLetters = new Set([
    ...topics.map((topic) => `${topic}-dead-letter`),
    ...subscriptions.map((subscription) => subscription.deadLetterTopic),
  ])
  for (const topic of new Set([...topics, ...deadLetters])) await admin.topic(topic)
  for (const topic of deadLetters) await admin.subscription(topic, topic)
  for (const push of subscriptions) await admin.subscription(push.name, push.topic, push)
}

function embeddedAdmin(broker: Broker, project: string): Admin {
  const topicName = (name: string): string => `projects/${project}/topics/${name}`
  return {
    topic: async (name) => {
      if (!broker.topics.has(topicName(name))) createTopic(broker, newTopicConfig(topicName(name)))
    },
    subscription: async (shortName, topic, push) => {
      const name = `projects/${project}/subscriptions/${shortName}`
      const config = newSubscriptionConfig({
        name,
        topic: topicName(topic),
        ...(push && pushSettings(push, topicName(push.deadLetterTopic))),
      })
      const existing = broker.subscriptions.get(name)
      if (existing === undefined) createSubscription(broker, config)
      else reviseSubscription(broker, existing, config)
    },
  }
}

function pushSettings(push: PushSubscription, deadLetterTopic: string) {
  return {
    ackDeadlineSeconds: push.ackDeadlineSeconds,
    enableMessageOrdering: push.enableOrdering,
    filter: push.filter ?? '',
    retryPolicy: {
      minimumBackoff: toDuration(push.retry.minMs),
      maximumBackoff: toDuration(push.retry.maxMs),
    },
    deadLetterPolicy: { deadLetterTopic, maxDeliveryAttempts: push.maxDeliveryAttempts },
  }
}

function clientAdmin(pubsub: PubSub, project: string): Admin {
  return {
    topic: (name) => unlessExists(() => pubsub.createTopic(name)),
    subscription: (name, topic, push) =>
      unlessExists(() =>
        pubsub
          .topic(topic)
          .createSubscription(
            name,
            push
              ? pushSettings(push, `projects/${project}/topics/${push.deadLetterTopic}`)
              : { ackDeadlineSeconds: 10 },
          ),
      ),
  }
}

const ALREADY_EXISTS = 6

async function unlessExists(create: () => Promise<unknown>): Promise<void> {
  try {
    await create()
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === ALREADY_EXISTS)) throw error
  }
}
