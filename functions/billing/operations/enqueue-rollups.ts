import type { TenantId } from '#shared/ids.ts'
import { ok, type Result } from '#shared/result.ts'
import type { Trace } from '#shared/trace.ts'
import type { BillingDeps } from '../ports.ts'

const JOB = 'rollups'
/** The cadence of the job: a second call within it asks for the same units. */
const SLOT_MS = 5 * 60_000

type Run = { readonly nowMs: number; readonly trace: Trace; readonly signal: AbortSignal }

/**
 * Asks for one unit for each tenant, which finds the hours that are not rolled up and does them. As many
 * tenants as there is time for; the next run goes on behind them.
 */
export async function enqueueRollups(
  deps: Pick<BillingDeps, 'tenantList' | 'work'>,
  run: Run,
): Promise<Result<{ requested: number; complete: boolean }>> {
  return enqueueForTenants(deps, run, JOB, async (tenantId) => {
    const id = `rollup.${tenantId}.${Math.floor(run.nowMs / SLOT_MS)}`
    await deps.work.request({ tenantId, kind: 'rollup', key: 'dirty' }, { id, ...run })
  })
}

const PAGE = 100
const PARALLEL = 10

/** Does something for each tenant of the list, in pages, until the run's deadline. */
export async function enqueueForTenants(
  deps: Pick<BillingDeps, 'tenantList'>,
  run: Run,
  job: string,
  request: (tenantId: TenantId) => Promise<void>,
): Promise<Result<{ requested: number; complete: boolean }>> {
  let after = await deps.tenantList.place(job)
  const begun = after
  let requested = 0
  while (!run.signal.aborted) {
    const page = await deps.tenantList.page(after, PAGE)
    for (let at = 0; at < page.length; at += PARALLEL) {
      await Promise.all(page.slice(at, at + PARALLEL).map(request))
    }
    requested += page.length
    after = page.at(-1) ?? after
    if (page.length < PAGE) {
      // A place in the middle is the rule only for a list too long for one run.
      if (begun !== undefined) await deps.tenantList.keepPlace(job, undefined)
      return ok({ requested, complete: true })
    }
  }
  await deps.tenantList.keepPlace(job, after)
  return ok({ requested, complete: false })
}
