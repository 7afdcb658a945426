import type { ServerResponse } from 'node:http'
import { FUNCTIONS, type FunctionId } from '../catalogue/functions.ts'
import { tenantFactType } from '../contracts/events/tenant-fact.ts'
import { SUBSCRIPTIONS, type Subscription, TOPICS, type Topic, type TopicName } from '../contracts/topics.ts'
import { DeadlineExceeded, withDeadline } from '../deadline.ts'
import { eventClaim } from '../firestore/claim.ts'
import { MOST_BODY_BYTES } from '../http/front.ts'
import { problemReply } from '../http/problem.ts'
import { type FrameworkRequest, receiveBody } from '../http/read-request.ts'
import { sendReply } from '../http/send-reply.ts'
import { parseTenantId, type TenantId } from '../ids.ts'
import { checkJson, digestOf, parseJson, parseJsonText } from '../json.ts'
import type { Logger } from '../log.ts'
import { type EndedDelivery, knownType, recordDelivery } from '../observability/records.ts'
import { ok, type Refusal, type Result, refuse } from '../result.ts'
import { TenantContext } from '../tenancy/context.ts'
import { callerHeader } from '../tokens/verify-caller.ts'
import { readTrace, type Trace } from '../trace.ts'
import type { Platform } from '../wiring.ts'
import { type PushMessage, parsePushMessage } from './push-message.ts'
import { originOf, quarantine } from './set-aside.ts'
import type { AnyEventHandler, BatchHandler, PlainHandler } from './types.ts'
import { type Verified, verifyEvent } from './verify-event.ts'

export type EventHandlers = {
  readonly events: readonly AnyEventHandler[]
  /** Topics whose messages may hold arrays of events. */
  readonly batches?: Readonly<Partial<Record<TopicName, BatchHandler>>>
  /** Topics whose messages are no CloudEvents: Secret Manager's notifications. */
  readonly plain?: Readonly<Partial<Record<TopicName, PlainHandler>>>
}

export type EventEdgeOptions = {
  /** How long one message may take, in milliseconds of real time. */
  readonly deadlineMs?: number
}

/** One message holds at most so many events: `POST /v1/usage` sends 500, and each is checked by itself. */
const MOST_EVENTS = 1_000

/** What tells of a tenant's end, by which the last of it is erased. */
const OF_THE_GONE: readonly string[] = [
  tenantFactType('purged'),
  tenantFactType('deletion-certificate-issued'),
]

type Outcome = 'done' | 'ignored' | 'quarantined'

type About = Pick<EndedDelivery, 'subscription' | 'deliveryAttempt' | 'type' | 'tenantId'>

type Delivery = {
  readonly platform: Platform
  readonly handlers: EventHandlers
  readonly subscription: Subscription
  readonly message: PushMessage
  readonly trace: Trace
  readonly nowMs: number
  readonly signal: AbortSignal
  readonly log: Logger
}

/**
 * The edge of an event function: from a push to an acknowledgement.
 *
 * What can never succeed is kept in quarantine and acknowledged, so that it hurts nobody else; what
 * may succeed later is answered 500 and comes again. The edge does not look for duplicates: it hands
 * each operation the claim that goes into the operation's own commit.
 */
