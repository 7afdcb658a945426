import { z } from 'zod'
import type { Clock } from '#shared/clock.ts'
import type { SystemFirestore } from '#shared/firestore/system.ts'
import { removed, timestamp } from '#shared/firestore/values.ts'
import { hashedId, type Ids } from '#shared/ids.ts'
import { canonicalJson, parser } from '#shared/json.ts'
import type { MessageOrigin } from '#shared/pubsub/quarantine.ts'
import { producerAttributes } from '../domain/producer.ts'
import { PRODUCERS, restoreUsageEvent } from '../domain/usage-event.ts'
import type { WaitingBatch, WaitingUsage } from '../ports.ts'

const COLLECTION = 'billing_quarantine'
const AWAITING = 'awaiting-tenant'
const PAGE = 20
const KEPT_MS = 30 * 24 * 3_600_000

const schema = z.object({
  batchId: z.string(),
  producer: z.enum(PRODUCERS).default('tenant'),
  atMs: z.number(),
  payload: z.instanceof(Uint8Array),
  // How the message came, as with all that is quarantined; absent in what an older release put there.
  messageId: z.string().default(''),
  attempt: z.number().optional(),
  traceId: z.string().default(''),
  attributes: z.string().optional(),
  orderingKey: z.string().default(''),
})

const parseWaiting = parser(schema)

/**
 * Usage that waits in quarantine for its tenant: one document per batch, named by it. What waits for a
 * tenant that never comes is kept for the operator.
 */
export function firestoreWaitingUsage(deps: {
  readonly system: SystemFirestore
  readonly ids: Ids
  readonly clock: Clock
}): WaitingUsage {
  const { system, ids, clock } = deps
  return {
    put: async (ctx, batch, receivedAtMs, origin) => {
      const kind = batch.producer === 'collector' ? 'usage' : 'reported usage'
      const write = system.create(COLLECTION, hashedId(kind, ctx.tenantId, batch.batchId), {
        tenantId: ctx.tenantId,
        batchId: batch.batchId,
        producer: batch.producer,
        code: 'resource.not_found',
        detail: 'usage of a tenant that is not active yet',
        subscription: 'billing-events-to-billing',
        status: AWAITING,
        atMs: receivedAtMs,
        ...origin,
        attributes: JSON.stringify(origin.attributes),
        payload: Buffer.from(canonicalJson(batch.events.map((event) => event.raw)), 'utf8'),
      })
      const outcome = await system.commit([write], ids.uuid(receivedAtMs))
      // Neither ours nor there: to acknowledge now would lose the usage.
      if (outcome.kind === 'conflict') throw new Error('waiting usage could not be kept')
    },
    next: async (ctx) => {
      const found = await system.list(
        COLLECTION,
        {
          where: [
            ['tenantId', '==', ctx.tenantId],
            ['status', '==', AWAITING],
          ],
          limit: PAGE,
        },
        parseWaiting,
      )
      return found.map(
        (doc): WaitingBatch => ({
          batchId: doc.value.batchId,
          producer: doc.value.producer,
          receivedAtMs: doc.value.atMs,
          origin: originOf(doc.value),
          events: (JSON.parse(Buffer.from(doc.value.payload).toString('utf8')) as unknown[]).map((raw) =>
            restoreUsageEvent(raw, doc.value.producer),
          ),
          settle: async () => {
            const expireAt = timestamp(clock.now() + KEPT_MS)
            const write = system.update(COLLECTION, doc, { status: 'redriven', payload: removed(), expireAt })
            // A conflict means that a redelivery beside us has settled it already.
            await system.commit([write], ids.uuid(clock.now()))
          },
        }),
      )
    },
  }
}

/** What came without attributes is sent again with whose word it was, at least. */
function originOf(waiting: z.infer<typeof schema>): MessageOrigin {
  const { messageId, attempt, traceId, attributes, orderingKey, producer } = waiting
  return {
    messageId,
    ...(attempt === undefined ? {} : { attempt }),
    traceId,
    attributes:
      attributes === undefined
        ? producerAttributes(producer)
        : (JSON.parse(attributes) as MessageOrigin['attributes']),
    orderingKey,
  }
}
