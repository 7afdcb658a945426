import type { Clock } from '#shared/clock.ts'
import type { CloudEvent } from '#shared/contracts/cloud-event.ts'
import { outboxRow } from '#shared/firestore/outbox.ts'
import type { Doc, ScopedDb, Write } from '#shared/firestore/scoped.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { hashedId } from '#shared/ids.ts'
import type { Publisher } from '#shared/pubsub/publisher.ts'
import { ok } from '#shared/result.ts'
import { parseOperationAnswer, parseSubscription, type Subscription } from '../domain/subscription.ts'
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
        const answer = await db.find(path, parseOperationAnswer)
        const current = await db.find(MAIN, parseSubscription)
        const change = decide(current?.value, answer?.value)
        // The claim is taken all the same: what says that there is nothing to do must still say it then.
        if (change === undefined) return ok({ value: undefined, writes: [db.verify(path, answer)] })
        const { fact, audit } = change
        const changed = subscriptionWrites(db, current, change.subscription)
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

/** What was answered rests on the subscription, also where it stays as it is. */
function subscriptionWrites<S>(
  db: ScopedDb<S>,
  current: Doc<S, Subscription> | undefined,
  changed: Subscription | undefined,
): Write<S>[] {
  if (changed === undefined) return [db.verify(MAIN, current)]
  return [current === undefined ? db.create(MAIN, changed) : db.update(MAIN, current, changed)]
}

/** An operation's id is not ours to trust as a path. */
function answerPath(operationId: string): [string, string] {
  return ['billing_operations', hashedId('operation', operationId)]
}
