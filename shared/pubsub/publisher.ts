import type { PubSub, Topic } from '@google-cloud/pubsub'
import { CALL_DEADLINE_MS, withDeadline } from '../deadline.ts'

export type OutgoingMessage = {
  readonly topic: string
  readonly data: Uint8Array
  readonly attributes: Readonly<Record<string, string>>
  /** Messages with one key are delivered in the order they were published. */
  readonly orderingKey?: string
}

export type Publisher = {
  /** Resolves with the message id once Pub/Sub has the message; rejects when it may not have it. */
  publish(message: OutgoingMessage): Promise<string>
}

/**
 * Publishes through the official client, loaded on first use.
 *
 * Each message leaves at once: a handler waits for the acknowledgement, so batching in the client
 * would only add its 10 ms to every request.
 */
export function pubsubPublisher(options: {
  readonly project: string
  readonly emulatorHost?: string | undefined
}): Publisher {
  let client: Promise<PubSub> | undefined
  // A client that could not be loaded is loaded again.
  const forget = (error: unknown): never => {
    client = undefined
    throw error
  }
  const topics = new Map<string, Topic>()
  const topicOf = async (name: string): Promise<Topic> => {
    client ??= load(options).catch(forget)
    const existing = topics.get(name)
    if (existing !== undefined) return existing
    const topic = (await client).topic(name, { batching: { maxMessages: 1 }, messageOrdering: true })
    topics.set(name, topic)
    return topic
  }
  return {
    publish: async (message) => {
      const topic = await topicOf(message.topic)
      const sent = topic.publishMessage({
        data: message.data,
        attributes: { ...message.attributes },
        ...(message.orderingKey === undefined ? {} : { orderingKey: message.orderingKey }),
      })
      try {
        return await withDeadline('pubsub.publish', CALL_DEADLINE_MS, sent)
      } catch (error) {
        // After a failed ordered publish the client refuses the key until told otherwise.
        if (message.orderingKey !== undefined) topic.resumePublishing(message.orderingKey)
        throw error
      }
    },
  }
}

async function load(options: {
  readonly project: string
  readonly emulatorHost?: string | undefined
}): Promise<PubSub> {
  const { PubSub } = await import('@google-cloud/pubsub')
  return new PubSub({
    projectId: options.project,
    ...(options.emulatorHost === undefined ? {} : { apiEndpoint: options.emulatorHost, emulatorMode: true }),
  })
}
