import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TENANT_ROLE_NAMES, TENANT_ROLES, TENANT_SCOPES, type TenantScope } from '#shared/catalogue/scopes.ts'
import type { TenantId } from '#shared/ids.ts'
import { checkRolesGivable, isRoleName, scopesOfRoles } from '../../../functions/auth/domain/role.ts'
import {
  changedUser,
  newUser,
  type User,
  type UserId,
  withRolesFrom,
  withStatus,
} from '../../../functions/auth/domain/user.ts'

const ACME = 'acme' as TenantId
const ADA = newUser('usr_01KAR6YVZG8X9Y0Z1A2B3C4D5E' as UserId, ACME, 0)

describe('the roles of every tenant', () => {
  test('are those of the contract', () => {
    expect(Object.keys(TENANT_ROLES)).toEqual([...TENANT_ROLE_NAMES])
    expect(TENANT_ROLES.owner).toEqual(TENANT_SCOPES)
    expect(TENANT_ROLES.admin).toEqual(TENANT_SCOPES.filter((scope) => scope !== 'billing:manage'))
    expect(TENANT_ROLES.developer).not.toContain('users:manage')
    expect(TENANT_ROLES.viewer.every((scope) => scope.endsWith(':read'))).toBe(true)
  })

  test('together allow what each allows, and a role that is gone nothing', () => {
    expect(scopesOfRoles(['viewer', 'gone', 'constructor'], new Map())).toEqual(['tenant:read', 'usage:read'])
    expect(scopesOfRoles(['platform_admin', 'owner'], new Map())).toEqual(TENANT_SCOPES)
  })
})

test.each(['platform', 'platform_admin', 'Owner', 'a', 'ö', 'a b', '../x', '__proto__', 'x'.repeat(41), ''])(
  '%s is no name of a role',
  (name) => {
    expect(isRoleName(name)).toBe(false)
  },
)

const roles = fc.subarray([...TENANT_ROLE_NAMES, 'custom', 'platform_admin', 'constructor'])
const scopes = fc.subarray([...TENANT_SCOPES])
const custom = new Map<string, readonly TenantScope[]>([['custom', ['audit:read', 'users:manage']]])

test('whoever holds something can hand on no more than that, in any number of steps', () => {
  fc.assert(
    fc.property(scopes, roles, roles, roles, (held, own, before, after) => {
      const giver = { tenantId: ACME, scopes: new Set<string>(held), roles: own }
      if (!checkRolesGivable(giver, ACME, before, after, custom).ok) return
      const gained = scopesOfRoles(
        after.filter((role) => !before.includes(role)),
        custom,
      )
      expect(gained.every((scope) => giver.scopes.has(scope))).toBe(true)
      if (before.includes('owner') !== after.includes('owner')) expect(own).toContain('owner')
      expect(after.filter((role) => !before.includes(role) && role.startsWith('platform'))).toEqual([])
    }),
  )
})

const source = fc.constantFrom('people' as const, 'signIn' as const, 'directory' as const)
const by = fc.constantFrom('people' as const, 'directory' as const)
const change = fc.oneof(
  fc.record({ kind: fc.constant('roles' as const), source, roles }),
  fc.record({
    kind: fc.constant('status' as const),
    by,
    status: fc.constantFrom('active' as const, 'disabled' as const),
  }),
)

test('whatever happens to a user, no source undoes another and the watermark only rises', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
      let user: User = ADA
      for (const [at, each] of changes.entries()) {
        const next =
          each.kind === 'roles'
            ? withRolesFrom(user, each.source, each.roles)
            : withStatus(user, each.by, each.status)
        const after = changedUser(user, next, (at + 1) * 1_000)
        expect(after.notBefore).toBeGreaterThanOrEqual(user.notBefore)
        const lost = user.roles.some((role) => !after.roles.includes(role))
        const out = user.status === 'active' && after.status === 'disabled'
        if (lost || out) expect(after.notBefore).toBe(at + 1)
        if (each.kind === 'roles') {
          for (const other of (['people', 'signIn', 'directory'] as const).filter(
            (one) => one !== each.source,
          )) {
            expect(after.rolesFrom[other]).toEqual(user.rolesFrom[other])
          }
        } else {
          const others = user.disabledBy.filter((one) => one !== each.by)
          expect(after.disabledBy.filter((one) => one !== each.by)).toEqual(others)
          if (others.length > 0) expect(after.status).toBe('disabled')
        }
        expect(after.roles.filter((role) => role.startsWith('platform'))).toEqual([])
        if (after.roles.includes('owner')) expect(after.rolesFrom.people).toContain('owner')
        user = after
      }
    }),
  )
})
