import { METER_IDS } from '#shared/catalogue/meters.ts'
import type { WorkRequested } from '#shared/contracts/events/work-requested.ts'
import { hashedId } from '#shared/ids.ts'
import type { ReceivedEvent } from '#shared/pubsub/types.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { type Export, encodeRows, manifestOf, partOf } from '../domain/export/export.ts'
import {
  addTotals,
  DIMENSIONS,
  INVOICE_COLUMNS,
  invoiceRow,
  invoiceTotals,
  type Row,
  USAGE_COLUMNS,
  usageRow,
  usageTotals,
} from '../domain/export/rows.ts'
import { sortKeyOf } from '../domain/invoice/stored-invoice.ts'
import { hourSpans } from '../domain/spans.ts'
import type { BillingDeps, Reading } from '../ports.ts'

type Deps = Pick<BillingDeps, 'exports' | 'objects' | 'usage' | 'invoices' | 'reads'>

/** Parts that one unit writes: the rest is another's, so that none comes near its deadline. */
const PARTS_PER_UNIT = 10
const DAY_MS = 24 * 3_600_000
const DAYS_PER_PART = 7
const INVOICES_PER_PART = 20

/** What comes next of an export: rows, their sums, and where to go on behind them; no cursor at the end. */
type Chunk = {
  readonly rows: readonly Row[]
  readonly amounts: readonly (readonly [string, string])[]
  readonly cursor: string | undefined
}

/**
 * Writes the next parts of an export. Each part is kept before the next is begun, so that a unit that is
 * delivered again goes on where the last one came to; the manifest is last and makes it done.
 */
export async function writeExport(
  deps: Deps,
  received: ReceivedEvent<WorkRequested>,
): Promise<Result<unknown>> {
  const { ctx, event, nowMs, trace, signal } = received
  const { objects } = deps
  if (objects === undefined) throw new Error('there is no bucket for exports')
  let job = await deps.exports.find(ctx, event.data.key)
  if (job === undefined) return refuse('resource.not_found', 'no such export')
  const reading = deps.reads.background(signal)
  for (let written = 0; job.status !== 'done'; written += 1) {
    signal.throwIfAborted()
    const chunk = await nextChunk(deps, ctx, job, nowMs, reading)
    if (!chunk.ok) return chunk
    const after = await withChunk(objects, ctx, job, chunk.value)
    const rest = after.status !== 'done' && written + 1 >= PARTS_PER_UNIT
    const kept = await deps.exports.advance(ctx, job, after, rest ? { nowMs, trace } : undefined)
    // Somebody else writes it at the same time and is further.
    if (!kept || rest) return ok({ parts: written + 1 })
    job = after
  }
  return ok({ parts: job.parts.length })
}

async function withChunk(
  objects: NonNullable<Deps['objects']>,
  ctx: TenantContext,
  job: Export,
  chunk: Chunk,
): Promise<Export> {
  const columns = job.kind === 'usage' ? USAGE_COLUMNS : INVOICE_COLUMNS
  const bytes = encodeRows(job.format, columns, chunk.rows, job.parts.length === 0)
  const part = partOf({ tenantId: ctx.tenantId, ...job }, job.parts.length + 1, bytes, chunk.rows.length)
  await objects.put(part.object, bytes, job.format === 'csv' ? 'text/csv' : 'application/x-ndjson')
  const after: Export = {
    ...job,
    status: 'running',
    parts: [...job.parts, part],
    cursor: chunk.cursor,
    totals: addTotals(job.totals, chunk.amounts),
  }
  if (chunk.cursor !== undefined) return after
  const manifest = Buffer.from(`${JSON.stringify(manifestOf(ctx.tenantId, after), undefined, 2)}\n`, 'utf8')
  const name = `exports/${ctx.tenantId}/${job.exportId}/manifest-${hashedId(manifest.toString('utf8')).slice(1, 17)}.json`
  await objects.put(name, manifest, 'application/json')
  return { ...after, status: 'done', manifest: name }
}

function nextChunk(
  deps: Deps,
  ctx: TenantContext,
  job: Export,
  nowMs: number,
  reading: Reading,
): Promise<Result<Chunk>> {
  return job.kind === 'usage' ? usageChunk(deps, ctx, job, nowMs, reading) : invoiceChunk(deps, ctx, job)
}

/** The hours of some days. */
async function usageChunk(
  deps: Deps,
  ctx: TenantContext,
  { period, cursor }: Export,
  nowMs: number,
  reading: Reading,
): Promise<Result<Chunk>> {
  const fromMs = cursor === undefined ? period.fromMs : Number(cursor)
  const toMs = Math.min(period.toMs, (Math.floor(fromMs / DAY_MS) + DAYS_PER_PART) * DAY_MS)
  const windows = hourSpans({ fromMs, toMs }).map((span) => span.period)
  const query = { meters: METER_IDS, fromMs, toMs, nowMs, groupBy: DIMENSIONS, windows }
  const found = await deps.usage.quantities(ctx, query, reading)
  if (!found.ok) return found
  const rows = found.value.rows.filter(
    ({ events, value }) => events > 0 || (value !== undefined && value.n !== 0n),
  )
  return ok({
    rows: rows.map(usageRow),
    amounts: usageTotals(rows),
    cursor: toMs < period.toMs ? String(toMs) : undefined,
  })
}

/** The lines of some invoices, the newest period first. */
async function invoiceChunk(
  deps: Deps,
  ctx: TenantContext,
  { period, cursor }: Export,
): Promise<Result<Chunk>> {
  const found = await deps.invoices.list(ctx, cursor, INVOICES_PER_PART)
  const inRange = found.filter(
    (invoice) =>
      invoice.status !== 'draft' &&
      invoice.period.fromMs >= period.fromMs &&
      invoice.period.fromMs < period.toMs,
  )
  const rows: Row[] = []
  const amounts: [string, string][] = []
  for (const invoice of inRange) {
    const lines = await deps.invoices.lines(ctx, invoice.invoiceId)
    rows.push(...lines.map((line) => invoiceRow(invoice, line)))
    amounts.push(...invoiceTotals(invoice, lines))
  }
  const last = found.at(-1)
  const more = found.length === INVOICES_PER_PART && last !== undefined && last.period.fromMs >= period.fromMs
  return ok({ rows, amounts, cursor: more ? sortKeyOf(last) : undefined })
}
