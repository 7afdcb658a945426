import fc from 'fast-check'
import { expect, test } from 'vitest'
import { monthOf, windowOf } from '../../../functions/billing/domain/calendar.ts'
import { cases } from '../support/cases.ts'

const ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Pacific/Apia', 'America/Havana']

test.each([
  ['UTC', '2026-02-10T00:00:00Z', '2026-02-01T00:00:00Z', '2026-03-01T00:00:00Z'],
  ['Europe/Berlin', '2026-03-31T22:00:00Z', '2026-03-31T22:00:00Z', '2026-04-30T22:00:00Z'],
  ['Europe/Berlin', '2026-03-31T21:59:59Z', '2026-02-28T23:00:00Z', '2026-03-31T22:00:00Z'],
  ['America/New_York', '2026-12-31T23:00:00-05:00', '2026-12-01T05:00:00Z', '2027-01-01T05:00:00Z'],
  ['Asia/Kolkata', '2028-02-29T12:00:00Z', '2028-01-31T18:30:00Z', '2028-02-29T18:30:00Z'],
])('a month of %s around %s begins and ends at its own midnights', (zone, at, from, to) => {
  expect(monthOf(Date.parse(at), zone)).toEqual({ fromMs: Date.parse(from), toMs: Date.parse(to) })
})

test('a day that has no midnight begins where the clocks jumped to', () => {
  // Havana moves from 00:00 to 01:00 on 8 March 2026.
  const day = windowOf(Date.parse('2026-03-08T12:00:00Z'), 'day', 'America/Havana')
  expect(new Date(day.fromMs).toISOString()).toBe('2026-03-08T05:00:00.000Z')
  expect(day.toMs - day.fromMs).toBe(23 * 3_600_000)
})

test('windows of every zone follow each other without a gap and contain their instant', () => {
  const instant = fc.integer({
    min: Date.parse('2020-01-01T00:00:00Z'),
    max: Date.parse('2030-01-01T00:00:00Z'),
  })
  fc.assert(
    fc.property(
      instant,
      fc.constantFrom('hour', 'day', 'month'),
      fc.constantFrom(...ZONES),
      (at, window, zone) => {
        const one = windowOf(at, window as 'day', zone)
        expect(one.fromMs).toBeLessThanOrEqual(at)
        expect(one.toMs).toBeGreaterThan(at)
        expect(windowOf(one.toMs, window as 'day', zone).fromMs).toBe(one.toMs)
        expect(windowOf(one.fromMs, window as 'day', zone)).toEqual(one)
      },
    ),
    cases(300),
  )
})
