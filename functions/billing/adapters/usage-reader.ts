import { ok } from '#shared/result.ts'
import { exactThroughMs } from '../domain/exactness.ts'
import { foldingHour } from '../domain/fold-hour.ts'
import { STALENESS_MS } from '../domain/level-runs.ts'
import { quantitiesOf, type Slice } from '../domain/quantities.ts'
import { hourOf, hourSpans, overlaps } from '../domain/spans.ts'
import type { Steps } from '../domain/steps.ts'
import { tallyEvents, type VersionOf } from '../domain/tally.ts'
import type { CountedEvent } from '../domain/usage-event.ts'
import type { Ledger, UsageReader } from '../ports.ts'
import { aloneReading } from './shared-reads.ts'

/** Reads quantities from the ledger, hour by hour. */
export function ledgerUsageReader(ledger: Ledger, versionOf: VersionOf): UsageReader {
  return {
    quantities: async (ctx, query, reading = aloneReading) => {
      const period = { fromMs: query.fromMs, toMs: query.toMs }
      const windows = query.windows ?? [period]
      const from = hourOf(period.fromMs - STALENESS_MS).fromMs
      const events = await ledger.read(ctx, { fromMs: from, toMs: hourOf(period.toMs - 1).toMs }, reading)
      if (!events.ok) return events
      const cuts = [{ fromMs: from, toMs: period.fromMs }, ...windows]
      const slices = await reading.work(slicing(events.value, cuts, versionOf))
      const rules = {
        meters: query.meters,
        groupBy: query.groupBy ?? [],
        filter: query.filter ?? {},
        versionOf,
        nowMs: query.nowMs,
      }
      const rows = windows.flatMap((window) => {
        const before = { fromMs: window.fromMs - STALENESS_MS, toMs: window.fromMs }
        return quantitiesOf(
          rules,
          window,
          slices.filter((slice) => overlaps(slice.period, window)),
          slices.filter((slice) => overlaps(slice.period, before)),
        )
      })
      const exactMs = exactThroughMs(period, query.nowMs)
      return ok({ rows, exactThroughMs: exactMs, provisional: exactMs < period.toMs })
    },
  }
}

function* slicing(
  events: readonly CountedEvent[],
  cuts: readonly { fromMs: number; toMs: number }[],
  versionOf: VersionOf,
): Steps<Slice[]> {
  const spans = cuts.flatMap(hourSpans)
  const byHour = Map.groupBy(events, ({ timeMs }) => hourOf(timeMs).fromMs)
  const slices: Slice[] = []
  for (const [hourMs, ofHour] of Map.groupBy(spans, ({ period }) => hourOf(period.fromMs).fromMs)) {
    const folded = yield* foldingHour(byHour.get(hourMs) ?? [], hourOf(hourMs))
    for (const { period } of ofHour) {
      const within = folded.events.filter(({ timeMs }) => timeMs >= period.fromMs && timeMs < period.toMs)
      yield 10 + within.length
      slices.push({ period, tallies: tallyEvents(within, versionOf), rollup: undefined, isDay: false })
    }
  }
  return slices
}
