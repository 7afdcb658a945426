import { userDisabled } from '#shared/contracts/events/user-disabled.ts'
import { userRolesChanged } from '#shared/contracts/events/user-roles-changed.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { latestExpiry, type Revocation } from '#shared/contracts/revocation.ts'
import type { AuditEntry } from '#shared/firestore/tenant-store.ts'
import type { Trace } from '#shared/trace.ts'
import { changedUser, losesAccess, type User } from '../domain/user.ts'
import type { UserCommit } from '../ports/people.ts'

type Moment = { readonly nowMs: number; readonly trace?: Trace | undefined }

/** A new user with what is told of them. */
export function createdUser<T>(value: T, user: User): UserCommit<T> & { readonly user: User } {
  return { value, user, audit: [{ action: 'auth.user.created', target: user.userId }] }
}

/**
 * A changed user with everything that follows: facts and audit of what changed, and the end of every
 * token that says more than is true now. Without a change nothing is written.
 */
export function userCommit(before: User, wanted: User, moment: Moment): UserCommit<User> {
  if (JSON.stringify(before) === JSON.stringify(wanted)) return { value: before }
  const user = changedUser(before, wanted, moment.nowMs)
  const disabled = before.status === 'active' && user.status === 'disabled'
  const rolesChanged = before.roles.join() !== user.roles.join()
  const at = new Date(moment.nowMs).toISOString()
  const { tenantId, userId } = user
  return {
    value: user,
    user,
    events: [
      ...(disabled ? [disabledEvent(user, 'disabled', moment)] : []),
      ...(rolesChanged
        ? [
            newEvent({
              ...envelope(user, moment),
              id: `user-roles-changed:${userId}:${user.revision}`,
              type: userRolesChanged.type,
              data: { tenantId, userId, roles: [...user.roles], at },
            }),
          ]
        : []),
    ],
    audit: auditOf(before, user, rolesChanged),
    revocations: losesAccess(before, user)
      ? [endOfTokens(user, disabled ? 'user_disabled' : 'roles_changed')]
      : [],
  }
}

/** Somebody who goes, with the end of their tokens. */
export function deletedUser(user: User, moment: Moment): UserCommit<undefined> {
  const ended = { ...user, notBefore: Math.max(user.notBefore, Math.floor(moment.nowMs / 1000)) }
  return {
    value: undefined,
    deleted: user,
    events: [disabledEvent(user, 'deleted', moment)],
    audit: [{ action: 'auth.user.deleted', target: user.userId }],
    revocations: [endOfTokens(ended, 'user_deleted')],
  }
}

function auditOf(before: User, user: User, rolesChanged: boolean): AuditEntry[] {
  const target = user.userId
  if (before.status !== user.status) {
    const action = user.status === 'disabled' ? 'auth.user.disabled' : 'auth.user.enabled'
    return [{ action, target }, ...(rolesChanged ? [roleEntry(user)] : [])]
  }
  return rolesChanged ? [roleEntry(user)] : [{ action: 'auth.user.changed', target }]
}

function roleEntry(user: User): AuditEntry {
  return { action: 'auth.user.roles_changed', target: user.userId, outcome: user.roles.join(' ') }
}

function disabledEvent(user: User, reason: 'disabled' | 'deleted', moment: Moment) {
  const { tenantId, userId } = user
  return newEvent({
    ...envelope(user, moment),
    id: `user-${reason}:${userId}:${user.revision}`,
    type: userDisabled.type,
    data: { tenantId, userId, reason, at: new Date(moment.nowMs).toISOString() },
  })
}

function envelope({ tenantId }: User, { nowMs, trace }: Moment) {
  return { source: '//energent.ai/auth', tenantId, nowMs, ...(trace === undefined ? {} : { trace }) }
}

function endOfTokens(user: User, reason: string): Revocation {
  const before = user.notBefore
  return { kind: 'user', id: user.userId, before, exp: latestExpiry(before), reason }
}
