import { canonicalJson } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { formatInstant, hourKey } from '../domain/calendar.ts'
import { dimensionsOf, groupIn, pricesBeside } from '../domain/invoice/assign-usage.ts'
import { formulaOf } from '../domain/invoice/explain-line.ts'
import { type InvoiceLine, lineKeyOf } from '../domain/invoice/line.ts'
import { lineTree, type ProofLevel } from '../domain/invoice/line-tree.ts'
import { type PricePart, partsOf } from '../domain/invoice/parts.ts'
import type { Segment } from '../domain/invoice/terms.ts'
import { merklePath } from '../domain/merkle.ts'
import { priceFor } from '../domain/plan.ts'
import { formatDecimal } from '../domain/rational.ts'
import { hourOf } from '../domain/spans.ts'
import { tallyEvents, tallyKey } from '../domain/tally.ts'
import type { BillingDeps, Reading } from '../ports.ts'
import { dayLeaves, type EvidenceQuery, eventsOfHour, hourLeaves, hoursWithUsage } from './line-evidence.ts'
import { measurePeriod, segmentsIn } from './measure-period.ts'
import { previewLines } from './preview-lines.ts'
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

/** A key alone is looked for hour by hour; with its hour, as the list has it, it is found at once. */
const EVENT_KEY = /^(?:(\d{10})\.)?([0-9a-f]{64})$/

/**
 * Explains a line down to its events: the formula, the roll-ups, the keys of the events and their Merkle
 * root; with `event`, the proof that one of them is in it. Of a finalized invoice as of when it was made:
 * what arrived later is in a correction.
 */
