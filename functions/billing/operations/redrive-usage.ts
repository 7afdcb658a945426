import type { TenantContext } from '#shared/tenancy/context.ts'
import { admitUsage } from '../domain/tenant-projection.ts'
import { makeBatches } from '../domain/usage-batch.ts'
import type { BillingDeps } from '../ports.ts'
import { countBatch } from './count-batch.ts'

/**
 * Applies the usage that waited for a tenant, if the tenant is known by now. Each batch keeps the id it
 * came with, so a crash between applying and settling it changes nothing. Throws between two batches when
 * `signal` is aborted: the message that asked for it comes again for the rest.
 */
export async function redriveUsage(
  deps: Pick<BillingDeps, 'ledger' | 'quarantine' | 'tenants' | 'waiting'>,
  ctx: TenantContext,
  signal: AbortSignal,
): Promise<number> {
  if (admitUsage(await deps.tenants.findFresh(ctx)) !== 'apply') return 0
  let redriven = 0
  for (;;) {
    const page = await deps.waiting.next(ctx)
    if (page.length === 0) return redriven
    for (const waiting of page) {
      const { batchId, events, producer, origin, receivedAtMs } = waiting
      const message = { batchId, tenantId: ctx.tenantId, mixed: false, producer }
      for (const batch of makeBatches(events, message)) {
        await countBatch(deps, ctx, batch, { atMs: receivedAtMs, origin, signal })
      }
      await waiting.settle()
      redriven += 1
    }
  }
}
