import type { Clock } from '#shared/clock.ts'
import type { SystemFirestore } from '#shared/firestore/system.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import type { TenantId } from '#shared/ids.ts'
import { ok } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { isNews, parseProjection, type TenantProjection } from '../domain/tenant-projection.ts'
import type { TenantDirectory } from '../ports.ts'
import { listedTenant } from './tenant-list.ts'

const CACHE_MS = 60_000
const MOST_CACHED = 10_000
const CURRENT = ['billing_tenant', 'current']

/**
 * The projection of tenants, with a cache of a minute so that taking usage reads nothing. Only a known
 * tenant is cached: one that is not known yet may be in the next moment.
 */
export function firestoreTenantDirectory(deps: {
  readonly tenants: TenantFirestore
  readonly system: SystemFirestore
  readonly clock: Clock
}): TenantDirectory {
  const { tenants, system, clock } = deps
  const cache = new Map<TenantId, { projection: TenantProjection; untilMs: number }>()
  const remember = (ctx: TenantContext, projection: TenantProjection): TenantProjection => {
    if (cache.size >= MOST_CACHED) cache.clear()
    cache.set(ctx.tenantId, { projection, untilMs: clock.now() + CACHE_MS })
    return projection
  }
  const findFresh = async (ctx: TenantContext): Promise<TenantProjection | undefined> => {
    const found = await tenants.withTenant(ctx, (db) => db.find(CURRENT, parseProjection))
    return found === undefined ? undefined : remember(ctx, found.value)
  }
  return {
    findFresh,
    find: async (ctx) => {
      const cached = cache.get(ctx.tenantId)
      return cached !== undefined && clock.now() < cached.untilMs ? cached.projection : findFresh(ctx)
    },
    apply: async (ctx, claim, fact) => {
      const { id, fields } = listedTenant(ctx.tenantId)
      // Before the fact: a tenant that is known and on no list would never be rolled up or billed.
      if ((await findFresh(ctx)) === undefined) await system.merge('jobs', id, fields)
      const committed = await tenants.optimistic(ctx, claim, async (db) => {
        const known = await db.find(CURRENT, parseProjection)
        if (known !== undefined && !isNews(fact, known.value)) {
          return ok({ value: known.value, writes: [] })
        }
        const write = known === undefined ? db.create(CURRENT, fact) : db.update(CURRENT, known, fact)
        return ok({ value: fact, writes: [write] })
      })
      if (!committed.ok) return committed
      if (!committed.value.duplicate) return ok(remember(ctx, committed.value.value))
      const known = await findFresh(ctx)
      if (known === undefined) throw new Error('a fact was taken and left nothing')
      return ok(known)
    },
  }
}
