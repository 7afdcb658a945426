import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type Applied,
  balanceAt,
  burnGrants,
  type Demand,
  type Grant,
  inBurnOrder,
  isLive,
} from '../../../functions/billing/domain/grant.ts'
import {
  add,
  compare,
  decimal,
  formatDecimal,
  rational,
  subtract,
  ZERO,
} from '../../../functions/billing/domain/rational.ts'
import { newGrant } from '../../../functions/billing/domain/wanted-grant.ts'
import { cases } from '../support/cases.ts'

const DAY = 86_400_000
const T0 = Date.parse('2026-01-01T00:00:00Z')

function grant(fields: Partial<Grant> & { grantId: string }): Grant {
  return {
    measure: { currency: 'USD' },
    amount: '100',
    priority: 50,
    effectiveAtMs: T0,
    expiresAtMs: null,
    recurrence: null,
    scope: { fees: true },
    reason: 'test',
    createdAtMs: T0,
    voidedAtMs: null,
    burns: [],
    ...fields,
  }
}

function demand(fields: Partial<Demand> & { id: string }): Demand {
  return { measure: { currency: 'USD' }, kind: 'usage', amount: rational(10n), atMs: T0 + DAY, ...fields }
}

const someDay = fc.integer({ min: 0, max: 120 }).map((day) => T0 + day * DAY)
const anyGrant = fc
  .record({
    priority: fc.integer({ min: 0, max: 3 }),
    amount: fc.integer({ min: 1, max: 50_000 }).map((minor) => formatDecimal(rational(BigInt(minor), 100n))),
    effectiveAtMs: someDay,
    lasts: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }),
    voidedAfter: fc.option(fc.integer({ min: 0, max: 60 }), { nil: undefined }),
    everyDays: fc.option(fc.integer({ min: 1, max: 31 }), { nil: undefined }),
    meters: fc.option(fc.constantFrom(['agent_minutes'] as const, ['egress_bytes'] as const), {
      nil: undefined,
    }),
    fees: fc.boolean(),
    createdAtMs: someDay,
  })
  .map(({ lasts, voidedAfter, everyDays, meters, fees, ...rest }) => ({
    ...rest,
    expiresAtMs: lasts === undefined ? null : rest.effectiveAtMs + lasts * DAY,
    voidedAtMs: voidedAfter === undefined ? null : rest.effectiveAtMs + voidedAfter * DAY,
    recurrence: everyDays === undefined ? null : { everyDays, anchorMs: T0 - 5 * DAY },
    scope: { fees, ...(meters === undefined ? {} : { meters: [...meters] }) },
  }))
const grants = fc
  .array(anyGrant, { maxLength: 6 })
  .map((list) => list.map((one, index) => grant({ ...one, grantId: `g${index}` })))
const demands = fc
  .array(
    fc.record({
      atMs: someDay,
      amount: fc.integer({ min: 0, max: 20_000 }).map((minor) => rational(BigInt(minor), 100n)),
      kind: fc.constantFrom('fee' as const, 'usage' as const),
      meter: fc.constantFrom('agent_minutes' as const, 'egress_bytes' as const),
    }),
    { maxLength: 12 },
  )
  .map((list) => list.map((one, index) => demand({ ...one, id: `d${index}` })))

/** The grants as an invoice would leave them. */
function burnt(list: readonly Grant[], applied: readonly Applied[]): Grant[] {
  return list.map((one) => ({
    ...one,
    burns: applied
      .filter(({ grantId }) => grantId === one.grantId)
      .map(({ atMs, amount }) => ({ invoiceId: 'i', atMs, amount: formatDecimal(amount) })),
  }))
}

test('no balance is ever below zero, nothing survives expiry or voiding, and no demand is paid twice', () => {
  fc.assert(
    fc.property(grants, demands, someDay, (list, wanted, atMs) => {
      const applied = burnGrants(list, wanted)
      const after = burnt(list, applied)
      for (const one of after) {
        expect(balanceAt(one, atMs).n >= 0n).toBe(true)
        expect(compare(balanceAt(one, atMs), decimal(one.amount)) <= 0).toBe(true)
        if (!isLive(one, atMs)) expect(balanceAt(one, atMs)).toEqual(ZERO)
      }
      for (const { id, amount } of wanted) {
        const paid = applied
          .filter(({ demandId }) => demandId === id)
          .reduce((sum, one) => add(sum, one.amount), ZERO)
        expect(compare(paid, amount) <= 0).toBe(true)
      }
      for (const { grantId, demandId, atMs: burntMs, amount } of applied) {
        const from = list.find((one) => one.grantId === grantId) as Grant
        const to = wanted.find(({ id }) => id === demandId) as Demand
        expect(amount.n > 0n).toBe(true)
        expect(isLive(from, burntMs)).toBe(true)
        expect(
          to.kind === 'fee'
            ? from.scope.fees
            : (from.scope.meters ?? [to.meter]).includes(to.meter ?? 'active_users'),
        ).toBe(true)
      }
    }),
    cases(500),
  )
})

