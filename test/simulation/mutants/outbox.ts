import { outboxRow } from '#shared/firestore/outbox.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { ok } from '#shared/result.ts'
import type { Platform } from '#shared/wiring.ts'
import { firestoreSubscriptions } from '../../../functions/billing/adapters/subscriptions.ts'
import { firestoreLifecycleStore } from '../../../functions/tenant-events/adapters/lifecycle-store.ts'
import type { Mutant } from '../mutant.ts'

/** Facts leave before the commit that makes them true: one that fails has been announced all the same. */
export const outboxBeforeCommit: Mutant = {
  name: 'outbox before commit',
  billing: (deps, platform) => {
    const { clock, publisher } = platform
    return { ...deps, subscriptions: firestoreSubscriptions({ tenants: hasty(platform), publisher, clock }) }
  },
  lifecycle: (deps, platform) => ({
    ...deps,
    store: firestoreLifecycleStore(hasty(platform), platform.system),
  }),
}

function hasty({ tenants, publisher, clock }: Platform): TenantFirestore {
  return {
    ...tenants,
    optimistic: (ctx, claim, decide) =>
      tenants.optimistic(ctx, claim, async (db) => {
        const decision = await decide(db)
        if (!decision.ok) return decision
        for (const [at, outgoing] of (decision.value.events ?? []).entries()) {
          const row = outboxRow(outgoing, ctx.tenantId, at, clock.now())
          const data = Buffer.from(row.body, 'utf8')
          await publisher.publish({ topic: row.topic, data, attributes: row.attributes })
        }
        return ok({ ...decision.value, events: [] })
      }),
  }
}
