import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { ok } from '#shared/result.ts'
import { firestoreSubscriptions } from '../../../functions/billing/adapters/subscriptions.ts'
import { batchIdOf } from '../../../functions/billing/domain/usage-batch.ts'
import type { Mutant } from '../mutant.ts'

/** Commits what was decided on documents that may have changed since, where they are not written. */
export const readWithoutGuard: Mutant = {
  name: 'read without guard',
  billing: (deps, { tenants, publisher, clock }) => {
    const optimistic: TenantFirestore['optimistic'] = (ctx, claim, decide) =>
      tenants.optimistic(ctx, claim, async (db) => {
        const decision = await decide(db)
        if (!decision.ok) return decision
        const writes = decision.value.writes.filter(({ kind }) => kind !== 'verify')
        return ok({ ...decision.value, writes })
      })
    const subscriptions = firestoreSubscriptions({ tenants: { ...tenants, optimistic }, publisher, clock })
    return { ...deps, subscriptions }
  },
}

/** Names a batch by what one instance's clock let pass: to another one it is another batch. */
export const namedByVerdict: Mutant = {
  name: 'named by verdict',
  billing: (deps) => ({
    ...deps,
    ledger: {
      ...deps.ledger,
      append: (ctx, batch, receivedAtMs) =>
        deps.ledger.append(ctx, { ...batch, batchId: batchIdOf(batch.events) }, receivedAtMs),
      recorded: async (_ctx, batch) => new Set(batch.events.map(({ key }) => key)),
    },
  }),
}
