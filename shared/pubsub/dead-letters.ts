import type { protos, v1 } from '@google-cloud/pubsub'
import { deadLetterTopicOf, type TopicName } from '../contracts/topics.ts'
import { CALL_DEADLINE_MS, withDeadline } from '../deadline.ts'

/** A message that Pub/Sub gave up on, leased to us until it is acknowledged or given back. */
export type DeadLetter = {
  readonly ackId: string
  readonly messageId: string
  readonly data: Buffer
  /** As its publisher set them: what Pub/Sub added is in the fields below. */
  readonly attributes: Readonly<Record<string, string>>
  readonly orderingKey: string
  readonly publishedAtMs: number
  /** The subscription that gave up, and after how many deliveries. */
  readonly subscription: string | undefined
  readonly deliveries: number | undefined
}

/** The dead letters of one topic, in the subscription that keeps them. */
export type DeadLetterBox = {
  /** Some of what is there; none means that there is nothing more to get now. */
  pull(most: number): Promise<readonly DeadLetter[]>
  acknowledge(letters: readonly DeadLetter[]): Promise<void>
  /** Ends the lease: they are there for the next who asks. */
  giveBack(letters: readonly DeadLetter[]): Promise<void>
  close(): Promise<void>
}

/** What Pub/Sub adds to a message that it moves to the dead letters. */
const ADDED = 'CloudPubSubDeadLetterSource'

/**
 * Opens the dead letters of a topic with Google's client. The subscription has the name of the
 * dead-letter topic; nothing else pulls from it.
 */
export async function openDeadLetters(
  options: { readonly project: string; readonly emulatorHost?: string | undefined },
  topic: TopicName,
): Promise<DeadLetterBox> {
  const client = await load(options)
  const subscription = `projects/${options.project}/subscriptions/${deadLetterTopicOf(topic)}`
  const call = <T>(what: string, work: Promise<T>): Promise<T> =>
    withDeadline(`pubsub.${what}`, CALL_DEADLINE_MS, work)
  return {
    pull: async (most) => {
      const [answer] = await call(
        'pull',
        client.pull({ subscription, maxMessages: most, returnImmediately: true }),
      )
      return (answer.receivedMessages ?? []).map(toDeadLetter)
    },
    acknowledge: async (letters) => {
      if (letters.length === 0) return
      await call(
        'acknowledge',
        client.acknowledge({ subscription, ackIds: letters.map(({ ackId }) => ackId) }),
      )
    },
    giveBack: async (letters) => {
      if (letters.length === 0) return
      const ackIds = letters.map(({ ackId }) => ackId)
      await call('giveBack', client.modifyAckDeadline({ subscription, ackIds, ackDeadlineSeconds: 0 }))
    },
    close: () => client.close(),
  }
}

function toDeadLetter({ ackId, message }: protos.google.pubsub.v1.IReceivedMessage): DeadLetter {
  const all = Object.entries(message?.attributes ?? {})
  const added = new Map(all.filter(([name]) => name.startsWith(ADDED)))
  const deliveries = Number(added.get(`${ADDED}DeliveryCount`))
  return {
    ackId: ackId ?? '',
    messageId: message?.messageId ?? '',
    data: Buffer.from((message?.data ?? '') as Uint8Array),
    attributes: Object.fromEntries(all.filter(([name]) => !name.startsWith(ADDED))),
    orderingKey: message?.orderingKey ?? '',
    publishedAtMs: Number(message?.publishTime?.seconds ?? 0) * 1000,
    subscription: added.get(`${ADDED}Subscription`),
    deliveries: Number.isInteger(deliveries) ? deliveries : undefined,
  }
}

/** A message's bytes for whoever looks at them: as text if they are text. */
export function payloadOf(data: Buffer): { readonly payload: string } | { readonly payloadBase64: string } {
  const text = data.toString('utf8')
  const readable = Buffer.from(text, 'utf8').equals(data)
  return readable ? { payload: text } : { payloadBase64: data.toString('base64') }
}

async function load(options: {
  readonly project: string
  readonly emulatorHost?: string | undefined
}): Promise<v1.SubscriberClient> {
  const { PubSub, v1: generated } = await import('@google-cloud/pubsub')
  if (options.emulatorHost === undefined)
    return new generated.SubscriberClient({ projectId: options.project })
  // The friendly client knows how an emulator is reached; pulling by hand only the generated one does.
  const { servicePath, port, sslCreds } = new PubSub({
    projectId: options.project,
    apiEndpoint: options.emulatorHost,
    emulatorMode: true,
  }).options
  return new generated.SubscriberClient({
    projectId: options.project,
    ...(servicePath === undefined ? {} : { servicePath }),
    ...(port === undefined ? {} : { port: Number(port) }),
    ...(sslCreds === undefined ? {} : { sslCreds }),
  })
}
