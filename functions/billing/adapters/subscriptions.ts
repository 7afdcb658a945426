import type { Clock } from '#shared/clock.ts'
import type { CloudEvent } from '#shared/contracts/cloud-event.ts'
import { outboxRow } from '#shared/firestore/outbox.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { hashedId } from '#shared/ids.ts'
import type { Publisher } from '#shared/pubsub/publisher.ts'
import { ok } from '#shared/result.ts'
import { parseOperationAnswer, parseSubscription } from '../domain/subscription.ts'
import type { Subscriptions } from '../ports.ts'

const MAIN = ['billing_subscriptions', 'main']

/** The one subscription of each tenant, and what became of the operations that asked for one. */
export function firestoreSubscriptions(deps: {
  readonly tenants: TenantFirestore
  readonly publisher: Publisher
  readonly clock: Clock
}): Subscriptions {
  const { tenants, publisher, clock } = deps
  return {
    find: async (ctx) => (await tenants.withTenant(ctx, (db) => db.find(MAIN, parseSubscription)))?.value,
    findAnswer: async (ctx, operationId) =>
      (await tenants.withTenant(ctx, (db) => db.find(answerPath(operationId), parseOperationAnswer)))?.value,
    change: (ctx, claim, operationId, decide) =>
      tenants.optimistic(ctx, claim, async (db) => {
        const path = answerPath(operationId)
        // The answer first: every change writes it, so one that comes between the two reads is a conflict.
        const answer = await db.find(path, parseOperationAnswer)
        const current = await db.find(MAIN, parseSubscription)
        const change = decide(current?.value, answer?.value)
        if (change === undefined) return ok({ value: undefined, writes: [] })
        const { subscription, fact, audit } = change
        const changed =
          subscription === undefined
            ? []
            : [current === undefined ? db.create(MAIN, subscription) : db.update(MAIN, current, subscription)]
        const answered =
          answer === undefined ? db.create(path, change.answer) : db.update(path, answer, change.answer)
        return ok({
          value: undefined,
          writes: [...changed, answered],
          events: fact === undefined ? [] : [{ topic: 'billing-facts' as const, event: fact }],
          audit: audit === undefined ? [] : [{ action: audit, target: operationId }],
        })
      }),
    publishAgain: async (ctx, fact) => {
      const event = JSON.parse(fact) as CloudEvent
      const row = outboxRow({ topic: 'billing-facts', event }, ctx.tenantId, 0, clock.now())
      await publisher.publish({
        topic: row.topic,
        data: Buffer.from(row.body, 'utf8'),
        attributes: row.attributes,
        ...(row.orderingKey === '' ? {} : { orderingKey: row.orderingKey }),
      })
    },
  }
}

/** An operation's id is not ours to trust as a path. */
function answerPath(operationId: string): [string, string] {
  return ['billing_operations', hashedId('operation', operationId)]
}
