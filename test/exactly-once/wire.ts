import { connectPubsub } from '#local/pusher/connect.ts'
import { createTopology } from '#local/pusher/index.ts'

/** A message as it went over the wire. */
export type WireMessage = {
  readonly messageId: string
  readonly attributes: Readonly<Record<string, string>>
  readonly text: string
}

/** What leaves on some topics of a project, read past the bad network. */
export type Wire = {
  /** Every message that was published and not pulled yet; waits until there is none for a moment. */
  pullAll(): Promise<WireMessage[]>
  close(): Promise<void>
}

const QUIET_MS = 400

/** Makes the topics with a subscription each, named like the topic with `-wire` after it. */
export async function openWire(
  pubsubHost: string,
  project: string,
  topics: readonly string[],
): Promise<Wire> {
  await createTopology({ project, pubsubHost, topics, subscriptions: [] })
  const pubsub = await connectPubsub({ pubsubHost, project })
  const seen: WireMessage[] = []
  const subscriptions = await Promise.all(
    topics.map(async (topic) => (await pubsub.topic(topic).createSubscription(`${topic}-wire`))[0]),
  )
  let heardMs = performance.now()
  for (const subscription of subscriptions) {
    subscription.on('error', () => {})
    subscription.on('message', (message) => {
      heardMs = performance.now()
      seen.push({ messageId: message.id, attributes: message.attributes, text: message.data.toString() })
      message.ack()
    })
  }
  return {
    pullAll: async () => {
      heardMs = performance.now()
      // Real time on purpose: a broker does not say that it has nothing more.
      while (performance.now() - heardMs < QUIET_MS) await new Promise((resolve) => setTimeout(resolve, 20))
      return seen.splice(0)
    },
    close: async () => {
      await Promise.all(subscriptions.map((subscription) => subscription.close()))
      await pubsub.close()
    },
  }
}
