import type { TenantContext } from '#shared/tenancy/context.ts'
import { batchIdOf, makeBatches } from '../../functions/billing/domain/usage-batch.ts'
import { parseUsageEvent, type UsageEvent } from '../../functions/billing/domain/usage-event.ts'
import { explainLine } from '../../functions/billing/operations/explain-line.ts'
import { previewLines } from '../../functions/billing/operations/preview-lines.ts'
import { rollUp } from '../../functions/billing/operations/roll-up-tenant.ts'
import { BENCH_METERS, benchEvent, cpuMsOf, whole } from './events.ts'
import { type BenchLedger, openLedger } from './ledger.ts'

const SIZE = 100
const DAY_MS = 24 * 3_600_000
const FROM = Date.parse('2026-11-01')
const TO = Date.parse('2026-12-01')
const PARALLEL = 8

type Row = {
  readonly events: number
  readonly ingestUs: number
  readonly ingestCalls: number
  readonly rollUpUs: number
  readonly rollUpCalls: number
}

/**
 * What an event costs when there are a hundred and when there are a million of them in a month: wall time of
 * the whole process, with the engine in it, and calls of the store. Then one of the most is explained.
 */
export async function benchGrowth(most: number): Promise<void> {
  const ledger = await openLedger(FROM)
  try {
    const rows: Row[] = []
    let last: TenantContext | undefined
    for (let events = 100; events <= most; events *= 10) {
      ledger.setNow(FROM)
      last = await ledger.tenant(`tenant-${events}`)
      rows.push(await grow(ledger, last, events))
    }
    print(rows)
    if (last !== undefined) await explainOne(ledger, last, rows.at(-1)?.events ?? 0)
  } finally {
    await ledger.close()
  }
}

async function grow(ledger: BenchLedger, ctx: TenantContext, count: number): Promise<Row> {
  ledger.setNow(TO + 3_600_000)
  ledger.take()
  const ingestMs = await cpuMsOf(async () => {
    for (let at = 0; at < count; at += SIZE * PARALLEL) {
      const starts = Array.from({ length: PARALLEL }, (_none, n) => at + n * SIZE).filter(
        (first) => first < count,
      )
      await Promise.all(starts.map((first) => append(ledger, ctx, eventsFrom(ctx, first, count))))
    }
  })
  const ingest = ledger.take()
  const reading = ledger.deps.reads.background(new AbortController().signal)
  const rollUpMs = await cpuMsOf(async () => {
    // As the job does: again until a run finds nothing.
    while ((await rollUp(ledger.deps, ctx, { reading, nowMs: ledger.nowMs() })).hours > 0);
  })
  const rolledUp = ledger.take()
  return {
    events: count,
    ingestUs: (ingestMs * 1_000) / count,
    ingestCalls: ingest.calls / count,
    rollUpUs: (rollUpMs * 1_000) / count,
    rollUpCalls: rolledUp.calls / count,
  }
}

function eventsFrom(ctx: TenantContext, first: number, count: number): UsageEvent[] {
  const rules = { tenantId: ctx.tenantId, nowMs: TO, maxAgeMs: 35 * DAY_MS, producer: 'collector' as const }
  return Array.from({ length: Math.min(SIZE, count - first) }, (_none, index) => {
    const at = first + index
    const event = parseUsageEvent(
      benchEvent(ctx.tenantId, at, FROM + Math.floor((at * (TO - FROM)) / count)),
      rules,
    )
    if (!event.ok) throw new Error(event.detail)
    return event.value
  })
}

async function append({ deps, nowMs }: BenchLedger, ctx: TenantContext, events: UsageEvent[]): Promise<void> {
  const batchId = batchIdOf(events)
  const name = { batchId, tenantId: ctx.tenantId, mixed: false, producer: 'collector' as const }
  for (const batch of makeBatches(events, name)) await deps.ledger.append(ctx, batch, nowMs())
}

function print(rows: readonly Row[]): void {
  console.log('growth: a month of one tenant, 100 events a message; processor time with the engine in it')
  console.log('        events   ingest us/event  calls/event   roll-up us/event  calls/event')
  for (const { events, ingestUs, ingestCalls, rollUpUs, rollUpCalls } of rows) {
    console.log(
      `  ${whole(events).padStart(12)}${ingestUs.toFixed(1).padStart(18)}${ingestCalls.toFixed(4).padStart(13)}${rollUpUs.toFixed(1).padStart(19)}${rollUpCalls.toFixed(4).padStart(13)}`,
    )
  }
  const slope = (of: (row: Row) => number): string =>
    slopeOf(rows.map((row) => [row.events, of(row)])).toFixed(2)
  console.log(
    `  slope, log-log${slope((row) => row.ingestUs).padStart(17)}${slope((row) => row.ingestCalls).padStart(13)}${slope((row) => row.rollUpUs).padStart(19)}${slope((row) => row.rollUpCalls).padStart(13)}   (0: an event costs the same, below: less)`,
  )
}

/** Of the straight line through the logarithms, by least squares. */
function slopeOf(points: readonly (readonly [number, number])[]): number {
  const logs = points.map(([x, y]) => [Math.log10(x), Math.log10(Math.max(y, 1e-9))] as const)
  const mean = (of: (point: readonly [number, number]) => number): number =>
    logs.reduce((sum, point) => sum + of(point), 0) / logs.length
  const [meanX, meanY] = [mean(([x]) => x), mean(([, y]) => y)]
  const over = logs.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0)
  return over / logs.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
}

async function explainOne(ledger: BenchLedger, ctx: TenantContext, count: number): Promise<void> {
  const { deps } = ledger
  const subscription = await deps.subscriptions.find(ctx)
  if (subscription === undefined) throw new Error('no subscription')
  const reading = deps.reads.background(new AbortController().signal)
  const period = { fromMs: FROM, toMs: TO }
  const preview = await previewLines(deps, { ctx, subscription, period, nowMs: ledger.nowMs(), reading })
  if (!preview.ok) throw new Error(preview.detail)
  const at = BENCH_METERS.length * Math.floor(count / BENCH_METERS.length / 2)
  const [event] = eventsFrom(ctx, at, count)
  const line = preview.value.lines.find((one) => one.kind === 'usage' && one.meter === event?.meter)
  if (event === undefined || line === undefined) throw new Error('nothing to explain')
  ledger.take()
  const startedMs = performance.now()
  const explained = await explainLine(deps, {
    ctx,
    invoiceId: preview.value.invoiceId,
    lineId: line.lineId,
    event: event.key,
    page: { pageSize: 100, after: undefined },
    nowMs: ledger.nowMs(),
    reading,
  })
  const ms = performance.now() - startedMs
  if (!explained.ok) throw new Error(explained.detail)
  const proof = JSON.stringify(explained.value.json['proof'] ?? {}).length
  console.log(
    `explain: one event of ${whole(count)} with its proof, ${ms.toFixed(0)} ms, ${ledger.take().calls} calls of the store, proof of ${proof} bytes`,
  )
}
