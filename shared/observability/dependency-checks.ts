import type { TopicName } from '../contracts/topics.ts'
import type { HealthCheck } from '../health.ts'
import type { Publisher } from '../pubsub/publisher.ts'
import type { SecretStore } from '../secrets.ts'

const INVALID_ARGUMENT = 3
const NOT_FOUND = 5
const FAILED_PRECONDITION = 9

/**
 * Whether a topic takes our messages, without one: Pub/Sub refuses a message that has neither data nor
 * attributes, and does so after it has checked who asks and for which topic.
 *
 * Looking at the topic would need a right that a publisher does not have.
 */
export function publishCheck(publisher: Publisher, topic: TopicName): HealthCheck {
  return () => unless([INVALID_ARGUMENT], publisher.publish({ topic, data: Buffer.alloc(0), attributes: {} }))
}

/** Whether Secret Manager answers; a secret that is not there yet, or whose last version is disabled, is an answer too. */
export function secretCheck(secrets: Pick<SecretStore, 'access'>, name: string): HealthCheck {
  return () => unless([NOT_FOUND, FAILED_PRECONDITION], secrets.access(name, 'latest'))
}

/** A failure with one of these gRPC codes is the answer that was hoped for. */
async function unless(codes: readonly number[], work: Promise<unknown>): Promise<void> {
  try {
    await work
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && codes.includes(Number(error.code)))) throw error
  }
}
