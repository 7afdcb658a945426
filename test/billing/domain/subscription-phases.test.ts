import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { wholePeriodAt } from '../../../functions/billing/domain/billing-cycle.ts'
import {
  changePlan,
  changeTier,
  chargeOfChange,
  undoChange,
} from '../../../functions/billing/domain/change-plan.ts'
import { EXAMPLE_PLANS } from '../../../functions/billing/domain/example-plans.ts'
import type { PlanVersion } from '../../../functions/billing/domain/plan.ts'
import { ONE, rational, total } from '../../../functions/billing/domain/rational.ts'
import { requestSubscription, type Subscription } from '../../../functions/billing/domain/subscription.ts'
import {
  periodAt,
  phasesOf,
  segmentsOf,
  termsAt,
} from '../../../functions/billing/domain/subscription-phases.ts'
import { cases } from '../support/cases.ts'

const at = (text: string): number => Date.parse(text)
const DAY = 86_400_000
const STANDARD = EXAMPLE_PLANS.find(({ tier }) => tier === 'standard') as PlanVersion
const PREMIUM = EXAMPLE_PLANS.find(({ tier }) => tier === 'premium') as PlanVersion
const OTHER: PlanVersion = {
  ...STANDARD,
  planId: 'other',
  currencies: { USD: { fees: [], prices: [], commitment: {} } },
}

function begun(text: string, cycle: Partial<Subscription> = {}): Subscription {
  const request = {
    tier: 'standard' as const,
    operationId: 'op_0',
    trialEndsAtMs: undefined,
    nowMs: at(text),
  }
  const decision = requestSubscription('acme', undefined, { ...request, plan: STANDARD })
  if (decision.outcome !== 'ready') throw new Error(decision.reason)
  const history = decision.subscription.history.map((change) => ({ ...change, ...cycle }))
  return { ...decision.subscription, ...cycle, history }
}

const changed = (
  subscription: Subscription,
  text: string,
  wanted: Partial<Parameters<typeof changePlan>[2]> = {},
  plan = OTHER,
): Subscription => {
  const result = changePlan(
    subscription,
    plan,
    { planId: plan.planId, effective: 'now', proration: 'by_second', ...wanted },
    { operationId: `op_${text}`, nowMs: at(text) },
  )
  if (!result.ok) throw new Error(`${result.code} ${result.hint}`)
  return result.value
}

describe('periods', () => {
  test.each([
    ['2024-01-31T10:30:00Z', '2024-02-29T10:30:00Z', '2024-03-31T10:30:00Z', '2024-04-30T10:30:00Z'],
    ['2023-01-31T00:00:00Z', '2023-02-28T00:00:00Z', '2023-03-31T00:00:00Z', '2023-04-30T00:00:00Z'],
    [
      '2023-12-30T23:59:59.999Z',
      '2024-01-30T23:59:59.999Z',
      '2024-02-29T23:59:59.999Z',
      '2024-03-30T23:59:59.999Z',
    ],
  ])('anniversaries of %s never drift from the anchor', (...begins) => {
    const [anchor = ''] = begins
    const cycle = { mode: 'anniversary', interval: 'month', timeZone: 'UTC', anchorMs: at(anchor) } as const
    begins.slice(0, -1).forEach((begin, index) => {
      const period = { fromMs: at(begin), toMs: at(begins[index + 1] ?? '') }
      expect(wholePeriodAt(cycle, period.fromMs)).toEqual(period)
      expect(wholePeriodAt(cycle, period.toMs - 1)).toEqual(period)
    })
  })

  test('an anniversary of 29 February is the 28th in other years', () => {
    const cycle = {
      mode: 'anniversary',
      interval: 'year',
      timeZone: 'UTC',
      anchorMs: at('2024-02-29T00:00:00Z'),
    } as const
    expect(wholePeriodAt(cycle, at('2025-06-01T00:00:00Z'))).toEqual({
      fromMs: at('2025-02-28T00:00:00Z'),
      toMs: at('2026-02-28T00:00:00Z'),
    })
    expect(wholePeriodAt(cycle, at('2028-03-01T00:00:00Z')).fromMs).toBe(at('2028-02-29T00:00:00Z'))
  })

  test.each([
    ['America/New_York', '2026-03-15T12:00:00Z', 31 * 24 - 1],
    ['America/New_York', '2026-11-15T12:00:00Z', 30 * 24 + 1],
    ['Europe/Berlin', '2026-03-15T12:00:00Z', 31 * 24 - 1],
    ['Australia/Lord_Howe', '2026-04-15T12:00:00Z', 30 * 24 + 0.5],
    ['Asia/Tokyo', '2026-03-15T12:00:00Z', 31 * 24],
  ])('the month of %s around %s has %f hours', (timeZone, text, hours) => {
    const period = wholePeriodAt({ mode: 'calendar', interval: 'month', timeZone, anchorMs: 0 }, at(text))
    expect((period.toMs - period.fromMs) / 3_600_000).toBe(hours)
  })

  test('every instant is in one period, and periods follow each other, in any zone and from any anchor', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(
          'UTC',
          'America/New_York',
          'Europe/London',
          'Pacific/Apia',
          'Asia/Kathmandu',
          'Africa/Cairo',
        ),
        fc.constantFrom('calendar' as const, 'anniversary' as const),
        fc.constantFrom('month' as const, 'year' as const),
        fc.integer({ min: at('2009-01-01'), max: at('2031-01-01') }),
        fc.integer({ min: at('2009-01-01'), max: at('2031-01-01') }),
        (timeZone, mode, interval, anchorMs, atMs) => {
          const cycle = { mode, interval, timeZone, anchorMs }
          const period = wholePeriodAt(cycle, atMs)
          expect(period.fromMs).toBeLessThanOrEqual(atMs)
          expect(period.toMs).toBeGreaterThan(atMs)
          expect(wholePeriodAt(cycle, period.toMs).fromMs).toBe(period.toMs)
          expect(wholePeriodAt(cycle, period.fromMs - 1).toMs).toBe(period.fromMs)
        },
      ),
      cases(500),
    )
  })
})

