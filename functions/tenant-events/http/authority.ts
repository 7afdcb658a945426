import type { TenantRequest } from '#shared/http/types.ts'
import { sha256Hex } from '#shared/ids.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { audienceOf } from './audience.ts'

/**
 * Whether a tenant's caller is one of its owners: to end the contract takes the role itself, whatever
 * scopes another role has. Operators are not asked: their own scope let them in.
 */
export function checkOwner(request: Pick<TenantRequest, 'token'>): Result<void> {
  if (audienceOf(request) === 'operator' || request.token.claims.roles.includes('owner')) return ok(undefined)
  return refuse('role.required', 'no owner', 'Only an owner of the tenant may do this.')
}

/**
 * Who approves a purge: a person, or the person who answers for the machine. Hashed, since what is kept
 * of it outlives the tenant and need not say more than whether two are the same.
 *
 * Somebody who acts for another (RFC 8693) is nobody's word: such a token was never signed in with.
 */
export function approverOf({ token }: Pick<TenantRequest, 'token'>): Result<string> {
  const { owner, signIn, subject } = token.claims
  const person = subject.startsWith('usr_') ? signIn && subject : owner
  if (person === undefined) return refuse('purge.person_unknown', `nobody answers for ${subject}`)
  return ok(hashedApprover(person))
}

/** The approver as it is stored and compared. */
export function hashedApprover(userId: string): string {
  return sha256Hex(`purge-approver:${userId}`)
}
