import type { Clock } from '#shared/clock.ts'
import type { CloudEvent } from '#shared/contracts/cloud-event.ts'
import { outboxRow } from '#shared/firestore/outbox.ts'
import type { Doc, ScopedDb, Write } from '#shared/firestore/scoped.ts'
import type { Commit, TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { hashedId } from '#shared/ids.ts'
import type { Publisher } from '#shared/pubsub/publisher.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { parseOperationAnswer, parseSubscription, type Subscription } from '../domain/subscription.ts'
import type { Subscriptions } from '../ports.ts'
import { readGrants, revOf, verifyGrants } from './grants.ts'

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
      tenants.optimistic(ctx, claim, (db) => changed(db, operationId, decide)),
    changeOnCredit: (ctx, claim, operationId, decide) =>
      tenants.optimistic(ctx, claim, async (db) => {
        const found = await readGrants(db)
        const credit = { grants: found.docs.map(({ value }) => value), rev: revOf(found) }
        return changed(db, operationId, (current, answer) => decide(current, answer, credit), [
          verifyGrants(db, found),
        ])
      }),
    amend: async (ctx, claim, decide) => {
      const amended = await tenants.optimistic(ctx, claim, async (db) => {
        const current = await db.find(MAIN, parseSubscription)
        const decided = decide(current?.value)
        if (!decided.ok) return decided
        const { subscription, audit } = decided.value
        const value = subscription ?? current?.value
        if (value === undefined) return refuse('resource.not_found', 'no subscription')
        return ok({
          value,
          writes: subscriptionWrites(db, current, subscription),
          audit: audit === undefined ? [] : [{ action: audit, target: value.subscriptionId }],
        })
      })
      if (!amended.ok) return amended
      return amended.value.duplicate ? parseSubscription(amended.value.answer) : ok(amended.value.value)
    },
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

async function changed<S>(
  db: ScopedDb<S>,
  operationId: string,
  decide: Parameters<Subscriptions['change']>[3],
  guards: readonly Write<S>[] = [],
): Promise<Result<Commit<S, undefined>>> {
  const path = answerPath(operationId)
  const answer = await db.find(path, parseOperationAnswer)
  const current = await db.find(MAIN, parseSubscription)
  const change = decide(current?.value, answer?.value)
  // The claim is taken all the same: what says that there is nothing to do must still say it then.
  if (change === undefined) return ok({ value: undefined, writes: [db.verify(path, answer)] })
  const { fact, audit } = change
  const answered =
    answer === undefined ? db.create(path, change.answer) : db.update(path, answer, change.answer)
  return ok({
    value: undefined,
    writes: [...subscriptionWrites(db, current, change.subscription), answered, ...guards],
    events: fact === undefined ? [] : [{ topic: 'billing-facts' as const, event: fact }],
    audit: audit === undefined ? [] : [{ action: audit, target: operationId }],
  })
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
