import type { OutgoingEvent } from './facts.ts'
import type { Operation } from './operation.ts'
import type { OperationKind } from './plans.ts'
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
  readonly tenantId: string
  readonly operationId: string
  readonly kind: (typeof TIMER_KINDS)[number]
  readonly dueAtMs: number
}

/** What a decision changes, all of it at once. */
export type Decided = {
  readonly tenant: Tenant
  /** Those that are new or changed. */
  readonly operations: readonly Operation[]
  readonly events: readonly OutgoingEvent[]
  readonly timers: readonly Timer[]
  /** Operations that came to an end by this, for the audit. */
  readonly ended: readonly {
    readonly operationId: string
    readonly kind: OperationKind
    readonly status: string
  }[]
}
