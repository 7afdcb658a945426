import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { timestamp } from '#shared/firestore/values.ts'
import { ok, refuse } from '#shared/result.ts'
import { MOST_PENDING_INVITATIONS, parseInvitation } from '../domain/invitation.ts'
import { parseTenantAuthState } from '../domain/tenant-state.ts'
import type { InvitationStore } from '../ports/people.ts'
import { listGuard } from './list-guard.ts'
import { customRolesIn } from './role-store.ts'

const INVITATIONS = 'auth_invitations'
const STATE = ['auth_state', 'current']
const KEPT_MS = 30 * 24 * 3_600_000

export function firestoreInvitationStore(tenants: TenantFirestore): InvitationStore {
  return {
    stateOf: (ctx) =>
      tenants.withTenant(ctx, async (db) => (await db.find(STATE, parseTenantAuthState))?.value),
    find: (ctx, id) =>
      tenants.withTenant(ctx, async (db) => (await db.find([INVITATIONS, id], parseInvitation))?.value),
    findByToken: (ctx, tokenHash) =>
      tenants.withTenant(ctx, async (db) => {
        const where = [['tokenHash', '==', tokenHash]] as const
        return (await db.list([INVITATIONS], { where, limit: 1 }, parseInvitation))[0]?.value
      }),
    list: (ctx, { limit, after }) =>
      tenants.withTenant(ctx, async (db) => {
        const options = { orderBy: [['__name__', 'asc']] as const, limit }
        const page = after === undefined ? options : { ...options, startAfter: [after] }
        return (await db.list([INVITATIONS], page, parseInvitation)).map((doc) => doc.value)
      }),
    add: (ctx, claim, wanted, decide) =>
      tenants.optimistic(ctx, claim, async (db) => {
        const guard = await listGuard(db, 'invitations')
        const pendingOnes = { where: [['status', '==', 'pending']] as const }
        const [state, pending, custom] = await Promise.all([
          db.find(STATE, parseTenantAuthState),
          db.list([INVITATIONS], { ...pendingOnes, limit: MOST_PENDING_INVITATIONS }, parseInvitation),
          customRolesIn(db),
        ])
        const decided = decide({ state: state?.value, pendingCount: pending.length, custom })
        if (!decided.ok) return decided
        const { value, invitation, audit } = decided.value
        const replaced = pending.filter((doc) => doc.value.emailHash === wanted.emailHash)
        return ok({
          value,
          writes: [
            // An invitation made beside the tenant's end would outlive it.
            db.verify(STATE, state),
            guard(),
            db.create([INVITATIONS, invitation.invitationId], {
              ...invitation,
              expireAt: timestamp(invitation.expiresAt + KEPT_MS),
            }),
            ...replaced.map((doc) => db.update([INVITATIONS, doc.id], doc, { status: 'withdrawn' })),
          ],
          audit,
        })
      }),
    change: async (ctx, id, decide) => {
      const changed = await tenants.optimistic(ctx, undefined, async (db) => {
        const path = [INVITATIONS, id]
        const doc = await db.find(path, parseInvitation)
        const decided = decide(doc?.value)
        if (!decided.ok) return decided
        if (doc === undefined) return refuse('resource.not_found', 'no such invitation')
        const { invitation, audit } = decided.value
        return ok({ value: invitation, writes: [db.update(path, doc, { ...invitation })], audit })
      })
      if (!changed.ok) return changed
      if (changed.value.duplicate) throw new Error('a change without a claim was seen before')
      return ok(changed.value.value)
    },
  }
}