export function eventEdge(
  platform: Platform,
  functionId: FunctionId,
  handlers: EventHandlers,
  options: EventEdgeOptions = {},
): (request: FrameworkRequest, response: ServerResponse) => Promise<void> {
  // Answered before the platform ends the request, so that it is our 500 and our log line.
  const limitMs = options.deadlineMs ?? (FUNCTIONS[functionId].timeoutSeconds - 5) * 1000
  return async (request, response) => {
    const startedMs = performance.now()
    const headerTrace = String(request.headers['traceparent'] ?? '')
    let trace = readTrace(platform.ids, headerTrace)
    let log = platform.log.with({}, trace)
    let about: About = { subscription: '(unknown)' }
    const deadline = new AbortController()
    const ended = (outcome: Outcome | 'failed', error?: unknown): void =>
      recordDelivery(log, { ...about, outcome, durationMs: performance.now() - startedMs, error })
    try {
      const accepted = await withDeadline('push', limitMs, accept(platform, functionId, request))
      if (!accepted.ok) {
        log.warn('push refused', { code: accepted.code, detail: accepted.detail })
        return sendReply(response, refusedPush(accepted, trace.traceId), trace.traceId)
      }
      const { message, subscription } = accepted.value
      trace = readTrace(platform.ids, message.attributes['traceparent'] ?? headerTrace)
      log = platform.log.with({ subscription: subscription.name, messageId: message.messageId }, trace)
      about = aboutOf(subscription, message)
      const nowMs = platform.clock.now()
      const { signal } = deadline
      const delivery: Delivery = { platform, handlers, subscription, message, trace, nowMs, signal, log }
      const outcome = await withDeadline('message', limitMs, deliver(delivery))
      ended(outcome)
      sendReply(response, { status: 204 }, trace.traceId)
    } catch (error) {
      // Whatever still works for this message may stop: it comes again, perhaps at this moment.
      if (error instanceof DeadlineExceeded) deadline.abort(error)
      ended('failed', error)
      const refusal = refuse('internal.error', String(error))
      sendReply(response, problemReply(refusal, trace.traceId), trace.traceId)
    }
  }
}

/** What the transport says of a delivery, for its line alone; no tenant is named that could not be one. */
function aboutOf(subscription: Subscription, { attributes, deliveryAttempt }: PushMessage): About {
  const tenantId = parseTenantId(attributes['tenantid'])
  return {
    subscription: subscription.name,
    deliveryAttempt,
    type: attributes['type'],
    ...(tenantId.ok ? { tenantId: tenantId.value } : {}),
  }
}

function refusedPush(refusal: Refusal, requestId: string): ReturnType<typeof problemReply> {
  const reply = problemReply(refusal, requestId)
  return refusal.code === 'request.method_not_allowed'
    ? { ...reply, headers: { ...reply.headers, allow: 'POST' } }
    : reply
}

async function accept(
  platform: Platform,
  functionId: FunctionId,
  request: FrameworkRequest,
): Promise<Result<{ message: PushMessage; subscription: Subscription }>> {
  if (request.method !== 'POST') return refuse('request.method_not_allowed', String(request.method))
  const caller = await platform.verifyCaller(callerHeader(request))
  if (!caller.ok) return caller
  const direct = platform.config.CALLER_CHECK === 'direct'
  if (!direct && caller.value !== platform.config.PUSH_ACCOUNT) {
    return refuse('caller.untrusted', 'the caller is not the push account')
  }
  const body = await receiveBody(request, MOST_BODY_BYTES)
  if (!body.ok) return body
  const message = parsePushMessage(body.value)
  if (!message.ok) return message
  const subscription = SUBSCRIPTIONS.find(
    (known) => known.listener === functionId && known.name === message.value.subscription,
  )
  if (subscription === undefined) return refuse('caller.untrusted', 'not a subscription of this function')
  const [path] = (request.originalUrl ?? request.url ?? '/').split('?', 1)
  if (!direct && path !== `/events/${subscription.name}`) {
    return refuse('request.not_found', 'the path names another subscription')
  }
  return ok({ message: message.value, subscription })
}

async function deliver(delivery: Delivery): Promise<Outcome> {
  const { handlers, subscription, message } = delivery
  const plain = handlers.plain?.[subscription.topic]
  if (plain !== undefined) {
    const handled = await plain.handlePlain({
      ...delivery,
      attributes: message.attributes,
      data: message.data,
      messageId: message.messageId,
    })
    return handled.ok ? 'done' : quarantine(delivery, handled, message.data)
  }
  const batch = handlers.batches?.[subscription.topic]
  if (message.data.length === 0) {
    return quarantine(delivery, refuse('event.malformed', 'attributes alone, no data'), message.data)
  }
  // The elements of a batch are checked one by one: a bad one must not take its neighbours with it.
  const json =
    batch === undefined ? parseJson(message.data) : (batch.parseBytes ?? parseJsonText)(message.data)
  if (!json.ok) return quarantine(delivery, refuse('event.malformed', json.detail), message.data)
  if (batch !== undefined)
    return deliverBatch(delivery, batch, Array.isArray(json.value) ? json.value : [json.value])
  const verified = verify(delivery, json.value)
  if (!verified.ok) return quarantine(delivery, verified, message.data)
  return deliverOne(delivery, verified.value)
}

