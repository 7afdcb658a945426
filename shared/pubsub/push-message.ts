import { z } from 'zod'
import { parseJson, parser } from '../json.ts'
import { ok, type Result, refuse } from '../result.ts'

/**
 * A Pub/Sub message as pushed: the outer envelope, which is transport alone.
 *
 * `messageId` and `deliveryAttempt` are for logs; neither says whether an event was seen before.
 */
export type PushMessage = {
  readonly subscription: string
  readonly messageId: string
  readonly deliveryAttempt: number | undefined
  /** Empty when the message has none. */
  readonly orderingKey: string
  readonly attributes: Readonly<Record<string, string>>
  readonly data: Buffer
}

const parseEnvelope = parser(
  z.looseObject({
    message: z.looseObject({
      data: z.base64().optional(),
      attributes: z.record(z.string(), z.string()).optional(),
      messageId: z.string().optional(),
      message_id: z.string().optional(),
      orderingKey: z.string().optional(),
      ordering_key: z.string().optional(),
    }),
    subscription: z.string(),
    deliveryAttempt: z.number().int().optional(),
  }),
  'event.malformed',
)

const SUBSCRIPTION = /^projects\/[^/]+\/subscriptions\/([^/]+)$/

/**
 * Reads a push body. The CloudEvent binary mode that Eventarc and local emulation use has the same
 * body beside its `ce-` headers, so one reader serves both.
 */
export function parsePushMessage(body: Uint8Array): Result<PushMessage> {
  const json = parseJson(body)
  if (!json.ok) return refuse('event.malformed', json.detail)
  const envelope = parseEnvelope(json.value)
  if (!envelope.ok) return envelope
  const { message, subscription, deliveryAttempt } = envelope.value
  const shortName = SUBSCRIPTION.exec(subscription)?.[1]
  if (shortName === undefined) return refuse('event.malformed', 'subscription is not a resource name')
  return ok({
    subscription: shortName,
    messageId: message.messageId ?? message.message_id ?? '',
    deliveryAttempt,
    orderingKey: message.orderingKey ?? message.ordering_key ?? '',
    attributes: message.attributes ?? {},
    data: Buffer.from(message.data ?? '', 'base64'),
  })
}