test('invoice by invoice or all at once, the same is burnt', () => {
  fc.assert(
    fc.property(grants, demands, (list, wanted) => {
      const ordered = wanted.toSorted((left, right) => left.atMs - right.atMs)
      const atOnce = burnGrants(list, ordered)
      let state: readonly Grant[] = list
      const oneByOne = ordered.flatMap((one) => {
        const applied = burnGrants(state, [one])
        state = state.map((kept) => ({
          ...kept,
          burns: [
            ...kept.burns,
            ...applied
              .filter(({ grantId }) => grantId === kept.grantId)
              .map(({ atMs, amount }) => ({ invoiceId: one.id, atMs, amount: formatDecimal(amount) })),
          ],
        }))
        return applied
      })
      expect(oneByOne).toEqual(atOnce)
    }),
    cases(500),
  )
})

test('grants burn by priority, then expiry with none last, then creation, then id', () => {
  const list = [
    grant({ grantId: 'late', expiresAtMs: T0 + 20 * DAY }),
    grant({ grantId: 'never' }),
    grant({ grantId: 'soon', expiresAtMs: T0 + 10 * DAY }),
    grant({ grantId: 'first', priority: 1, expiresAtMs: T0 + 30 * DAY }),
    grant({ grantId: 'older', createdAtMs: T0 - DAY }),
    grant({ grantId: 'again' }),
  ]
  expect(inBurnOrder(list).map(({ grantId }) => grantId)).toEqual([
    'first',
    'soon',
    'late',
    'older',
    'again',
    'never',
  ])
})

test('a recurring grant is full again at its instants and what was left is gone', () => {
  const monthly = grant({ grantId: 'g', recurrence: { everyDays: 30, anchorMs: T0 } })
  const used = { ...monthly, burns: [{ invoiceId: 'i', atMs: T0 + 3 * DAY, amount: '70' }] }
  expect(formatDecimal(balanceAt(used, T0 + 2 * DAY))).toBe('100')
  expect(formatDecimal(balanceAt(used, T0 + 3 * DAY))).toBe('30')
  expect(formatDecimal(balanceAt(used, T0 + 30 * DAY - 1))).toBe('30')
  expect(formatDecimal(balanceAt(used, T0 + 30 * DAY))).toBe('100')
})

test('at the very instant of its expiry nothing is left, and the instant before all of it', () => {
  const short = grant({ grantId: 'g', expiresAtMs: T0 + DAY })
  expect(burnGrants([short], [demand({ id: 'd', atMs: T0 + DAY })])).toEqual([])
  expect(burnGrants([short], [demand({ id: 'd', atMs: T0 + DAY - 1 })])).toHaveLength(1)
  expect(subtract(balanceAt(short, T0 + DAY - 1), rational(100n))).toEqual(ZERO)
})

test.each([
  [{ currency: 'JPY' as const, amount: '10.5' }, 'amount'],
  [{ currency: 'USD' as const, amount: '10.555' }, 'amount'],
  [{ currency: 'USD' as const, amount: '0.00' }, 'amount'],
  [{ unit: 'active_users' as const, amount: '1.5' }, 'amount'],
  [{ unit: 'active_users' as const, amount: '1', scope: { fees: true } }, 'scope'],
  [{ unit: 'active_users' as const, amount: '1', scope: { meters: ['egress_bytes' as const] } }, 'scope'],
  [{ currency: 'USD' as const, amount: '1', expiresAt: '2025-12-31T00:00:00Z' }, 'expiresAt'],
])('%j cannot be granted: %s', (wanted, member) => {
  const refused = newGrant({ priority: 50, reason: 'r', ...wanted }, 'g', T0)
  expect(refused).toMatchObject({ ok: false, code: 'credit.invalid' })
  expect(refused.ok ? '' : refused.hint).toContain(member)
})