async function deliverOne(delivery: Delivery, { event, proof }: Verified): Promise<Outcome> {
  const handler = delivery.handlers.events.find((candidate) => candidate.type === event.type)
  const fault = { tenantId: proof.tenantId, type: event.type }
  if (handler === undefined) {
    // A fact is for whoever needs it; a command or continuation that nobody takes must not get lost.
    if (delivery.subscription.topic.endsWith('-facts')) return 'ignored'
    return quarantine(delivery, refuse('event.unknown_type', event.type), delivery.message.data, fault)
  }
  if (!OF_THE_GONE.includes(event.type) && (await delivery.platform.tombstones.has(proof.tenantId))) {
    // Whatever comes late for a purged tenant would make anew what was erased.
    return 'ignored'
  }
  const handled = await handler.receive({
    event,
    ctx: new TenantContext(proof),
    claim: eventClaim(event, digestOf(event)),
    nowMs: delivery.nowMs,
    trace: delivery.trace,
    signal: delivery.signal,
    log: delivery.log.with({ tenantId: proof.tenantId, eventId: event.id, type: event.type }),
  })
  return handled.ok ? 'done' : quarantine(delivery, handled, delivery.message.data, fault)
}

/** Elements that do not hold are set aside one by one: a bad event never takes its neighbours with it. */
async function deliverBatch(
  delivery: Delivery,
  handler: BatchHandler,
  elements: readonly unknown[],
): Promise<Outcome> {
  if (elements.length > MOST_EVENTS) {
    const refusal = refuse('event.malformed', `${elements.length} events in one message`)
    return quarantine(delivery, refusal, delivery.message.data)
  }
  const byTenant = new Map<TenantId, Verified[]>()
  let outcome: Outcome = 'done'
  for (const element of elements) {
    delivery.signal.throwIfAborted()
    const verified = verify(delivery, element)
    if (verified.ok) {
      const { tenantId } = verified.value.proof
      const events = byTenant.get(tenantId) ?? []
      events.push(verified.value)
      byTenant.set(tenantId, events)
    } else {
      outcome = await quarantine(delivery, verified, payloadOf(delivery, element))
    }
  }
  const parts = [...byTenant.values()].flatMap((events) => {
    const [first] = events
    if (first === undefined) return []
    return [{ ctx: new TenantContext(first.proof), events: events.map((verified) => verified.event) }]
  })
  if (parts.length === 0) return outcome
  const { attributes, messageId } = delivery.message
  const handled = await handler.handleBatch({
    ...delivery,
    parts,
    attributes,
    messageId,
    origin: originOf(delivery.message, delivery.trace),
  })
  return handled.ok ? outcome : quarantine(delivery, handled, delivery.message.data)
}

/** The element as it can be written again, or the whole message when it is nested too deep even for that. */
function payloadOf(delivery: Delivery, element: unknown): Uint8Array {
  try {
    return Buffer.from(JSON.stringify(element), 'utf8')
  } catch {
    return delivery.message.data
  }
}

function verify(delivery: Delivery, element: unknown): Result<Verified> {
  const sound = checkJson(element)
  if (!sound.ok) return refuse('event.malformed', sound.detail)
  const verified = verifyEvent(element, delivery.message.attributes)
  if (!verified.ok) return verified
  const topic: Topic = TOPICS[delivery.subscription.topic]
  return topic.types.includes(verified.value.event.type)
    ? verified
    : refuse(
        'event.unknown_type',
        `${knownType(verified.value.event.type)} on ${delivery.subscription.topic}`,
      )
}
