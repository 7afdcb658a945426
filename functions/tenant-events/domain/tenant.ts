import type { StepKey } from '#shared/catalogue/operation-steps.ts'
import type { DeploymentModel, Tier } from '#shared/catalogue/tiers.ts'
import type { TenantState } from '#shared/contracts/events/tenant-fact.ts'
import { RESERVED_TENANT_IDS, type TenantId } from '#shared/ids.ts'
import { ok, type Refusal, type Result, refuse } from '#shared/result.ts'
import type { OperationKind } from './plans.ts'

/** Soft: what runs may end, nothing begins. Hard: everything stops now. */
export const SUSPENSION_MODES = ['soft', 'hard'] as const
export type SuspensionMode = (typeof SUSPENSION_MODES)[number]

export const SUSPENSION_REASONS = ['payment_failed', 'abuse', 'security', 'admin'] as const
export type SuspensionReason = (typeof SUSPENSION_REASONS)[number]

export type Suspension = { readonly mode: SuspensionMode; readonly reason: SuspensionReason }

/** What a new tenant is ordered with. */
export type TenantOrder = {
  readonly tier: Tier
  readonly deploymentModel: DeploymentModel
  readonly region: string
  readonly trialEndsAt: string | null
}

/** What was ordered. Requests change it; operations drive the world towards it. */
export type Desired = TenantOrder & {
  /** The hardest of the holds; null when nobody holds the tenant. */
  readonly suspension: Suspension | null
}

/** Where a tenant's workloads run. */
export type Placement = { readonly cluster: string; readonly namespace: string }

/** What is known to be true in the world, read back after each effect. */
export type Observed = {
  readonly tier: Tier | null
  readonly subscriptionId: string | null
  readonly planId: string | null
  readonly suspension: Suspension | null
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

/** An operation that was accepted and waits for the running one, for another state, or for its day. */
export type WaitingOperation = {
  readonly operationId: string
  readonly kind: OperationKind
  /** Not before then; null: as soon as it may. */
  readonly notBeforeMs: number | null
}

/** Who holds a tenant suspended: paying a bill ends billing's hold and no operator's. */
export type Hold = Suspension & { readonly by: 'billing' | 'operator' }

/** One person's word that a tenant may be purged. `approver` is a hash of who it is. */
export type PurgeApproval = { readonly approver: string; readonly atMs: number; readonly reason: string }

/** The last archive of the tenant's data that was delivered. */
export type ExportRecord = {
  readonly operationId: string
  readonly object: string
  readonly sha256: string
  readonly atMs: number
}

/** A tenant's own document, `tenants/{tenantId}`. */
export type Tenant = {
  readonly tenantId: TenantId
  readonly displayName: string
  readonly state: TenantState
  /** Counts what a read shows otherwise than before, the running step apart; the ETag. */
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
  /** The highest fence of the operations before: an operation that goes on later meets no former worker. */
  readonly fence: number
  /** In the order they were accepted; at most one of each kind. */
  readonly queue: readonly WaitingOperation[]
  readonly holds: readonly Hold[]
  /** A tenant under legal hold is never purged. */
  readonly legalHold: { readonly reference: string; readonly atMs: number } | null
  readonly purgeApprovals: readonly PurgeApproval[]
  /** The highest `commandseq` seen of each source, decimal. */
  readonly commandSeq: Readonly<Record<string, string>>
  /** Until when a tenant in GRACE can come back. */
  readonly graceEndsAtMs: number | null
  /** The state that cancelling an offboarding leads back to. */
  readonly before: 'ACTIVE' | 'SUSPENDED' | null
  /** The tenant's Cloud KMS key, once there is one. */
  readonly keyName: string | null
  readonly export: ExportRecord | null
  readonly createdAtMs: number
}

/** What a tenant begins with; also what documents written before these members existed are read as. */
export const NEW_TENANT = {
  op: null,
  fence: 0,
  queue: [],
  holds: [],
  legalHold: null,
  purgeApprovals: [],
  commandSeq: {},
  graceEndsAtMs: null,
  before: null,
  keyName: null,
  export: null,
} as const satisfies Partial<Tenant>

/** From the request on; both ends count. */
export const MOST_TRIAL_DAYS = 365

/** A request for a new tenant, its fields checked one by one. */
export type TenantRequestBody = TenantOrder & { readonly tenantId: TenantId; readonly displayName: string }

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
  const trial = trialRefused(body, nowMs)
  if (trial !== undefined) return trial
  const { tenantId, displayName, ...order } = body
  return ok({
    tenantId,
    displayName,
    state: 'REQUESTED',
    revision: 0,
    factSequence: 0,
    specRevision: 1,
    desired: { ...order, suspension: null },
    observed: { tier: null, subscriptionId: null, planId: null, suspension: null },
    placement: null,
    namespaceUid: null,
    ...NEW_TENANT,
    createdAtMs: nowMs,
  })
}

/** A trial is free: one that ends in the year 9999 is a slip, or a tenant that never pays. */
function trialRefused({ trialEndsAt }: TenantOrder, nowMs: number): Refusal | undefined {
  if (trialEndsAt === null) return undefined
  const leftMs = Date.parse(trialEndsAt) - nowMs
  if (leftMs <= 0)
    return refuse('request.malformed', 'trial in the past', 'trialEndsAt: must be in the future')
  if (leftMs <= MOST_TRIAL_DAYS * 86_400_000) return undefined
  const hint = `trialEndsAt: must be within ${MOST_TRIAL_DAYS} days from now`
  return refuse('request.malformed', 'trial too long', hint)
}

/** The tenant under another name; the very same object if that is its name. */
export function rename(tenant: Tenant, displayName: string): Tenant {
  if (tenant.displayName === displayName) return tenant
  return { ...tenant, displayName, revision: tenant.revision + 1 }
}
