import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { MeterId } from '#shared/catalogue/meters.ts'
import type { Period } from '../../../functions/billing/domain/calendar.ts'
import { deduplicate } from '../../../functions/billing/domain/deduplicate.ts'
import { collectEvents, measure } from '../../../functions/billing/domain/meter-usage.ts'
import { compare, ZERO } from '../../../functions/billing/domain/rational.ts'
import { finish, sorting } from '../../../functions/billing/domain/steps.ts'
import { restoreUsageEvent, type UsageEvent } from '../../../functions/billing/domain/usage-event.ts'
import { cases } from '../support/cases.ts'

const DAY: Period = { fromMs: Date.parse('2026-11-20T00:00:00Z'), toMs: Date.parse('2026-11-21T00:00:00Z') }
const METERS: readonly MeterId[] = [
  'agent_minutes',
  'workflow_runs',
  'active_users',
  'storage_gib_hours',
  'concurrent_workflows_peak',
]

const fields = fc.record({
  // Few ids, times, values and resources: nearly every list has conflicts, copies and ties.
  id: fc.integer({ min: 0, max: 5 }),
  meter: fc.constantFrom(...METERS),
  minute: fc.integer({ min: 0, max: 12 }).map((step) => step * 30),
  value: fc.integer({ min: 0, max: 3 }),
  resource: fc.constantFrom('r1', 'r2'),
  outcome: fc.constantFrom('succeeded', 'platform_error'),
  nonce: fc.integer({ min: 0, max: 2 }),
})
type Fields = typeof fields extends fc.Arbitrary<infer T> ? T : never

function said(by: 'collector' | 'tenant', one: Fields): UsageEvent {
  const raw = {
    id: `e${one.id}`,
    source: '//s',
    type: `ai.energent.usage.${one.meter}.v1`,
    subject: 'tenants/acme',
    time: new Date(DAY.fromMs + one.minute * 60_000).toISOString(),
    data: {
      value: String(one.value),
      resource: one.resource,
      // What a tenant may not say never gets so far.
      ...(by === 'collector' ? { dimensions: { outcome: one.outcome } } : {}),
      nonce: one.nonce,
    },
  }
  return restoreUsageEvent(raw, by)
}

const collected = fc.array(fields, { maxLength: 25 }).map((list) => list.map((one) => said('collector', one)))
const reported = fc.array(fields, { maxLength: 25 }).map((list) => list.map((one) => said('tenant', one)))
const all = fc.tuple(collected, reported).map(([left, right]) => [...left, ...right])
const measured = (events: readonly UsageEvent[]) =>
  METERS.map((meter) => measure(meter, collectEvents(events, DAY), DAY).value ?? ZERO)

test('conflicts come out the same in every order of arrival and after any number of copies', () => {
  fc.assert(
    fc.property(
      all.chain((list) =>
        fc.tuple(fc.constant(list), fc.shuffledSubarray([...list, ...list], { minLength: 2 * list.length })),
      ),
      ([list, again]) => {
        expect(measured(again)).toEqual(measured(list))
        const contents = (events: readonly UsageEvent[]) =>
          deduplicate(events)
            .events.map(({ key, digest, producer }) => key + digest + producer)
            .sort()
        expect(contents(again)).toEqual(contents(list))
      },
    ),
    cases(100),
  )
})

test("nothing a tenant reports lowers what is measured of a collector's events, on any meter", () => {
  fc.assert(
    fc.property(collected, reported, (trusted, untrusted) => {
      const alone = measured(trusted)
      const both = measured([...untrusted, ...trusted])
      METERS.forEach((meter, index) => {
        expect(compare(both[index] ?? ZERO, alone[index] ?? ZERO), meter).toBeGreaterThanOrEqual(0)
      })
    }),
    cases(100),
  )
})

test('a conflict never lowers a sum, a count or a maximum below what any one content says', () => {
  fc.assert(
    fc.property(
      fc.array(fields, { minLength: 1, maxLength: 8 }),
      fc.constantFrom('collector', 'tenant'),
      (list, by) => {
        for (const meter of ['agent_minutes', 'workflow_runs', 'concurrent_workflows_peak'] as const) {
          const contents = list.map((one) => said(by as 'tenant', { ...one, id: 0, meter }))
          const total = measure(meter, collectEvents(contents, DAY), DAY).value ?? ZERO
          for (const content of contents) {
            const alone = measure(meter, collectEvents([content], DAY), DAY).value ?? ZERO
            expect(compare(total, alone)).toBeGreaterThanOrEqual(0)
          }
        }
      },
    ),
    cases(100),
  )
})

test('members that nobody knows decide nothing that is measured', () => {
  fc.assert(
    fc.property(fc.array(fields, { maxLength: 20 }), fc.infiniteStream(fc.nat()), (list, nonces) => {
      const plain = list.map((one) => said('tenant', { ...one, nonce: 0 }))
      const ground = list.map((one) => said('tenant', { ...one, nonce: nonces.next().value ?? 0 }))
      expect(measured(ground)).toEqual(measured(plain))
    }),
    cases(100),
  )
})

test('every event is kept, a copy or a conflict', () => {
  fc.assert(
    fc.property(all, (list) => {
      const { events, copies, conflicts } = deduplicate(list)
      expect(events.length + copies.length + conflicts.length).toBe(list.length)
      expect(new Set(events.map(({ key }) => key)).size).toBe(events.length)
    }),
    cases(100),
  )
})

test('a list sorted in steps is the list sorted at once', () => {
  const pair = fc.tuple(fc.integer({ min: 0, max: 50 }), fc.nat())
  const byFirst = (left: readonly [number, number], right: readonly [number, number]) => left[0] - right[0]
  fc.assert(
    fc.property(fc.array(pair, { minLength: 0, maxLength: 4_500, size: 'max' }), (list) => {
      expect(finish(sorting(list, byFirst))).toEqual(list.toSorted(byFirst))
    }),
    cases(25, 25),
  )
})
