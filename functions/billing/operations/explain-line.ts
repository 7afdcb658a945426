import { canonicalJson } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { formatInstant } from '../domain/calendar.ts'
import { dimensionsOf, groupIn, pricesBeside } from '../domain/invoice/assign-usage.ts'
import { formulaOf } from '../domain/invoice/explain-line.ts'
import { type InvoiceLine, lineKeyOf } from '../domain/invoice/line.ts'
import { lineTree } from '../domain/invoice/line-tree.ts'
import { type PricePart, partsOf } from '../domain/invoice/parts.ts'
import type { Segment } from '../domain/invoice/terms.ts'
import { priceFor } from '../domain/plan.ts'
import { formatDecimal } from '../domain/rational.ts'
import { tallyEvents } from '../domain/tally.ts'
import type { CountedEvent } from '../domain/usage-event.ts'
import type { BillingDeps, Reading } from '../ports.ts'
import { dayLeaves, type EvidenceQuery, eventsOfHour, openEvidence } from './line-evidence.ts'
import { segmentsIn } from './measure-period.ts'
import { previewLines } from './preview-lines.ts'
import { type EventName, parseEventName, proveEvent } from './prove-event.ts'
import { findInvoice, periodOfInvoice } from './read-invoices.ts'

type Deps = Pick<
  BillingDeps,
  | 'invoices'
  | 'subscriptions'
  | 'usage'
  | 'plans'
  | 'taxRates'
  | 'ledger'
  | 'corrections'
  | 'live'
  | 'rollups'
  | 'versionOf'
  | 'counts'
  | 'meters'
>

export type ExplainRequest = {
  readonly ctx: TenantContext
  readonly invoiceId: string
  readonly lineId: string
  /** The key of an event whose inclusion is to be proven. */
  readonly event: string | undefined
  readonly page: { readonly pageSize: number; readonly after: string | undefined }
  readonly nowMs: number
  readonly reading: Reading
}

/** Events looked at for one page: a line that holds few of them gives short pages, never slow ones. */
const MOST_LOOKED_AT = 20_000

/**
 * Explains a line down to its events: the formula, the roll-ups, the keys of the events and their Merkle
 * root; with `event`, that one alone and the proof that it is in the line. Of a finalized invoice as of when
 * it was made: what arrived later is in a correction.
 */
export async function explainLine(
  deps: Deps,
  request: ExplainRequest,
): Promise<Result<{ readonly json: Record<string, unknown>; readonly next: string | undefined }>> {
  const { ctx, lineId, nowMs } = request
  const event = request.event === undefined ? ok(undefined) : parseEventName(request.event)
  if (!event.ok) return event
  const subscription = await deps.subscriptions.find(ctx)
  const period =
    subscription === undefined ? undefined : periodOfInvoice(ctx, subscription, request.invoiceId, nowMs)
  if (subscription === undefined || period === undefined)
    return refuse('resource.not_found', 'no such invoice')
  const found = await linesOf(deps, request, subscription, period)
  if (!found.ok) return found
  const line = found.value.lines.find((one) => one.lineId === lineId)
  if (line === undefined) return refuse('resource.not_found', 'no such line')
  const corrected =
    line.corrects === null ? undefined : periodOfInvoice(ctx, subscription, line.corrects.invoiceId, nowMs)
  const segments = await segmentsIn(deps, subscription, corrected ?? period)
  // An instance that has just started knows no version but the first of each meter.
  await deps.meters.refresh()
  const part = partOfLine(line, segments)
  const head = { invoiceId: request.invoiceId, line, formula: formulaOf(line, part?.price) }
  if (part === undefined) {
    if (event.value !== undefined) return refuse('resource.not_found', 'a line without events')
    return ok({ json: { ...head, rollups: [], merkle: null, events: [] }, next: undefined })
  }
  const { asOfMs } = found.value
  const evidence = await evidenceOf(deps, request, { line, part, segments, asOfMs, event: event.value })
  if (!evidence.ok) return evidence
  const { next, ...shown } = evidence.value
  return ok({ json: { ...head, ...shown }, next })
}

async function linesOf(
  deps: Deps,
  request: ExplainRequest,
  subscription: NonNullable<Awaited<ReturnType<Deps['subscriptions']['find']>>>,
  period: Parameters<typeof previewLines>[1]['period'],
): Promise<Result<{ readonly lines: readonly InvoiceLine[]; readonly asOfMs: number | undefined }>> {
  const stored = await findInvoice(deps, request.ctx, request.invoiceId)
  if (stored !== undefined) return ok({ lines: stored.lines, asOfMs: stored.stored.ingestedBeforeMs })
  const drafted = await previewLines(deps, { ...request, subscription, period })
  if (!drafted.ok) return drafted
  if (drafted.value.invoiceId !== request.invoiceId) return refuse('resource.not_found', 'no such invoice')
  return ok({ lines: drafted.value.lines, asOfMs: undefined })
}

/** The part of the period that a usage line prices, or that the line priced which a correction is of. */
function partOfLine(line: InvoiceLine, segments: readonly Segment[]): PricePart | undefined {
  const lineKey = line.corrects?.lineKey ?? line.lineKey
  const group = Object.keys(line.group).length === 0 ? '' : canonicalJson(line.group)
  return partsOf(segments).find((part) => lineKeyOf('usage', part.priceRef, group, part.period) === lineKey)
}

