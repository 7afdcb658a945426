import type { WorkRequested } from '#shared/contracts/events/work-requested.ts'
import type { ReceivedEvent } from '#shared/pubsub/types.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { restoreCorrection } from '../domain/correction.ts'
import { batchIdOf, makeBatches } from '../domain/usage-batch.ts'
import { restoreUsageEvent } from '../domain/usage-event.ts'
import type { UsageJob } from '../domain/usage-job.ts'
import type { BillingDeps } from '../ports.ts'

type Deps = Pick<BillingDeps, 'ledger' | 'corrections' | 'usageJobs'>

/**
 * Puts a job's events into the ledger, as what a collector said when the job was asked for. Every batch is
 * named by its content, so a unit that comes again finds what it left.
 */
export async function applyUsageJob(
  deps: Deps,
  received: ReceivedEvent<WorkRequested>,
): Promise<Result<unknown>> {
  const { ctx, event, signal } = received
  const job = await deps.usageJobs.find(ctx, event.data.key)
  if (job === undefined) return refuse('resource.not_found', 'no such job')
  if (job.status === 'done') return ok({ events: 0 })
  if (job.kind === 'void') await applyVoids(deps, ctx, job)
  else await applyBackfill(deps, ctx, job, signal)
  await deps.usageJobs.finish(ctx, job.jobId)
  return ok({ events: job.events.length })
}

async function applyBackfill(
  deps: Deps,
  ctx: TenantContext,
  job: UsageJob,
  signal: AbortSignal,
): Promise<void> {
  const producer = 'collector'
  const events = job.events.map((raw) => restoreUsageEvent(raw, producer))
  const message = { batchId: batchIdOf(events), tenantId: ctx.tenantId, mixed: false, producer } as const
  for (const batch of makeBatches(events, message)) {
    signal.throwIfAborted()
    await deps.ledger.append(ctx, batch, job.requestedAtMs)
  }
}

async function applyVoids(deps: Deps, ctx: TenantContext, job: UsageJob): Promise<void> {
  const corrections = job.events.map(restoreCorrection)
  await deps.corrections.append(ctx, { batchId: batchIdOf(corrections), corrections }, job.requestedAtMs)
}
