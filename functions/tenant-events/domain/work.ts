import type { TenantId } from '#shared/ids.ts'
import type { Operation } from './operation.ts'
import type { Tenant } from './tenant.ts'

/** A tenant and one of its operations as they stood at one moment of the store. */
export type Work = {
  readonly tenant: Tenant
  readonly operation: Operation
  /** The operations that wait, in the order of the tenant's queue. */
  readonly waiting: readonly Operation[]
  /** The store's time of the read. */
  readonly readTimeMs: number
}

/** A tenant with all its operations that are not over, and the one that a request names. */
export type Standing = {
  readonly tenant: Tenant
  /** The running one, those that wait, and the named one. */
  readonly operations: readonly Operation[]
  readonly readTimeMs: number
}

export const TIMER_KINDS = ['grace-end', 'operation-due'] as const

/** Something that is due in days or weeks, `timers/{hour}_{operationId}`. */
export type Timer = {
  readonly tenantId: TenantId
  readonly operationId: string
  readonly kind: (typeof TIMER_KINDS)[number]
  readonly dueAtMs: number
}
