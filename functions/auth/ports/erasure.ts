import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'

/** What is left of a tenant when it is purged: nothing of what auth kept, in bounded steps. */
export type ErasureStore = {
  /** The state the tenant is in, as auth knows it. */
  isLeaving(ctx: TenantContext): Promise<boolean>
  /**
   * Erases some documents and counts them, in one commit each; true when it found nothing more and the
   * fact that says so has left. A crash anywhere is resumed by the next call, and nothing is counted twice.
   */
  step(
    ctx: TenantContext,
    erasure: {
      readonly operationId: string | undefined
      readonly nowMs: number
      readonly trace: Trace
    },
  ): Promise<boolean>
  /**
   * Erases what the end of the purge still needed: the state, the grave of the key, and whatever came late.
   * Not even that somebody looked is written down.
   */
  forget(ctx: TenantContext, nowMs: number): Promise<void>
}
