import type { Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import type { UsageJob } from '../domain/usage-job.ts'

/** Usage and corrections that operators hand in, on their way to the ledger. */
export type UsageJobs = {
  /**
   * Keeps a job, asks for its unit of work and audits who wanted it and why, all in one commit. The same
   * job again is the one that is there, as it stands.
   */
  request(ctx: TenantContext, job: UsageJob, trace: Trace): Promise<Result<UsageJob>>
  find(ctx: TenantContext, jobId: string): Promise<UsageJob | undefined>
  /** Marks it as done; again changes nothing. */
  finish(ctx: TenantContext, jobId: string): Promise<void>
}

/** What closed periods say about usage that comes late. */
export type PeriodLocks = {
  /** Those of the instants that lie in a period that is closed and whose plan refuses late usage. */
  locked(ctx: TenantContext, instantsMs: readonly number[]): Promise<readonly number[]>
}
