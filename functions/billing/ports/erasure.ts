import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'

export type Erasure = {
  /** The purge that asked; empty when it named none. */
  readonly operationId: string
  readonly nowMs: number
  readonly trace: Trace
}

export type ErasureStore = {
  /** Whether the tenant's purge has begun, by the newest fact. */
  isLeaving(ctx: TenantContext): Promise<boolean>
  /**
   * Erases some of what billing keeps of the tenant, invoices that were finalized moved to the archive;
   * when nothing is left, answers the purge, once. True when it is answered and nothing was left.
   */
  step(ctx: TenantContext, erasure: Erasure): Promise<boolean>
  /**
   * Erases what the end of the purge still needed: that the tenant is gone, and whatever came late. Not even
   * that somebody looked is written down.
   */
  forget(ctx: TenantContext, nowMs: number): Promise<void>
}