type OfLine = {
  readonly line: InvoiceLine
  readonly part: PricePart
  readonly segments: readonly Segment[]
  readonly asOfMs: number | undefined
  readonly event: EventName | undefined
}

type Evidence = {
  readonly rollups: readonly string[]
  readonly merkle: Record<string, unknown>
  readonly events: readonly Record<string, unknown>[]
  readonly proof?: Record<string, unknown>
  readonly next: string | undefined
}

async function evidenceOf(deps: Deps, request: ExplainRequest, of: OfLine): Promise<Result<Evidence>> {
  const { line, part, segments, asOfMs } = of
  const prices = pricesBeside(part, segments)
  const names = dimensionsOf(part, segments)
  const group = canonicalJson(line.group)
  const open = (atMs: number | undefined): Promise<EvidenceQuery> =>
    openEvidence(deps, {
      ctx: request.ctx,
      period: part.period,
      isIn: (tally) =>
        tally.meter === part.price.meter &&
        deps.counts(tally) &&
        priceFor(prices, tally.meter, tally.group)?.priceId === part.price.priceId &&
        (Object.keys(line.group).length === 0 || canonicalJson(groupIn(part.price, tally.group)) === group),
      asOfMs: atMs,
      reading: request.reading,
    })
  const rowGroup = (tally: { readonly group: Readonly<Record<string, string>> }) =>
    Object.fromEntries(names.map((name) => [name, tally.group[name] ?? '']))
  // The roll-ups are of now: where late usage has changed them, the ledger tells what there was.
  // A line that has no root of its own to compare with is read as of its invoice at once.
  const tries = asOfMs === undefined || line.evidence.root === null ? [asOfMs] : [undefined, asOfMs]
  for (const atMs of tries) {
    const query = await open(atMs)
    const days = await dayLeaves(deps, query)
    if (!days.ok) return days
    const tree = lineTree(days.value.days, rowGroup)
    const isLast = atMs === tries.at(-1)
    if (line.evidence.root !== null && tree.root !== line.evidence.root && !isLast) continue
    const shown = await shownEvents(deps, query, of.event, request.page, tree)
    if (!shown.ok) return shown
    return ok({
      rollups: days.value.rollups,
      merkle: {
        root: tree.root,
        invoiced: line.evidence.root,
        matches: line.evidence.root === null || tree.root === line.evidence.root,
        tree: 'RFC 9162 over SHA-256: event keys of an hour, hours of a day, days, groups',
        asOf: asOfMs === undefined ? null : formatInstant(asOfMs),
      },
      ...shown.value,
    })
  }
  throw new Error('unreachable')
}

type Shown = Pick<Evidence, 'events' | 'proof' | 'next'>

/** A page of a line's events, or the one that is to be proven, with its proof. */
async function shownEvents(
  deps: Deps,
  query: EvidenceQuery,
  name: EventName | undefined,
  page: ExplainRequest['page'],
  tree: ReturnType<typeof lineTree>,
): Promise<Result<Shown>> {
  if (name === undefined) return pageOfEvents(deps, query, page)
  const proven = await proveEvent(deps, query, name, tree)
  if (!proven.ok) return proven
  const { event, hour, levels } = proven.value
  const { key, source, id, timeMs } = event
  const proof = { event: { key, source, id, time: formatInstant(timeMs) }, levels, root: tree.root }
  return ok({ events: [listed(event, hour)], proof, next: undefined })
}

/**
 * The events of a line by hour, then key; a page begins behind `hour.key`. One may be short, or empty, and
 * still have a next.
 */
async function pageOfEvents(
  deps: Deps,
  query: EvidenceQuery,
  { pageSize, after }: ExplainRequest['page'],
): Promise<Result<Shown>> {
  const [firstHour = '', firstKey = ''] = (after ?? '').split('.')
  const items: Record<string, unknown>[] = []
  let looked = 0
  for (const hour of query.hours.keys()) {
    if (hour < firstHour) continue
    if (looked > MOST_LOOKED_AT) return ok({ events: items, next: `${hour}.` })
    const events = await eventsOfHour(deps, query, hour)
    if (!events.ok) return events
    looked += events.value.length
    const own = events.value.filter((event) =>
      tallyEvents([event], deps.versionOf).some((tally) => query.isIn(tally)),
    )
    for (const event of own.toSorted((left, right) => (left.key < right.key ? -1 : 1))) {
      if (hour === firstHour && event.key <= firstKey) continue
      const last = items.at(-1)
      if (items.length === pageSize)
        return ok({ events: items, next: `${String(last?.['hour'])}.${String(last?.['key'])}` })
      items.push(listed(event, hour))
    }
  }
  return ok({ events: items, next: undefined })
}

function listed({ key, source, id, timeMs, value }: CountedEvent, hour: string): Record<string, unknown> {
  const text = value === undefined ? null : formatDecimal(value)
  return { key, source, id, time: formatInstant(timeMs), value: text, hour }
}
