import fc from 'fast-check'
import { expect, test } from 'vitest'
import { METER_IDS } from '#shared/catalogue/meters.ts'
import { correctionsOf, NO_CORRECTIONS } from '../../../functions/billing/domain/apply-corrections.ts'
import { dayKey } from '../../../functions/billing/domain/calendar.ts'
import type { ReceivedCorrection } from '../../../functions/billing/domain/correction.ts'
import { foldingHour } from '../../../functions/billing/domain/fold-hour.ts'
import { collectEvents, measure } from '../../../functions/billing/domain/meter-usage.ts'
import { type Quantity, quantitiesOf, type Slice } from '../../../functions/billing/domain/quantities.ts'
import { decimal } from '../../../functions/billing/domain/rational.ts'
import { HOUR_MS, hourOf, hourSpans } from '../../../functions/billing/domain/spans.ts'
import { finish } from '../../../functions/billing/domain/steps.ts'
import { addTallies, tallyEvents } from '../../../functions/billing/domain/tally.ts'
import { type CountedEvent, eventKey, sha256 } from '../../../functions/billing/domain/usage-event.ts'
import { cases } from '../support/cases.ts'

const START = Date.parse('2026-11-20T22:00:00Z')
const HOURS = 6
const versionOf = () => 1
const rules = { meters: METER_IDS, groupBy: [], filter: {}, versionOf, nowMs: START + 100 * HOUR_MS }

const events = fc
  .array(
    fc.record({
      meter: fc.constantFrom(
        'agent_minutes',
        'storage_gib_hours',
        'active_users',
        'workflow_runs',
        'concurrent_workflows_peak',
        'llm_tokens_in',
      ),
      id: fc.integer({ min: 0, max: 20 }),
      // Few instants, so that ties, hour boundaries and staleness come up.
      quarter: fc.integer({ min: 0, max: HOURS * 4 - 1 }),
      ms: fc.constantFrom(0, 0, 1, 899_999),
      value: fc.constantFrom('0', '1', '2.5', '7.000001'),
      resource: fc.constantFrom('r1', 'r2'),
      group: fc.constantFrom('', 'g1', 'g2'),
      producer: fc.constantFrom('collector', 'collector', 'tenant'),
    }),
    { maxLength: 30 },
  )
  .map((list) => list.map(eventOf))

type Drawn = {
  meter: string
  id: number
  quarter: number
  ms: number
  value: string
  resource: string
  group: string
  producer: string
}

const DIMENSION: Record<string, string> = {
  storage_gib_hours: 'volume',
  llm_tokens_in: 'model',
  agent_minutes: 'workflow_class',
  workflow_runs: 'workflow_class',
}

function eventOf({ meter, id, quarter, ms, value, resource, group, producer }: Drawn): CountedEvent {
  const name = DIMENSION[meter]
  const timeMs = START + quarter * 900_000 + ms
  // The time is in the id: one id in two hours is found at the close, not here.
  const key = eventKey('//s', `${meter}-${id}-${hourOf(timeMs).fromMs}`)
  const dimensions = name === undefined || group === '' ? {} : { [name]: group }
  return {
    ...{ producer: producer as CountedEvent['producer'], meter: meter as CountedEvent['meter'] },
    ...{
      source: '//s',
      id: `${meter}-${id}-${hourOf(timeMs).fromMs}`,
      timeMs,
      value: decimal(value),
      resource,
      dimensions,
    },
    ...{ key, digest: sha256(`${timeMs} ${value} ${resource} ${group}`), free: false },
  }
}

function slicesOf(all: readonly CountedEvent[], cuts: readonly { fromMs: number; toMs: number }[]): Slice[] {
  return cuts.flatMap(hourSpans).map(({ period }) => {
    const { events: folded } = finish(foldingHour(all, hourOf(period.fromMs), NO_CORRECTIONS))
    const within = folded.filter(({ timeMs }) => timeMs >= period.fromMs && timeMs < period.toMs)
    return { period, tallies: tallyEvents(within, versionOf), rollup: undefined, isDay: false }
  })
}

/** Whole hours of one UTC day in one, as a day's fold has them. */
function withDays(slices: readonly Slice[]): Slice[] {
  return [...Map.groupBy(slices, ({ period }) => dayKey(period.fromMs)).values()].map((ofDay) => ({
    period: { fromMs: ofDay[0]?.period.fromMs ?? 0, toMs: ofDay.at(-1)?.period.toMs ?? 0 },
    tallies: addTallies(ofDay.map(({ tallies }) => tallies)),
    rollup: 'day',
    isDay: true,
  }))
}

const compared = (rows: readonly Quantity[]) => rows.map(({ rollups: _rollups, ...row }) => row)

