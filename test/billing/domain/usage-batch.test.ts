import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Period } from '../../../functions/billing/domain/calendar.ts'
import { deduplicate } from '../../../functions/billing/domain/deduplicate.ts'
import { liveDays } from '../../../functions/billing/domain/live.ts'
import { collectEvents, measure } from '../../../functions/billing/domain/meter-usage.ts'
import { batchIdOf, makeBatches } from '../../../functions/billing/domain/usage-batch.ts'
import {
  parseUsageEvent,
  restoreUsageEvent,
  type UsageEvent,
} from '../../../functions/billing/domain/usage-event.ts'
import { cases } from '../support/cases.ts'

const NOW = Date.parse('2026-11-23T09:30:00Z')
const NOVEMBER: Period = {
  fromMs: Date.parse('2026-11-01T00:00:00Z'),
  toMs: Date.parse('2026-12-01T00:00:00Z'),
}
const RULES = { tenantId: 'acme', nowMs: NOW, maxAgeMs: 35 * 86_400_000, producer: 'collector' } as const

const MESSAGE = { batchId: 'b', tenantId: 'acme', mixed: false, producer: 'collector' } as const

function event(fields: { id: string; meter: string; minute: number; value: number }): UsageEvent {
  const parsed = parseUsageEvent(
    {
      specversion: '1.0',
      id: fields.id,
      source: '//agents.example/a',
      type: `ai.energent.usage.${fields.meter}.v1`,
      subject: 'tenants/acme',
      time: new Date(NOVEMBER.fromMs + fields.minute * 60_000).toISOString(),
      data: { value: String(fields.value), resource: `r${fields.value % 3}` },
    },
    RULES,
  )
  if (!parsed.ok) throw new Error(parsed.detail)
  return parsed.value
}

const METERS = [
  'agent_minutes',
  'workflow_runs',
  'storage_gib_hours',
  'active_users',
  'concurrent_workflows_peak',
]
const events = fc
  .array(
    fc.record({
      // Few ids, so that conflicts happen: the same id with another minute, value or meter.
      id: fc.integer({ min: 0, max: 12 }).map((id) => `e${id}`),
      meter: fc.constantFrom(...METERS),
      minute: fc.integer({ min: 0, max: 22 * 1440 }),
      value: fc.integer({ min: 0, max: 1000 }),
    }),
    { maxLength: 40 },
  )
  .map((list) => list.map(event))

function shuffled<T>(list: readonly T[], chance: fc.Stream<number>): T[] {
  return list
    .map((item) => [chance.next().value ?? 0, item] as const)
    .sort(([left], [right]) => left - right)
    .map(([, item]) => item)
}

test('order, copies and batches leave every measurement byte-equal', () => {
  fc.assert(
    fc.property(events, fc.infiniteStream(fc.nat()), (list, chance) => {
      const again = shuffled([...list, ...list.filter(() => (chance.next().value ?? 0) % 2 === 0)], chance)
      const batches = [again.slice(0, again.length / 2), again.slice(again.length / 3)]
      const stored = batches.flatMap((batch) =>
        makeBatches(deduplicate(batch).events, MESSAGE).flatMap((one) =>
          one.events.map(({ raw }) => restoreUsageEvent(JSON.parse(JSON.stringify(raw)), 'collector')),
        ),
      )
      const [once, many] = [collectEvents(list, NOVEMBER), collectEvents(stored, NOVEMBER)]
      for (const meter of ['agent_minutes', 'storage_gib_hours', 'active_users'] as const) {
        expect(measure(meter, many, NOVEMBER)).toEqual(measure(meter, once, NOVEMBER))
      }
    }),
    cases(100),
  )
})

test('a period split anywhere measures what the whole does', () => {
  fc.assert(
    fc.property(events, fc.integer({ min: 1, max: 30 * 1440 - 1 }), (list, minute) => {
      const cut = NOVEMBER.fromMs + minute * 60_000
      const all = collectEvents(list, NOVEMBER)
      for (const meter of ['agent_minutes', 'workflow_runs', 'storage_gib_hours'] as const) {
        const [first, second, whole] = [
          measure(meter, all, { fromMs: NOVEMBER.fromMs, toMs: cut }),
          measure(meter, all, { fromMs: cut, toMs: NOVEMBER.toMs }),
          measure(meter, all, NOVEMBER),
        ]
        const value = (one: typeof first) => [one.value?.n ?? 0n, one.value?.d ?? 1n] as const
        const [[n1, d1], [n2, d2], [n, d]] = [value(first), value(second), value(whole)]
        expect((n1 * d2 + n2 * d1) * d).toBe(n * d1 * d2)
        expect(first.events + second.events).toBe(whole.events)
      }
    }),
    cases(100),
  )
})

test('of two contents for one id the same one stays in any order, and the other is named', () => {
  fc.assert(
    fc.property(events, fc.infiniteStream(fc.nat()), (list, chance) => {
      const [one, other] = [deduplicate(list), deduplicate(shuffled(list, chance))]
      const digests = (found: readonly UsageEvent[]) => found.map(({ key, digest }) => key + digest).sort()
      expect(digests(other.events)).toEqual(digests(one.events))
      expect(digests(other.conflicts)).toEqual(digests(one.conflicts))
      expect(batchIdOf(other.events)).toBe(batchIdOf(one.events))
      expect(one.events.length + one.conflicts.length + one.copies.length).toBe(list.length)
    }),
    cases(100),
  )
})

test('batches hold every event once and keep to the limits of a document', () => {
  const spread = Array.from({ length: 700 }, (_, index) =>
    event({ id: `e${index}`, meter: 'agent_minutes', minute: (index * 60) % (22 * 1440), value: index }),
  )
  const batches = makeBatches(spread, MESSAGE)
  expect(
    batches
      .flatMap((batch) => batch.events)
      .map(({ id }) => id)
      .sort(),
  ).toEqual(spread.map(({ id }) => id).sort())
  expect(Math.max(...batches.map((batch) => batch.hours.length))).toBeLessThanOrEqual(48)
  expect(Math.max(...batches.map((batch) => batch.events.length))).toBeLessThanOrEqual(500)
  expect(new Set(batches.map((batch) => batch.batchId)).size).toBe(batches.length)
})

test('the live counters of a batch add up to its events', () => {
  fc.assert(
    fc.property(events, (list) => {
      const { events: kept } = deduplicate(list)
      fc.pre(kept.length > 0)
      const live = makeBatches(kept, MESSAGE).flatMap(liveDays)
      const counted = live
        .flatMap(({ hours }) => Object.values(hours))
        .flatMap((meters) => Object.values(meters))
      expect(counted.reduce((sum, meter) => sum + (meter?.events ?? 0), 0)).toBe(kept.length)
    }),
    cases(100),
  )
})
