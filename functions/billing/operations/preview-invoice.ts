import { canonicalJson } from '#shared/json.ts'
import { type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { periodAt } from '../domain/subscription-phases.ts'
import { parseInstant } from '../domain/usage-query.ts'
import type { BillingDeps, Reading } from '../ports.ts'
import type { MeasureDeps } from './measure-period.ts'
import { type InvoicePreview, previewLines } from './preview-lines.ts'

const YEAR_MS = 366 * 24 * 3_600_000
const LEDGER_MS = 396 * 24 * 3_600_000

type Deps = MeasureDeps & Pick<BillingDeps, 'reads' | 'subscriptions' | 'invoices' | 'taxRates'>

type Request = {
  readonly ctx: TenantContext
  readonly query: Readonly<Record<string, string>>
  readonly nowMs: number
  readonly signal?: AbortSignal
}

/**
 * The invoice of the period that contains `at`, as it would be on what is known now. Nothing is
 * written, and without new usage the same question gets the same digest.
 */
export function previewInvoice(deps: Deps, request: Request): Promise<Result<InvoicePreview>> {
  const question = `invoice ${canonicalJson(request.query)}`
  return deps.reads.share(request.ctx, question, (reading) => answer(deps, request, reading), request.signal)
}

async function answer(deps: Deps, request: Request, reading: Reading): Promise<Result<InvoicePreview>> {
  const { ctx, nowMs } = request
  const stray = Object.keys(request.query).find((name) => name !== 'at')
  if (stray !== undefined)
    return refuse('request.malformed', 'unknown parameter', `There is no parameter '${stray}'.`)
  const atText = request.query['at']
  const atMs = atText === undefined ? nowMs : parseInstant(atText)
  if (atMs === undefined) return refuse('request.malformed', 'at', 'at: must be an RFC 3339 instant')
  if (atMs > nowMs + YEAR_MS || atMs < nowMs - LEDGER_MS) {
    return refuse('usage.range_invalid', 'at', 'at must lie within the last 13 months or the next 12')
  }
  const subscription = await deps.subscriptions.find(ctx)
  if (subscription === undefined) return refuse('resource.not_found', 'no subscription')
  const period = periodAt(subscription, atMs)
  if (period.toMs <= subscription.startedAtMs) return refuse('resource.not_found', 'before the subscription')
  return previewLines(deps, { ctx, subscription, period, nowMs, reading })
}
