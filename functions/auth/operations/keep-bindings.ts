import { revokeUntilNow } from '#shared/contracts/revocation.ts'
import type { Claim } from '#shared/firestore/claim.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { COMMIT_SECONDS } from '../domain/change-client.ts'
import {
  type BindingView,
  checkRoomForBinding,
  type NewBinding,
  newBinding,
  viewOfBinding,
} from '../domain/new-binding.ts'
import { checkGivable, type ScopeGiver } from '../domain/scope.ts'
import { clientIdOfBinding, subjectOfBinding } from '../domain/workload-binding.ts'
import type { BindingStore, TrustedIssuers } from '../ports/exchange.ts'

export type KeepBindingsDeps = {
  readonly bindings: BindingStore
  readonly trusted: Pick<TrustedIssuers, 'clusters'>
}

export type CreateBindingCommand = {
  readonly ctx: TenantContext
  readonly giver: ScopeGiver
  readonly wanted: NewBinding
  /** From `Idempotency-Key`, if the caller sent one. */
  readonly claim: Claim | undefined
  readonly nowMs: number
}

export type CreatedBinding = { readonly binding: BindingView; readonly replayed: boolean }

/** Lets an account have tokens of the tenant, with scopes that the caller could give to any client. */
export async function createBinding(
  deps: KeepBindingsDeps,
  command: CreateBindingCommand,
): Promise<Result<CreatedBinding>> {
  const { ctx, giver, wanted } = command
  const givable = checkGivable(giver, ctx.tenantId, wanted.scopes)
  if (!givable.ok) return givable
  if ('cluster' in wanted && !deps.trusted.clusters.some(({ cluster }) => cluster === wanted.cluster)) {
    return refuse('request.malformed', 'unknown cluster', 'cluster: not one whose workloads are known here')
  }
  const binding = newBinding(ctx.tenantId, wanted, command.nowMs)
  const added = await deps.bindings.add(ctx, command.claim, binding, (found) => {
    const room = checkRoomForBinding(found)
    if (!room.ok) return room
    const outcome = binding.scopes.join(' ')
    return ok({ binding, audit: [{ action: 'auth.binding.created', target: binding.id, outcome }] })
  })
  if (!added.ok) return added
  // What was bound and with which scopes is what the claim's digest says: the answer is the same.
  const made = added.value.duplicate ? (added.value.answer as typeof binding) : added.value.value
  return ok({ binding: viewOfBinding(ctx.tenantId, made), replayed: added.value.duplicate })
}

/** Takes a binding back: its tokens are refused within two seconds, and there are no new ones. */
export async function deleteBinding(
  deps: Pick<KeepBindingsDeps, 'bindings'>,
  command: { readonly ctx: TenantContext; readonly bindingId: string; readonly nowMs: number },
): Promise<Result<unknown>> {
  const { ctx, bindingId, nowMs } = command
  return deps.bindings.remove(ctx, bindingId, (binding) => {
    if (binding === undefined) return refuse('resource.not_found', 'no such binding')
    const clientId = clientIdOfBinding(ctx.tenantId, binding.id)
    const subject = subjectOfBinding(ctx.tenantId, binding)
    // So far ahead as a commit takes: a token may be made beside this from the binding that was there.
    const revoke = (kind: 'client' | 'user', id: string) =>
      revokeUntilNow(kind, id, nowMs + COMMIT_SECONDS * 1000, 'binding_deleted')
    return ok({
      binding,
      audit: [{ action: 'auth.binding.deleted', target: binding.id }],
      revocations: [
        revoke('client', clientId),
        // A workload that is a client as well has tokens under that client's id; they are about this subject.
        ...(subject === clientId ? [] : [revoke('user', subject)]),
      ],
    })
  })
}
