import type { Subscription } from '../contracts/topics.ts'
import { hashedId, parseTenantId, sha256Hex } from '../ids.ts'
import { digestOf } from '../json.ts'
import type { Logger } from '../log.ts'
import { knownType } from '../observability/records.ts'
import { REFUSALS } from '../refusals.ts'
import type { Refusal } from '../result.ts'
import type { Trace } from '../trace.ts'
import type { Platform } from '../wiring.ts'
import type { PushMessage } from './push-message.ts'
import type { MessageOrigin } from './quarantine.ts'

/** A message on its way through the edge, as far as setting it aside needs to know. */
type Delivery = {
  readonly platform: Pick<Platform, 'quarantine' | 'tombstones'>
  readonly subscription: Subscription
  readonly message: PushMessage
  readonly trace: Trace
  readonly nowMs: number
  readonly log: Logger
}

/** How the message came, to be kept with what is set aside of it. */
export function originOf(message: PushMessage, trace: Trace): MessageOrigin {
  const { attributes, deliveryAttempt, messageId, orderingKey } = message
  return {
    messageId,
    ...(deliveryAttempt === undefined ? {} : { attempt: deliveryAttempt }),
    traceId: trace.traceId,
    attributes,
    orderingKey,
  }
}

/**
 * Keeps what can never be applied, so that its message can be acknowledged.
 *
 * Of a purged tenant nothing is kept, whatever is wrong with it. Throws when the message may not be
 * acknowledged: the quarantine failed, or the refusal means "later".
 */
export async function quarantine(
  delivery: Delivery,
  refusal: Refusal,
  payload: Uint8Array,
  about: { readonly tenantId?: string; readonly type?: string } = {},
): Promise<'quarantined' | 'ignored'> {
  const { platform, subscription, message } = delivery
  const { status } = REFUSALS[refusal.code]
  // A handler that says "later" in the form of a refusal must not lose its message.
  if (status >= 500 || status === 429) throw new Error(`${refusal.code}: ${refusal.detail}`)
  const named = parseTenantId(about.tenantId ?? message.attributes['tenantid'])
  if (named.ok && (await platform.tombstones.has(named.value))) return 'ignored'
  const producer = message.attributes['producer']
  await platform.quarantine.put({
    id: entryId(subscription.name, message.attributes, payload),
    code: refusal.code,
    detail: refusal.detail.slice(0, 500),
    subscription: subscription.name,
    messageId: message.messageId,
    origin: originOf(message, delivery.trace),
    payload,
    atMs: delivery.nowMs,
    ...(producer === undefined ? {} : { producer: producer.slice(0, 64) }),
    ...about,
  })
  delivery.log.warn('event quarantined', {
    code: refusal.code,
    detail: refusal.detail.slice(0, 200),
    ...(about.tenantId === undefined ? {} : { tenantId: about.tenantId }),
    ...(about.type === undefined ? {} : { type: knownType(about.type) }),
  })
  return 'quarantined'
}

/**
 * Named by content: the same poison published again, or redriven, does not fill the quarantine. What the
 * message claims beside its bytes is a part of it: a forged attribute must not hide the honest message.
 */
function entryId(
  subscription: string,
  attributes: Readonly<Record<string, string>>,
  payload: Uint8Array,
): string {
  const { type, tenantid, producer } = attributes
  const claimed = digestOf({ type, tenantid, producer, contentType: attributes['content-type'] })
  return hashedId(subscription, claimed, sha256Hex(payload))
}
