import { z } from 'zod'
import { TENANT_SCOPES, type TenantScope } from '#shared/catalogue/scopes.ts'
import type { ScopedDb } from '#shared/firestore/scoped.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { parser } from '#shared/json.ts'
import { type CustomRoles, isCustomRoleName, MOST_CUSTOM_ROLES, type Role } from '../domain/role.ts'
import type { RoleStore } from '../ports/people.ts'

export const ROLES = 'auth_roles'

const isTenantScope = (scope: string): scope is TenantScope =>
  (TENANT_SCOPES as readonly string[]).includes(scope)

/** Reads a stored role. A scope that the catalogue no longer has is gone, not an error. */
export const parseRole = parser<Role>(
  z.object({
    name: z.string(),
    description: z.string(),
    scopes: z.array(z.string()).transform((scopes) => scopes.filter(isTenantScope)),
    revision: z.number().int(),
    createdAt: z.number().int(),
    updatedAt: z.number().int(),
  }),
)

export function firestoreRoleStore(tenants: TenantFirestore): RoleStore {
  return {
    all: (ctx) => tenants.withTenant(ctx, allRoles),
    find: (ctx, name) =>
      tenants.withTenant(ctx, async (db) => (await db.find([ROLES, name], parseRole))?.value),
    scopesOf: (ctx, names) =>
      tenants.withTenant(ctx, async (db) => {
        const own = [...new Set(names.filter(isCustomRoleName))]
        const found = await Promise.all(own.map((name) => db.find([ROLES, name], parseRole)))
        return new Map(
          found.filter((doc) => doc !== undefined).map(({ value }) => [value.name, value.scopes]),
        )
      }),
  }
}

/** All of the tenant's own roles, by name. */
export async function customRolesIn<S>(db: ScopedDb<S>): Promise<CustomRoles> {
  return new Map((await allRoles(db)).map((role) => [role.name, role.scopes]))
}

async function allRoles<S>(db: ScopedDb<S>): Promise<Role[]> {
  const found = await db.list([ROLES], { limit: MOST_CUSTOM_ROLES }, parseRole)
  return found.map((doc) => doc.value)
}