test('quantities of tallied hours are those of the events themselves, on every meter and for any cut', () => {
  fc.assert(
    fc.property(
      events,
      fc.integer({ min: 0, max: 3 }),
      fc.integer({ min: 1, max: HOURS * 4 }),
      (all, cut, length) => {
        const fromMs = START + 2 * HOUR_MS + cut * 900_000
        const period = { fromMs, toMs: fromMs + length * 450_000 }
        const before = { fromMs: fromMs - 2 * HOUR_MS, toMs: fromMs }
        const rows = quantitiesOf(rules, period, slicesOf(all, [period]), slicesOf(all, [before]))
        // What contradicts itself across the cut is decided by the hour, so each side is folded as a whole here too.
        const folded = slicesEvents(all)
        const reference = collectEvents(folded, period)
        for (const { meterId, value, events: count } of rows) {
          const expected = measure(meterId, reference, period)
          expect([meterId, value, count]).toEqual([meterId, expected.value, expected.events])
        }
      },
    ),
    cases(500),
  )
})

function slicesEvents(all: readonly CountedEvent[]): CountedEvent[] {
  const hours = new Set(all.map(({ timeMs }) => hourOf(timeMs).fromMs))
  return [...hours].flatMap((fromMs) => [...finish(foldingHour(all, hourOf(fromMs), NO_CORRECTIONS)).events])
}

test('hours, days and any mixture of both give the same quantities and the same roots', () => {
  fc.assert(
    fc.property(events, fc.constantFrom([], ['model'], ['volume', 'workflow_class']), (all, groupBy) => {
      const period = { fromMs: START + 2 * HOUR_MS, toMs: START + HOURS * HOUR_MS }
      const before = slicesOf(all, [{ fromMs: START, toMs: period.fromMs }])
      const hours = slicesOf(all, [period])
      const asked = { ...rules, groupBy }
      const byHours = quantitiesOf(asked, period, hours, before)
      const byDays = quantitiesOf(asked, period, withDays(hours), withDays(before))
      expect(compared(byDays)).toEqual(compared(byHours))
    }),
    cases(500),
  )
})

test('permutation, duplication and re-batching leave the tallies of an hour byte-equal', () => {
  fc.assert(
    fc.property(events, fc.infiniteStream(fc.integer({ min: 0, max: 2 ** 31 })), (all, chance) => {
      const hour = hourOf(START)
      const next = () => chance.next().value as number
      const again = all.flatMap((event) => Array.from({ length: 1 + (next() % 4) }, () => ({ ...event })))
      const shuffled = again.map((event) => [next(), event] as const).sort(([left], [right]) => left - right)
      const bytes = (list: readonly CountedEvent[]) => {
        const folded = finish(foldingHour(list, hour, NO_CORRECTIONS))
        const conflicts = new Set(folded.conflicts.map(({ key, digest }) => key + digest))
        return text([tallyEvents(folded.events, versionOf), [...conflicts].sort()])
      }
      expect(bytes(shuffled.map(([, event]) => event))).toBe(bytes(all))
    }),
    cases(500),
  )
})

test('corrections come to the same in whatever order they are read', () => {
  const correction = fc.record({
    kind: fc.constantFrom('void', 'replace'),
    n: fc.integer({ min: 0, max: 5 }),
    target: fc.integer({ min: 0, max: 5 }),
    ofCorrection: fc.boolean(),
    value: fc.constantFrom('1', '2', '3'),
    receivedAtMs: fc.integer({ min: 0, max: 3 }),
  })
  fc.assert(
    fc.property(
      fc.array(correction, { maxLength: 12 }),
      fc.array(fc.nat(), { minLength: 12, maxLength: 12 }),
      (drawn, order) => {
        const received = drawn.map(
          ({ kind, n, target, ofCorrection, value, receivedAtMs }): ReceivedCorrection => ({
            ...{ kind: kind as 'void', source: '//c', id: `${kind}${n}`, timeMs: n, receivedAtMs, raw: {} },
            ...{ key: `${kind}${n}`, digest: `${target} ${ofCorrection} ${value}` },
            ...{ targetKey: ofCorrection ? `replace${target}` : `event${target}`, targetDigest: undefined },
            change: kind === 'void' ? {} : { value },
          }),
        )
        const shuffled = received
          .map((one, index) => [order[index] ?? 0, one] as const)
          .sort(([left], [right]) => left - right)
          .flatMap(([, one]) => [one, one])
        const outcome = (list: readonly ReceivedCorrection[]) => {
          const corrections = correctionsOf(list)
          return [0, 1, 2, 3, 4, 5].map((n) => [
            corrections.isVoid(`event${n}`),
            corrections.replacement(`event${n}`),
          ])
        }
        expect(outcome(shuffled)).toEqual(outcome(received))
      },
    ),
    cases(500),
  )
})

function text(value: unknown): string {
  return JSON.stringify(value, (_key, member) => (typeof member === 'bigint' ? String(member) : member))
}