export async function explainLine(
  deps: Deps,
  request: ExplainRequest,
): Promise<Result<{ readonly json: Record<string, unknown>; readonly next: string | undefined }>> {
  const { ctx, lineId, event, nowMs } = request
  if (event !== undefined && !EVENT_KEY.test(event)) {
    return refuse(
      'request.malformed',
      'event',
      'event: must be the key of an event, or its hour, a point and the key',
    )
  }
  const subscription = await deps.subscriptions.find(ctx)
  const period =
    subscription === undefined ? undefined : periodOfInvoice(ctx, subscription, request.invoiceId, nowMs)
  if (subscription === undefined || period === undefined)
    return refuse('resource.not_found', 'no such invoice')
  const found = await linesOf(deps, request, subscription, period)
  if (!found.ok) return found
  const line = found.value.lines.find((one) => one.lineId === lineId)
  if (line === undefined) return refuse('resource.not_found', 'no such line')
  const segments = await segmentsIn(deps, subscription, period)
  const part = partOfLine(line, segments)
  const head = { invoiceId: request.invoiceId, line, formula: formulaOf(line, part?.price) }
  if (part === undefined) {
    if (event !== undefined) return refuse('resource.not_found', 'a line without events')
    return ok({ json: { ...head, rollups: [], merkle: null, events: [] }, next: undefined })
  }
  const measured = await measurePeriod(deps, { ...request, subscription, period })
  if (!measured.ok) return measured
  const evidence = await evidenceOf(deps, request, { line, part, segments, asOfMs: found.value.asOfMs })
  if (!evidence.ok) return evidence
  const { next, ...shown } = evidence.value
  return ok({
    json: { ...head, rollups: measured.value.measured.rollups.get(part.key) ?? [], ...shown },
    next,
  })
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

/** The part of the period that a usage line prices. */
function partOfLine(line: InvoiceLine, segments: readonly Segment[]): PricePart | undefined {
  if (line.kind !== 'usage') return undefined
  const group = Object.keys(line.group).length === 0 ? '' : canonicalJson(line.group)
  return partsOf(segments).find(
    (part) => lineKeyOf('usage', part.priceRef, group, part.period) === line.lineKey,
  )
}

type OfLine = {
  readonly line: InvoiceLine
  readonly part: PricePart
  readonly segments: readonly Segment[]
  readonly asOfMs: number | undefined
}

type Evidence = {
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
  const query = (atMs: number | undefined): EvidenceQuery => ({
    ctx: request.ctx,
    period: part.period,
    isIn: (tally) =>
      tally.meter === part.price.meter &&
      priceFor(prices, tally.meter, tally.group)?.priceId === part.price.priceId &&
      (line.parent === null || canonicalJson(groupIn(part.price, tally.group)) === group),
    asOfMs: atMs,
    reading: request.reading,
  })
  const rowGroup = (tally: { readonly group: Readonly<Record<string, string>> }) =>
    Object.fromEntries(names.map((name) => [name, tally.group[name] ?? '']))
  // The roll-ups are of now: where late usage has changed them, the ledger tells what there was.
  const tries = asOfMs === undefined ? [undefined] : [undefined, asOfMs]
  for (const atMs of tries) {
    const days = await dayLeaves(deps, query(atMs))
    if (!days.ok) return days
    const tree = lineTree(days.value, rowGroup)
    const isLast = atMs === tries.at(-1)
    if (line.evidence.root !== null && tree.root !== line.evidence.root && !isLast) continue
    const keys = await pageOfEvents(deps, query(asOfMs), request.page)
    if (!keys.ok) return keys
    const proof = await proofOf(deps, query(atMs), request.event, tree)
    if (!proof.ok) return proof
    return ok({
      merkle: {
        root: tree.root,
        invoiced: line.evidence.root,
        matches: line.evidence.root === null || tree.root === line.evidence.root,
        tree: 'RFC 9162 over SHA-256: event keys of an hour, hours of a day, days, groups',
        asOf: asOfMs === undefined ? null : formatInstant(asOfMs),
      },
      events: keys.value.items,
      ...(proof.value === undefined ? {} : { proof: { ...proof.value, root: tree.root } }),
      next: keys.value.next,
    })
  }
  throw new Error('unreachable')
}

/** The events of a line by hour, then key; a page begins behind `hour.key`. */
async function pageOfEvents(
  deps: Deps,
  query: EvidenceQuery,
  { pageSize, after }: ExplainRequest['page'],
): Promise<
  Result<{ readonly items: readonly Record<string, unknown>[]; readonly next: string | undefined }>
> {
  const [firstHour = '', firstKey = ''] = (after ?? '').split('.')
  const items: Record<string, unknown>[] = []
  for (const hour of (await hoursWithUsage(deps, query)).keys()) {
    if (hour < firstHour) continue
    const events = await eventsOfHour(deps, query, hour)
    if (!events.ok) return events
    const own = events.value.filter((event) =>
      tallyEvents([event], deps.versionOf).some((tally) => query.isIn(tally)),
    )
    for (const event of own.toSorted((left, right) => (left.key < right.key ? -1 : 1))) {
      if (hour === firstHour && event.key <= firstKey) continue
      const last = items.at(-1)
      if (items.length === pageSize)
        return ok({ items, next: `${String(last?.['hour'])}.${String(last?.['key'])}` })
      const { key, source, id, timeMs, value } = event
      items.push({
        key,
        source,
        id,
        time: formatInstant(timeMs),
        value: value === undefined ? null : formatDecimal(value),
        hour,
      })
    }
  }
  return ok({ items, next: undefined })
}

/** The way from an event's key to the root of its line. */
async function proofOf(
  deps: Deps,
  query: EvidenceQuery,
  named: string | undefined,
  tree: ReturnType<typeof lineTree>,
): Promise<Result<Record<string, unknown> | undefined>> {
  if (named === undefined) return ok(undefined)
  const [, ofHour, key = ''] = EVENT_KEY.exec(named) ?? []
  for (const hour of (await hoursWithUsage(deps, query)).keys()) {
    if (ofHour !== undefined && hour !== ofHour) continue
    const events = await eventsOfHour(deps, query, hour)
    if (!events.ok) return events
    const event = events.value.find((one) => one.key === key)
    const tally = event === undefined ? undefined : tallyEvents([event], deps.versionOf).find(query.isIn)
    if (event === undefined || tally === undefined) continue
    const name = tallyKey(tally)
    const ofTally = events.value.filter((one) =>
      tallyEvents([one], deps.versionOf).some((t) => tallyKey(t) === name),
    )
    const keys = ofTally.map((one) => one.key).sort()
    const day = hourKey(hourOf(event.timeMs).fromMs).slice(0, 8)
    const hours = [...(await hoursWithUsage(deps, query)).keys()].filter((one) => one.startsWith(day))
    const leaves = await hourLeaves(deps, query, hours)
    if (!leaves.ok) return leaves
    const roots = leaves.value.flatMap((one) =>
      one.tallies.filter((t) => tallyKey(t) === name).map((t) => ({ hour: one.hour, root: t.root })),
    )
    const above = tree.pathFrom(day, name)
    if (above === undefined) continue
    const levels: ProofLevel[] = [
      { over: 'events', path: merklePath(keys, keys.indexOf(key)) },
      {
        over: 'hours',
        path: merklePath(
          roots.map(({ root }) => root),
          roots.findIndex((one) => one.hour === hour),
        ),
      },
      ...above,
    ]
    const { source, id } = event
    return ok({ event: { key, source, id, time: formatInstant(event.timeMs) }, levels })
  }
  return refuse('resource.not_found', 'no such event', 'The line holds no event with this key.')
}
