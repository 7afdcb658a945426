import { z } from 'zod'
import { TENANT_SCOPES, type TenantScope } from '#shared/catalogue/scopes.ts'
import { latestExpiry, type Revocation } from '#shared/contracts/revocation.ts'
import type { Doc, ScopedDb, Write } from '#shared/firestore/scoped.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { parser } from '#shared/json.ts'
import { ok } from '#shared/result.ts'
import { type CustomRoles, isCustomRoleName, MOST_CUSTOM_ROLES, type Role } from '../domain/role.ts'
import { parseTenantAuthState } from '../domain/tenant-state.ts'
import { parseUser } from '../domain/user.ts'
import type { RoleStore } from '../ports/people.ts'

export const ROLES = 'auth_roles'
const USERS = 'auth_users'
const STATE = ['auth_state', 'current']
const COUNT = ['auth_limits', 'roles']

const parseCount = parser(z.object({ count: z.number().int() }))

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
    change: async (ctx, name, decide) => {
      const changed = await tenants.optimistic(ctx, undefined, async (db) => {
        const path = [ROLES, name]
        const holders = { where: [['roles', 'array-contains', name]] as const, limit: 1 }
        // Before the list: a role that comes after it changes the count, and this commit fails.
        const count = await db.find(COUNT, parseCount)
        const [doc, all, users] = await Promise.all([
          db.find(path, parseRole),
          allRoles(db),
          db.list([USERS], holders, parseUser),
        ])
        const decided = decide({ role: doc?.value, count: all.length, inUse: users.length > 0 })
        if (!decided.ok) return decided
        const { value, role, deleted = false, tenantNotBefore, audit } = decided.value
        const writes = []
        if (role !== undefined)
          writes.push(doc === undefined ? db.create(path, { ...role }) : db.update(path, doc, { ...role }))
        if (deleted && doc !== undefined) writes.push(db.delete(path, doc))
        // A role more or less goes through one document: two requests at once cannot both take the last place.
        if (doc === undefined || deleted) writes.push(countWrite(db, count, all.length + (deleted ? -1 : 1)))
        const { writes: raised, revocations } = await raiseWatermark(db, tenantNotBefore)
        return ok({ value, writes: [...writes, ...raised], audit, revocations })
      })
      if (!changed.ok) return changed
      if (changed.value.duplicate) throw new Error('a change without a claim was seen before')
      return ok(changed.value.value)
    },
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

function countWrite<S>(
  db: ScopedDb<S>,
  count: Doc<S, { count: number }> | undefined,
  next: number,
): Write<S> {
  return count === undefined ? db.create(COUNT, { count: next }) : db.update(COUNT, count, { count: next })
}

async function raiseWatermark<S>(db: ScopedDb<S>, before: number | undefined) {
  const state = before === undefined ? undefined : await db.find(STATE, parseTenantAuthState)
  if (before === undefined || state === undefined) return { writes: [], revocations: [] }
  const notBefore = Math.max(state.value.notBefore, before)
  const entry: Revocation = {
    kind: 'tenant',
    id: db.tenantId,
    before: notBefore,
    exp: latestExpiry(notBefore),
    reason: 'role_narrowed',
  }
  return { writes: [db.update(STATE, state, { notBefore })], revocations: [entry] }
}

/** All of the tenant's own roles, by name. */
export async function customRolesIn<S>(db: ScopedDb<S>): Promise<CustomRoles> {
  return new Map((await allRoles(db)).map((role) => [role.name, role.scopes]))
}

async function allRoles<S>(db: ScopedDb<S>): Promise<Role[]> {
  const found = await db.list([ROLES], { limit: MOST_CUSTOM_ROLES }, parseRole)
  return found.map((doc) => doc.value)
}
