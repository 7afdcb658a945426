import { ok, type Result } from '#shared/result.ts'
import { continuation, startOf } from './continuation.ts'
import { announce, type Occasion, type OutgoingEvent } from './facts.ts'
import { newOperation, nextStep, type Operation } from './operation.ts'
import { requestTenant, type Tenant, type TenantRequestBody } from './tenant.ts'

/** A tenant that exists from the next commit on, with the operation that provisions it. */
export type Accepted = {
  readonly tenant: Tenant
  readonly operation: Operation
  readonly events: readonly OutgoingEvent[]
}

/** Accepts a new tenant: the reservation of its id, its operation and the first continuation are one. */
export function acceptTenant(
  body: TenantRequestBody,
  taken: { readonly exists: boolean; readonly tombstone: boolean },
  occasion: Occasion,
): Result<Accepted> {
  const requested = requestTenant(body, taken, occasion.nowMs)
  if (!requested.ok) return requested
  const { tenantId, desired } = requested.value
  const { operationId, nowMs } = occasion
  const from = { tier: null, state: 'REQUESTED' as const }
  const operation = newOperation(
    { operationId, tenantId, kind: 'provision', desired, request: {}, from },
    nowMs,
  )
  const first = nextStep(operation)
  if (first === undefined) throw new Error('provisioning has no steps')
  const announced = announce(requested.value, ['requested'], occasion)
  const tenant = { ...announced.tenant, op: startOf(operation, first.key, nowMs) }
  return ok({
    tenant,
    operation,
    events: [...announced.events, continuation(tenant, operation, 'start', occasion)],
  })
}
