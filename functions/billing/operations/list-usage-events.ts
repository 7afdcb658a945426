import type { MeterId } from '#shared/catalogue/meters.ts'
import { METERS } from '#shared/catalogue/meters.ts'
import { canonicalJson } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { type Corrections, corrected, correctionsOf } from '../domain/apply-corrections.ts'
import { dayKey, formatInstant, type Period } from '../domain/calendar.ts'
import { foldingHour } from '../domain/fold-hour.ts'
import { formatDecimal } from '../domain/rational.ts'
import { DAY_MS, periodOfHour } from '../domain/spans.ts'
import { byTimeThenKey } from '../domain/usage-batch.ts'
import type { CountedEvent } from '../domain/usage-event.ts'
import { parsePeriod } from '../domain/usage-query.ts'
import type { BillingDeps, LedgerBatch, Reading } from '../ports.ts'

/** One event of the ledger, and what it counts for. */
export type LedgerEvent = {
  readonly source: string
  readonly id: string
  readonly meter: MeterId
  readonly time: string
  readonly value: string | null
  readonly resource: string | null
  readonly dimensions: Readonly<Record<string, string>>
  readonly producer: CountedEvent['producer']
  readonly key: string
  readonly digest: string
  /** `replaced`: it counts as `counted` says. `free`: a run that the platform failed, or left out by its meter. */
  readonly status: 'counted' | 'replaced' | 'void' | 'free'
  readonly counted?: {
    readonly time: string
    readonly value: string | null
    readonly dimensions: Readonly<Record<string, string>>
  }
  readonly batches: readonly { readonly batchId: string; readonly receivedAt: string }[]
}

export type EventsPage = { readonly items: readonly LedgerEvent[]; readonly next: string | undefined }

type Deps = Pick<
  BillingDeps,
  'ledger' | 'corrections' | 'live' | 'reads' | 'tenants' | 'usage' | 'versionOf' | 'counts' | 'meters'
>

export type ListRequest = {
  readonly ctx: TenantContext
  readonly query: Readonly<Record<string, string>>
  readonly page: { readonly pageSize: number; readonly after: string | undefined }
  readonly nowMs: number
  readonly signal: AbortSignal
}

const LONGEST_MS = 93 * DAY_MS
/** Hours read for one page: a filter that lets little through gives short pages, never slow ones. */
const MOST_HOURS = 48
const HOURS_AT_ONCE = 4

/**
 * The events of a range in order of time, source and id, each once, with what became of it: from the ledger
 * itself, hour by hour. A page may be short and still have a next one.
 */
export function listUsageEvents(
  deps: Deps,
  request: ListRequest,
): Promise<Result<EventsPage & { readonly exactThrough: string }>> {
  const question = `events ${canonicalJson({ ...request.query })} ${request.page.after ?? ''}`
  return deps.reads.share(request.ctx, question, (reading) => answer(deps, request, reading), request.signal)
}

async function answer(
  deps: Deps,
  request: ListRequest,
  reading: Reading,
): Promise<Result<EventsPage & { readonly exactThrough: string }>> {
  const { ctx, query, page, nowMs } = request
  const { meter, id } = query
  const stray = Object.keys(query).find((name) => !PARAMETERS.includes(name))
  if (stray !== undefined) return malformed(`There is no parameter '${stray}'.`)
  if (meter !== undefined && !Object.hasOwn(METERS, meter)) return malformed('meter: names no meter')
  const period = parsePeriod(query, nowMs, 'UTC', LONGEST_MS)
  if (!period.ok) return period
  if ((await deps.tenants.find(ctx)) === undefined) return refuse('resource.not_found', 'no such tenant')
  const wanted = (event: CountedEvent): boolean =>
    (meter === undefined || event.meter === meter) && (id === undefined || event.id === id)
  const read = await readPage(deps, ctx, { period: period.value, page, wanted }, reading)
  if (!read.ok) return read
  const exactMs = await deps.usage.exactThrough(ctx, period.value, nowMs)
  return ok({ ...read.value, exactThrough: formatInstant(exactMs) })
}

const PARAMETERS = ['from', 'to', 'meter', 'id', 'pageSize', 'pageToken']

type Wanted = {
  readonly period: Period
  readonly page: ListRequest['page']
  readonly wanted: (event: CountedEvent) => boolean
}

