import type { MintIdToken } from '#local/id-tokens.ts'
import {
  clientSource,
  createTopology,
  embeddedSource,
  type Pusher,
  type PushSubscription,
  startPusher,
} from '#local/pusher/index.ts'
import { SUBSCRIPTIONS, TOPIC_NAMES } from '#shared/contracts.ts'
import type { Accounts } from './accounts.ts'
import type { Backends } from './backends.ts'
import type { Engines } from './engines.ts'

/** Shorter than production's 10 s to 600 s, so that a laptop's user does not wait (local/DIFFERENCES.md). */
const LOCAL_BACKOFF = { minMs: 1_000, maxMs: 60_000 }

/** Creates topics and subscriptions as Terraform does, and pushes to the functions as Pub/Sub does. */
export async function startDelivery(options: {
  readonly project: string
  readonly engines: Engines
  readonly backends: Backends
  readonly accounts: Accounts
  readonly mintIdToken: MintIdToken
  readonly now: () => number
}): Promise<Pusher> {
  const { accounts, backends, engines, project } = options
  const subscriptions = SUBSCRIPTIONS.map((subscription): PushSubscription => {
    const backend = backends.of(subscription.listener)
    return {
      name: subscription.name,
      topic: subscription.topic,
      endpoint: `${backend.internalUrl}/events/${subscription.name}`,
      serviceAccountEmail: accounts.push(subscription.listener),
      audience: backend.uri,
      ackDeadlineSeconds: subscription.ackDeadlineSeconds,
      retry: LOCAL_BACKOFF,
      maxDeliveryAttempts: subscription.maxDeliveryAttempts,
      deadLetterTopic: subscription.deadLetterTopic,
      enableOrdering: false,
    }
  })
  await createTopology({
    project,
    topics: TOPIC_NAMES,
    subscriptions,
    ...(engines.pubsub === undefined ? { pubsubHost: engines.pubsubHost } : { store: engines.pubsub.broker }),
  })
  return startPusher({
    project,
    subscriptions,
    source:
      engines.pubsub === undefined
        ? clientSource({ project, pubsubHost: engines.pubsubHost })
        : embeddedSource(engines.pubsub.broker, project),
    mintIdToken: options.mintIdToken,
    now: options.now,
  })
}
