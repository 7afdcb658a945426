import type { TenantFact, TenantFactKind } from '#shared/contracts/events/tenant-fact.ts'
import { latestExpiry, type Revocation } from '#shared/contracts/revocation.ts'
import type { AuditEntry } from '#shared/firestore/tenant-store.ts'
import { RESERVED_TENANT_IDS, type TenantId } from '#shared/ids.ts'
import type { ReceivedEvent } from '#shared/pubsub/types.ts'
import { type Result, refuse } from '#shared/result.ts'
import { applyTenantFact as decide, type TenantAuthState } from '../domain/tenant-state.ts'
import { defaultBinding } from '../domain/workload-binding.ts'
import type { StateChange, TenantStateStore } from '../ports.ts'

export type ApplyTenantFactDeps = { readonly tenantStates: TenantStateStore }

/**
 * Takes over what tenant-events says about a tenant: from now on its tokens are judged by it.
 *
 * Facts are numbered; a copy and a latecomer change nothing. Once a tenant is being purged the number no
 * longer counts: nothing but `purged` is applied. A fact about a reserved tenant is
 * refused: nobody may suspend the operators by event.
 */
export async function applyTenantFact(
  deps: ApplyTenantFactDeps,
  kind: TenantFactKind,
  received: ReceivedEvent<TenantFact>,
): Promise<Result<unknown>> {
  const { event, ctx, claim, nowMs } = received
  if (RESERVED_TENANT_IDS.includes(ctx.tenantId)) return refuse('event.malformed', 'reserved tenant')
  if (event.sequence === undefined) return refuse('event.malformed', 'a tenant fact without sequence')
  const sequence = BigInt(event.sequence)
  return deps.tenantStates.change(ctx, claim, (known): StateChange => {
    const state = decide(known, event.data, sequence, nowMs)
    if (state === undefined) return {}
    const audit = auditOf(known, state)
    const revocations = revocationsOf(ctx.tenantId, known, state)
    return kind === 'activated'
      ? { state, audit, revocations, binding: defaultBinding(event.data, nowMs) }
      : { state, audit, revocations }
  })
}

/** Where the watermark of the state rose, the feed tells it: its listeners know nothing of states. */
function revocationsOf(
  tenantId: TenantId,
  known: TenantAuthState | undefined,
  { notBefore: before, status }: TenantAuthState,
): Revocation[] {
  if (known === undefined || before <= known.notBefore) return []
  const reason = `tenant_${status.toLowerCase()}`
  return [{ kind: 'tenant', id: tenantId, before, exp: latestExpiry(before), reason }]
}

/** Only a change of what is allowed is worth an entry; the fact itself stands in tenant-events' audit. */
function auditOf(known: TenantAuthState | undefined, state: TenantAuthState): AuditEntry[] {
  if (known !== undefined && known.status === state.status && known.tier === state.tier) return []
  return [
    {
      action: 'auth.tenant.state_applied',
      target: 'auth_state/current',
      outcome: `${state.status} ${state.tier} seq ${state.sequence}`,
    },
  ]
}
