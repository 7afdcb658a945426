import { namespaceOf } from '#shared/contracts/events/tenant-fact.ts'
import { type Operation, stepOf } from './operation.ts'
import { stepsOf } from './plans.ts'
import type { Tenant } from './tenant.ts'

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
  readonly revision: number
  readonly createdAt: string
  /** The running operation, if there is one. */
  readonly operation: { readonly operationId: string; readonly kind: string; readonly step: string } | null
}

/** An operation as the API shows it: how far each step has come, and what the last trouble was. */
export type OperationView = {
  readonly operationId: string
  readonly tenantId: string
  readonly kind: string
  readonly status: string
  readonly steps: readonly {
    readonly key: string
    readonly code: string
    readonly status: string
    readonly attempts: number
    readonly waitingFor: string | null
    readonly lastError: { readonly code: string; readonly retriable: boolean } | null
  }[]
  readonly failure: { readonly step: string; readonly code: string } | null
  readonly stuck: boolean
  readonly startedAt: string
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
    revision: tenant.revision,
    createdAt: new Date(tenant.createdAtMs).toISOString(),
    operation: op === null ? null : { operationId: op.operationId, kind: op.kind, step: op.step },
  }
}

/** Texts of errors stay inside: they quote the cluster's own words. */
export function operationView(operation: Operation): OperationView {
  return {
    operationId: operation.operationId,
    tenantId: operation.tenantId,
    kind: operation.kind,
    status: operation.status,
    steps: stepsOf(operation).map(({ key, code }) => {
      const { status, attempts, waitingFor, lastError } = stepOf(operation, key)
      const shown = lastError === null ? null : { code: lastError.code, retriable: lastError.retriable }
      return { key, code, status, attempts, waitingFor, lastError: shown }
    }),
    failure: operation.failure,
    stuck: operation.stuckAtMs !== null && operation.endedAtMs === null,
    startedAt: new Date(operation.startedAtMs).toISOString(),
    endedAt: operation.endedAtMs === null ? null : new Date(operation.endedAtMs).toISOString(),
  }
}
