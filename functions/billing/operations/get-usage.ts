import { canonicalJson } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { formatInstant } from '../domain/calendar.ts'
import { parseUsageQuery, type UsageRow, usageRows, windowsIn } from '../domain/usage-query.ts'
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

type Deps = Pick<BillingDeps, 'usage' | 'reads' | 'tenants' | 'subscriptions'>

type Request = {
  readonly ctx: TenantContext
  readonly query: Readonly<Record<string, string>>
  readonly nowMs: number
  readonly signal?: AbortSignal
}

/**
 * A tenant's usage, exact: from the roll-ups of closed hours and from the ledger for the rest, by the time
 * it happened, each event counted once however often and in whatever batches it came.
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
  const { period, meters, groupBy, filter } = query.value
  const windows = windowsIn(query.value)
  const read = await deps.usage.quantities(
    ctx,
    { ...period, meters, groupBy, filter, windows, nowMs },
    reading,
  )
  if (!read.ok) return read
  const { rows, repeats, exactThroughMs, provisional } = read.value
  const asked = meters.map((meter) => repeats[meter] ?? { copies: 0, conflicts: 0 })
  return ok({
    from: formatInstant(period.fromMs),
    to: formatInstant(period.toMs),
    data: usageRows(query.value, rows),
    duplicates: asked.reduce((sum, { copies }) => sum + copies, 0),
    conflicts: asked.reduce((sum, { conflicts }) => sum + conflicts, 0),
    exactThrough: formatInstant(exactThroughMs),
    provisional,
  })
}
