import { namespaceOf } from '#shared/contracts/events/tenant-fact.ts'
import { redactSecrets } from '#shared/redact.ts'
import type { Audience } from './audience.ts'
import { type FailureHelp, helpFor } from './failure-codes.ts'
import { type Operation, type OperationRequest, stepOf } from './operation.ts'
import { type PlannedStep, stepsOf } from './plans.ts'
import type { Suspension, Tenant } from './tenant.ts'

/** A tenant as the API shows it. */
export type TenantView = {
  readonly tenantId: string
  readonly displayName: string
  readonly state: string
  readonly tier: string
  readonly deploymentModel: string
  readonly region: string
  readonly trialEndsAt: string | null
  readonly cluster: string | null
  readonly namespace: string
  readonly suspension: Suspension | null
  /** Until when an offboarding can be cancelled. */
  readonly graceEndsAt: string | null
  /** The last archive of the tenant's data. */
  readonly export: {
    readonly operationId: string
    readonly object: string
    readonly sha256: string
    readonly at: string
  } | null
  readonly revision: number
  readonly createdAt: string
  /** The running operation, if there is one. */
  readonly operation: { readonly operationId: string; readonly kind: string; readonly step: string } | null
  /** Accepted, and waiting for the running operation, another state or their day; in that order. */
  readonly waiting: readonly {
    readonly operationId: string
    readonly kind: string
    readonly notBefore: string | null
  }[]
}

/** What operators see besides: why a tenant is held, and how far a purge is approved. */
export type OperatorTenantView = TenantView & {
  readonly holds: readonly { readonly by: string; readonly mode: string; readonly reason: string }[]
  readonly legalHold: { readonly reference: string; readonly at: string } | null
  readonly purgeApprovals: readonly {
    readonly approver: string
    readonly at: string
    readonly reason: string
  }[]
}

/** A step's trouble. Tenants see its code; operators the text, with what was secret in it taken out. */
export type TroubleView = {
  readonly code: string
  readonly retriable: boolean
  readonly text?: string
  readonly help?: FailureHelp
}

export type StepView = {
  readonly key: string
  readonly code: string
  readonly status: string
  readonly attempts: number
  readonly waitingFor: string | null
  readonly lastError: TroubleView | null
}

/** An operation as the API shows it: how far each step has come, and what the last trouble was. */
export type OperationView = {
  readonly operationId: string
  readonly tenantId: string
  readonly kind: string
  readonly status: string
  /** What was asked for. */
  readonly request: OperationRequest
  readonly steps: readonly StepView[]
  readonly progress: { readonly done: number; readonly total: number }
  readonly failure: { readonly step: string; readonly code: string; readonly help?: FailureHelp } | null
  readonly stuck: boolean
  readonly startedAt: string
  readonly stuckAt: string | null
  /** When a scheduled operation goes on. */
  readonly resumesAt: string | null
  readonly endedAt: string | null
}

export function tenantView(tenant: Tenant): TenantView {
  const { op, desired, placement } = tenant
  return {
    tenantId: tenant.tenantId,
    displayName: tenant.displayName,
    state: tenant.state,
    tier: tenant.observed.tier ?? desired.tier,
    deploymentModel: desired.deploymentModel,
    region: desired.region,
    trialEndsAt: desired.trialEndsAt,
    cluster: placement?.cluster ?? null,
    namespace: placement?.namespace ?? namespaceOf(tenant.tenantId),
    suspension: desired.suspension,
    graceEndsAt: isoOf(tenant.graceEndsAtMs),
    export: tenant.export === null ? null : exportView(tenant.export),
    revision: tenant.revision,
    createdAt: new Date(tenant.createdAtMs).toISOString(),
    operation: op === null ? null : { operationId: op.operationId, kind: op.kind, step: op.step },
    waiting: tenant.queue.map(({ operationId, kind, notBeforeMs }) => ({
      ...{ operationId, kind },
      notBefore: isoOf(notBeforeMs),
    })),
  }
}

export function operatorTenantView(tenant: Tenant): OperatorTenantView {
  const { holds, legalHold, purgeApprovals } = tenant
  return {
    ...tenantView(tenant),
    holds: holds.map(({ by, mode, reason }) => ({ by, mode, reason })),
    legalHold: legalHold === null ? null : { reference: legalHold.reference, at: instantOf(legalHold.atMs) },
    purgeApprovals: purgeApprovals.map(({ approver, atMs, reason }) => ({
      ...{ approver, reason },
      at: instantOf(atMs),
    })),
  }
}

/** Tenants see no text of an error: it quotes the words of the cluster, or of somebody else inside. */
export function operationView(operation: Operation, audience: Audience = 'tenant'): OperationView {
  const { failure } = operation
  // Who approved is the certificate's to say, to operators.
  const { approvals: _approvals, ...request } = operation.request
  const steps = plannedSteps(operation).map((step) => stepView(operation, step, audience))
  return {
    operationId: operation.operationId,
    tenantId: operation.tenantId,
    kind: operation.kind,
    status: operation.status,
    request,
    steps,
    progress: { done: steps.filter(({ status }) => status === 'done').length, total: steps.length },
    failure:
      failure === null
        ? null
        : {
            step: failure.step,
            code: failure.code,
            ...(audience === 'operator' ? helpOf(failure.code) : {}),
          },
    stuck: operation.stuckAtMs !== null && operation.endedAtMs === null,
    startedAt: instantOf(operation.startedAtMs),
    stuckAt: isoOf(operation.stuckAtMs),
    resumesAt: isoOf(operation.resumeAtMs),
    endedAt: isoOf(operation.endedAtMs),
  }
}

/** None of one that had nothing to do: it would show as done with every step still before it. */
function plannedSteps(operation: Operation): readonly PlannedStep[] {
  const hadNothingToDo = operation.status === 'succeeded' && Object.keys(operation.steps).length === 0
  return hadNothingToDo ? [] : stepsOf(operation)
}

/** The longest text of an error that is shown. */
const LONGEST_TEXT = 500

function stepView(operation: Operation, { key, code }: PlannedStep, audience: Audience): StepView {
  const { status, attempts, waitingFor, lastError } = stepOf(operation, key)
  if (lastError === null) return { key, code, status, attempts, waitingFor, lastError }
  const { retriable, text } = lastError
  const trouble: TroubleView = {
    ...{ code: lastError.code, retriable },
    ...(audience === 'operator'
      ? { text: redactSecrets(text.slice(0, LONGEST_TEXT)), ...helpOf(lastError.code) }
      : {}),
  }
  return { key, code, status, attempts, waitingFor, lastError: trouble }
}

function helpOf(code: string): { help?: FailureHelp } {
  const help = helpFor(code)
  return help === undefined ? {} : { help }
}

function exportView({ atMs, object, operationId, sha256 }: NonNullable<Tenant['export']>) {
  return { operationId, object, sha256, at: instantOf(atMs) }
}

function instantOf(ms: number): string {
  return new Date(ms).toISOString()
}

function isoOf(ms: number | null): string | null {
  return ms === null ? null : instantOf(ms)
}
