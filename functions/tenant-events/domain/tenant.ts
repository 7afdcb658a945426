import type { DeploymentModel, Tier } from '#shared/catalogue/tiers.ts'
import type { TenantState } from '#shared/contracts/events/tenant-fact.ts'
import { RESERVED_TENANT_IDS, type TenantId } from '#shared/ids.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { OperationKind, StepKey } from './provisioning.ts'

/** What was ordered. Requests change it; operations drive the world towards it. */
export type Desired = {
  readonly tier: Tier
  readonly deploymentModel: DeploymentModel
  readonly region: string
  readonly trialEndsAt: string | null
}

/** Where a tenant's workloads run. */
export type Placement = { readonly cluster: string; readonly namespace: string }

/** What is known to be true in the world, read back after each effect. */
export type Observed = {
  readonly tier: Tier | null
  readonly subscriptionId: string | null
  readonly planId: string | null
}

/**
 * The one operation a tenant may have running, and who works on it.
 *
 * `leaseUntilMs` is the store's time and is compared with the store's read time; 0 means nobody works
 * on it. `dueAtMs` is our clock's time, and what the sweep looks for: when a parked operation goes on,
 * or when a worker that was never heard of again is given up.
 */
export type RunningOperation = {
  readonly operationId: string
  readonly kind: OperationKind
  readonly step: StepKey
  /** Tries of this step in a row; what back-off counts. */
  readonly attempt: number
  /** Grows with each take-over: a worker whose number is not the current one writes nothing. */
  readonly fence: number
  readonly leaseBy: string
  readonly leaseUntilMs: number
  readonly dueAtMs: number
}

/** A tenant's own document, `tenants/{tenantId}`. */
export type Tenant = {
  readonly tenantId: TenantId
  readonly displayName: string
  readonly state: TenantState
  /** Counts changes of state and name; the ETag. */
  readonly revision: number
  /** Counts facts on `tenant-facts`; a revision can have several. */
  readonly factSequence: number
  /** `energent.ai/spec-rev` of the cluster objects that follow from `desired`; never falls. */
  readonly specRevision: number
  readonly desired: Desired
  readonly observed: Observed
  readonly placement: Placement | null
  readonly namespaceUid: string | null
  readonly op: RunningOperation | null
  readonly createdAtMs: number
}

/** A request for a new tenant, its fields checked one by one. */
export type TenantRequestBody = Desired & { readonly tenantId: TenantId; readonly displayName: string }

/**
 * Takes an id for a new tenant.
 *
 * Reserved, living and purged ids are refused alike: the answer does not say which it was.
 */
export function requestTenant(
  body: TenantRequestBody,
  taken: { readonly exists: boolean; readonly tombstone: boolean },
  nowMs: number,
): Result<Tenant> {
  if (RESERVED_TENANT_IDS.includes(body.tenantId)) return refuse('tenant.id_taken', 'reserved')
  if (taken.exists) return refuse('tenant.id_taken', 'exists')
  if (taken.tombstone) return refuse('tenant.id_taken', 'tombstone')
  if (body.trialEndsAt !== null && Date.parse(body.trialEndsAt) <= nowMs) {
    return refuse('request.malformed', 'trial in the past', 'trialEndsAt: must be in the future')
  }
  const { tenantId, displayName, ...desired } = body
  return ok({
    tenantId,
    displayName,
    state: 'REQUESTED',
    revision: 0,
    factSequence: 0,
    specRevision: 1,
    desired,
    observed: { tier: null, subscriptionId: null, planId: null },
    placement: null,
    namespaceUid: null,
    op: null,
    createdAtMs: nowMs,
  })
}

/** The tenant under another name; the very same object if that is its name. */
export function rename(tenant: Tenant, displayName: string): Tenant {
  if (tenant.displayName === displayName) return tenant
  return { ...tenant, displayName, revision: tenant.revision + 1 }
}