describe('changes', () => {
  const begin = begun('2026-10-15T00:00:00Z')

  test('a change now cuts the period at its instant, and both sides have their share', () => {
    const subscription = changed(begin, '2026-11-16T00:00:00Z')
    const period = periodAt(subscription, at('2026-11-20T00:00:00Z'))
    expect(segmentsOf(subscription, period)).toMatchObject([
      { planId: 'example-standard', toMs: at('2026-11-16T00:00:00Z'), share: rational(1n, 2n) },
      { planId: 'other', fromMs: at('2026-11-16T00:00:00Z'), share: rational(1n, 2n) },
    ])
  })

  test('by the day, the day of the change belongs to the new plan, and a day has its weight whatever its hours', () => {
    const berlin = begun('2026-10-01T00:00:00Z', { timeZone: 'Europe/Berlin' })
    const subscription = changed(berlin, '2026-10-26T17:00:00Z', { proration: 'by_day' })
    const [old, next] = segmentsOf(subscription, periodAt(subscription, at('2026-10-20T00:00:00Z')))
    // 1 October began at 2 in Berlin; the clocks went back on the 25th.
    expect([old?.share, next?.share]).toMatchObject([{ d: expect.anything() }, rational(6n, 31n)])
  })

  test('a change at the end of the period leaves the running one whole', () => {
    const subscription = changed(begin, '2026-11-16T00:00:00Z', { effective: 'period_end' })
    expect(segmentsOf(subscription, periodAt(subscription, at('2026-11-20T00:00:00Z')))).toMatchObject([
      { planId: 'example-standard', share: ONE },
    ])
    expect(termsAt(subscription, at('2026-11-30T23:59:59.999Z')).planId).toBe('example-standard')
    expect(termsAt(subscription, at('2026-12-01T00:00:00Z')).planId).toBe('other')
    expect(subscription.planId).toBe('example-standard')
  })

  test('a change now takes the place of one that waits; the history keeps both', () => {
    const waiting = changed(begin, '2026-11-10T00:00:00Z', { effective: 'period_end' })
    const other = { ...OTHER, planId: 'third' }
    const subscription = changed(waiting, '2026-11-12T00:00:00Z', {}, other)
    expect(phasesOf(subscription).map(({ terms }) => terms.planId)).toEqual(['example-standard', 'third'])
    expect(subscription.history).toHaveLength(3)
  })

  test('what is the same already changes nothing', () => {
    expect(changed(begin, '2026-11-16T00:00:00Z', {}, STANDARD)).toBe(begin)
    const back = changed(changed(begin, '2026-11-16T00:00:00Z'), '2026-11-17T00:00:00Z', {}, STANDARD)
    expect(back.rev).toBe(begin.rev + 2)
  })

  test('zone, currency and periods change with a new period alone, and no instant is billed twice or not at all', () => {
    const subscription = changed(
      begin,
      '2026-11-16T00:00:00Z',
      {
        effective: 'period_end',
        timeZone: 'Asia/Tokyo',
        periods: 'anniversary',
        planId: STANDARD.planId,
      },
      STANDARD,
    )
    const first = periodAt(subscription, at('2026-11-20T00:00:00Z'))
    const second = periodAt(subscription, first.toMs)
    const third = periodAt(subscription, second.toMs)
    expect(first.toMs).toBe(at('2026-12-01T00:00:00Z'))
    expect(second).toMatchObject({ fromMs: first.toMs, toMs: at('2027-01-01T00:00:00Z') })
    expect(third.fromMs).toBe(second.toMs)
  })

  test.each([
    [{ currency: 'EUR' as const }],
    [{ timeZone: 'Asia/Tokyo' }],
    [{ periods: 'anniversary' as const }],
    [{ interval: 'year' as const }],
  ])('%j cannot change in the middle of a period', (wanted) => {
    const by = { operationId: 'op', nowMs: at('2026-11-16T00:00:00Z') }
    const request = {
      planId: STANDARD.planId,
      effective: 'now' as const,
      proration: 'by_second' as const,
      ...wanted,
    }
    expect(changePlan(begin, STANDARD, request, by)).toMatchObject({
      ok: false,
      code: 'subscription.invalid',
    })
  })

  test('a plan of another tier, a plan that is not sold in the currency, and an old revision are refused', () => {
    const by = { operationId: 'op', nowMs: at('2026-11-16T00:00:00Z') }
    const request = { planId: 'x', effective: 'now' as const, proration: 'by_second' as const }
    expect(changePlan(begin, PREMIUM, request, by)).toMatchObject({ code: 'plan.tier_mismatch' })
    expect(
      changePlan(begin, OTHER, { ...request, effective: 'period_end', currency: 'KWD' }, by),
    ).toMatchObject({
      code: 'subscription.invalid',
    })
    expect(changePlan(begin, OTHER, { ...request, rev: 0 }, by)).toMatchObject({
      code: 'subscription.revision_conflict',
    })
    expect(changePlan(undefined, OTHER, request, by)).toMatchObject({ code: 'resource.not_found' })
  })

  test('a tier change is charged the rest of the period, to the minor unit, and undone without a trace in the bill', () => {
    const nowMs = at('2026-11-16T00:00:00Z')
    const after = changeTier(begin, PREMIUM, { operationId: 'op_1', nowMs, effective: 'now' })
    if (!after.ok) throw new Error(after.code)
    const planOf = (planId: string) => EXAMPLE_PLANS.find((plan) => plan.planId === planId) as PlanVersion
    // (799 - 199) / 2
    expect(chargeOfChange(begin, after.value, planOf, nowMs)).toBe(30_000n)
    const undone = undoChange(after.value, 'op_1', nowMs + DAY) as Subscription
    expect(phasesOf(undone)).toEqual(phasesOf(begin))
    expect(undone).toMatchObject({ planId: 'example-standard', tier: 'standard' })
    expect(undoChange(undone, 'op_1', nowMs + DAY)).toBeUndefined()
    expect(undoChange(begin, 'op_0', nowMs)).toBeUndefined()
  })

  test('whatever is flipped when and however, shares of a period are none below zero and add up to what it lasted', () => {
    const flip = fc.record({
      afterMs: fc.integer({ min: 1, max: 20 * DAY }),
      other: fc.boolean(),
      effective: fc.constantFrom('now' as const, 'period_end' as const),
      proration: fc.constantFrom('by_second' as const, 'by_day' as const),
    })
    fc.assert(
      fc.property(
        fc.constantFrom('UTC', 'America/New_York', 'Australia/Lord_Howe'),
        fc.constantFrom('calendar' as const, 'anniversary' as const),
        fc.array(flip, { maxLength: 12 }),
        (timeZone, periods, flips) => {
          const anchorMs = at('2026-01-31T15:00:00Z')
          let subscription = begun('2026-01-31T15:00:00Z', { timeZone, periods, anchorMs })
          let nowMs = anchorMs
          for (const { afterMs, other, effective, proration } of flips) {
            nowMs += afterMs
            subscription = changed(
              subscription,
              new Date(nowMs).toISOString(),
              { effective, proration },
              other ? OTHER : STANDARD,
            )
          }
          for (let ms = periodAt(subscription, anchorMs).toMs; ms < nowMs + 40 * DAY; ) {
            const period = periodAt(subscription, ms)
            const segments = segmentsOf(subscription, period)
            expect(total(segments.map(({ share }) => share))).toEqual(ONE)
            expect(segments.every(({ share }) => share.n >= 0n)).toBe(true)
            expect(segments[0]?.fromMs).toBe(period.fromMs)
            expect(segments.at(-1)?.toMs).toBe(period.toMs)
            segments.slice(1).forEach((segment, index) => {
              expect(segment.fromMs).toBe(segments[index]?.toMs)
            })
            ms = period.toMs
          }
        },
      ),
      cases(300),
    )
  })
})
