import type { Result } from '#shared/result.ts'
import type { Trace } from '#shared/trace.ts'
import type { BillingDeps } from '../ports.ts'
import { enqueueForTenants } from './enqueue-rollups.ts'

/** The cadence of the job: a second call within it asks for the same units. */
const SLOT_MS = 3_600_000

/** Asks for one unit for each tenant, which closes the periods that are due. */
export function enqueueCloses(
  deps: Pick<BillingDeps, 'tenantList' | 'work'>,
  run: { readonly nowMs: number; readonly trace: Trace; readonly signal: AbortSignal },
): Promise<Result<{ requested: number; complete: boolean }>> {
  return enqueueForTenants(deps, run, 'close', async (tenantId) => {
    const id = `close.${tenantId}.${Math.floor(run.nowMs / SLOT_MS)}`
    await deps.work.request({ tenantId, kind: 'close', key: 'due' }, { id, ...run })
  })
}
