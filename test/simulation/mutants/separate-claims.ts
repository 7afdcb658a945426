import { hashedId } from '#shared/ids.ts'
import { ok } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Platform } from '#shared/wiring.ts'

/** Where a mutant keeps that it has seen something. */
export const claimPath = (id: string): [string, string] => ['billing_claims', hashedId('claim', id)]

/** Claims as documents of their own, written apart from the effect: what the mutants have in common. */
export function separateClaims({ tenants }: Pick<Platform, 'tenants'>) {
  return {
    exists: async (ctx: TenantContext, id: string): Promise<boolean> =>
      (await tenants.withTenant(ctx, (db) => db.find(claimPath(id), ok))) !== undefined,
    /** True when somebody had claimed before. */
    take: async (ctx: TenantContext, id: string): Promise<boolean> => {
      const taken = await tenants.optimistic(ctx, undefined, async (db) =>
        ok({ value: undefined, writes: [db.create(claimPath(id), { id }, { once: true })] }),
      )
      return taken.ok && taken.value.duplicate
    },
    drop: async (ctx: TenantContext, id: string): Promise<void> => {
      await tenants.optimistic(ctx, undefined, async (db) => {
        const doc = await db.find(claimPath(id), ok)
        return ok({ value: undefined, writes: doc === undefined ? [] : [db.delete(claimPath(id), doc)] })
      })
    },
  }
}