async function readPage(
  deps: Deps,
  ctx: TenantContext,
  { period, page, wanted }: Wanted,
  reading: Reading,
): Promise<Result<EventsPage>> {
  const place = placeOf(page.after)
  await deps.meters.refresh()
  const live = await deps.live.hours(ctx, dayKey(period.fromMs), dayKey(period.toMs - 1))
  const hours = [...live.keys()]
    .sort()
    .filter((hour) => isWithin(hour, period) && hour >= (place?.hour ?? ''))
  const corrections = correctionsOf(await deps.corrections.all(ctx))
  const items: LedgerEvent[] = []
  for (let at = 0; at < hours.length; at += HOURS_AT_ONCE) {
    const some = hours.slice(at, at + HOURS_AT_ONCE)
    if (at >= MOST_HOURS) return ok({ items, next: `${some[0]}` })
    const read = await deps.ledger.hours(ctx, some, reading)
    if (!read.ok) return read
    for (const hour of some) {
      const batches = read.value.get(hour) ?? []
      const events = await eventsOfHour(hour, batches, corrections, reading)
      const isIn = ({ timeMs }: CountedEvent): boolean => timeMs >= period.fromMs && timeMs < period.toMs
      for (const event of after(events, hour === place?.hour ? place.key : undefined)) {
        if (!isIn(event) || !wanted(event)) continue
        if (items.length === page.pageSize) return ok({ items, next: `${hour}.${items.at(-1)?.key}` })
        items.push(ledgerEvent(deps, event, corrections, batches))
      }
    }
  }
  return ok({ items, next: undefined })
}

async function eventsOfHour(
  hour: string,
  batches: readonly LedgerBatch[],
  corrections: Corrections,
  reading: Reading,
): Promise<readonly CountedEvent[]> {
  const events = batches.flatMap((batch) => batch.events)
  const folded = await reading.work(foldingHour(events, periodOfHour(hour), corrections))
  return folded.said.toSorted(byTimeThenKey)
}

/** What follows an event; all where the place is another hour's, whose last it was. */
function after(events: readonly CountedEvent[], key: string | undefined): readonly CountedEvent[] {
  return key === undefined ? events : events.slice(events.findIndex((event) => event.key === key) + 1)
}

/** `hour` or `hour.key`: where a page begins, or the event after which it does. */
function placeOf(text: string | undefined): { hour: string; key: string | undefined } | undefined {
  if (text === undefined) return undefined
  const [hour = '', key] = text.split('.')
  return { hour, key }
}

function ledgerEvent(
  { versionOf, counts }: Pick<Deps, 'versionOf' | 'counts'>,
  event: CountedEvent,
  corrections: Corrections,
  batches: readonly LedgerBatch[],
): LedgerEvent {
  const { source, id, meter, resource, dimensions, producer, key, digest } = event
  const now = corrected(event, corrections)
  const isLeftOut = !counts({ meter, version: versionOf(meter, event.timeMs), group: dimensions })
  const isFree = event.free || isLeftOut
  const status = now === undefined ? 'void' : now !== event ? 'replaced' : isFree ? 'free' : 'counted'
  const holding = batches.filter(({ events }) =>
    events.some((other) => other.key === key && other.digest === digest),
  )
  return {
    ...{ source, id, meter, time: formatInstant(event.timeMs), value: valueText(event) },
    ...{ resource: resource ?? null, dimensions, producer, key, digest, status },
    ...(now === undefined || now === event
      ? {}
      : {
          counted: {
            time: formatInstant(now.timeMs),
            value: valueText(now),
            dimensions: now.dimensions,
          },
        }),
    batches: holding
      .filter(({ batchId }) => batchId !== 'touch')
      .map(({ batchId, receivedAtMs }) => ({ batchId, receivedAt: formatInstant(receivedAtMs) })),
  }
}

function valueText({ value }: CountedEvent): string | null {
  return value === undefined ? null : formatDecimal(value)
}

function isWithin(hour: string, period: Period): boolean {
  const { fromMs, toMs } = periodOfHour(hour)
  return toMs > period.fromMs && fromMs < period.toMs
}

function malformed(hint: string): Result<never> {
  return refuse('request.malformed', 'usage events query', hint)
}
