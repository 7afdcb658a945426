import { reach } from '#shared/firestore/database.ts'
import { decode } from '#shared/firestore/values.ts'
import { ok, type Result } from '#shared/result.ts'
import { parseProjection } from '../../../functions/billing/domain/tenant-projection.ts'
import type { BillingDeps } from '../../../functions/billing/ports.ts'
import type { Change, LifecycleStore } from '../../../functions/tenant-events/ports.ts'
import type { Mutant } from '../mutant.ts'

/** Asks the store and waits for as long as it takes. */
export const callWithoutDeadline: Mutant = {
  name: 'call without deadline',
  billing: (deps, { database }) => {
    const find: BillingDeps['tenants']['find'] = async (ctx) => {
      const { client, sdk } = await reach(database)
      const found = await client.doc(`tenants/${ctx.tenantId}/billing_tenant/current`).get()
      const parsed = found.exists ? parseProjection(decode(sdk, found.data())) : undefined
      return parsed?.ok === true ? parsed.value : undefined
    }
    return { ...deps, tenants: { ...deps.tenants, find, findFresh: find } }
  },
}

/** A lease whose number never grows: who was given up and wakes again still believes to hold it. */
export const leaseWithoutFence: Mutant = {
  name: 'lease without fence',
  lifecycle: (deps) => ({ ...deps, store: unfenced(deps.store) }),
}

function unfenced(store: LifecycleStore): LifecycleStore {
  return {
    ...store,
    change: <T>(...[ctx, claim, operationId, decide]: Parameters<typeof store.change<T>>) =>
      store.change<T>(ctx, claim, operationId, (work): Result<Change<T>> => {
        const decided = decide(work)
        return decided.ok ? ok(withoutFence(decided.value)) : decided
      }),
  }
}

/** Every `fence` in it is the first one. */
function withoutFence<V>(value: V): V {
  if (Array.isArray(value) || typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, key === 'fence' ? 0 : withoutFence(member)]),
  ) as V
}
