import { canonicalJson } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { formatInstant } from '../domain/calendar.ts'
import { exactThroughMs } from '../domain/exactness.ts'
import { folding } from '../domain/meter-usage.ts'
import { parseUsageQuery, periodToRead, repeatsIn, type UsageRow, usageRows } from '../domain/usage-query.ts'
import type { BillingDeps, Reading } from '../ports.ts'

export type UsageAnswer = {
  readonly from: string
  readonly to: string
  readonly data: readonly UsageRow[]
  /** Copies of events that came in other batches: they count for nothing. */
  readonly duplicates: number
  /** Events that share an id with another of different content, and lost. */
  readonly conflicts: number
  readonly exactThrough: string
  /** Whether the range reaches beyond `exactThrough`, where usage is still on its way. */
  readonly provisional: boolean
}

type Deps = Pick<BillingDeps, 'ledger' | 'reads' | 'tenants' | 'subscriptions'>

type Request = {
  readonly ctx: TenantContext
  readonly query: Readonly<Record<string, string>>
  readonly nowMs: number
  readonly signal?: AbortSignal
}

/**
 * A tenant's usage, exact: folded from the ledger's events by the time they happened, each counted
 * once however often and in whatever batches it came.
 */
export function getUsage(deps: Deps, request: Request): Promise<Result<UsageAnswer>> {
  const question = `usage ${canonicalJson(request.query)}`
  return deps.reads.share(request.ctx, question, (reading) => answer(deps, request, reading), request.signal)
}

async function answer(deps: Deps, request: Request, reading: Reading): Promise<Result<UsageAnswer>> {
  const { ctx, nowMs } = request
  const timeZone = (await deps.subscriptions.find(ctx))?.timeZone ?? 'UTC'
  const query = parseUsageQuery(request.query, nowMs, timeZone)
  if (!query.ok) return query
  if ((await deps.tenants.find(ctx)) === undefined) return refuse('resource.not_found', 'no such tenant')
  const { period } = query.value
  const events = await deps.ledger.read(ctx, periodToRead(query.value), reading)
  if (!events.ok) return events
  const folded = await reading.work(folding(events.value, period))
  const exactMs = exactThroughMs(period, nowMs)
  return ok({
    from: formatInstant(period.fromMs),
    to: formatInstant(period.toMs),
    data: await reading.work(usageRows(query.value, folded.events, timeZone)),
    ...repeatsIn(query.value, folded),
    exactThrough: formatInstant(exactMs),
    provisional: exactMs < period.toMs,
  })
}
