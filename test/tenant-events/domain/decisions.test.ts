import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { backoffMs } from '../../../functions/tenant-events/domain/backoff.ts'
import { covers } from '../../../functions/tenant-events/domain/covers.ts'
import { LEASE_MS, takeOver } from '../../../functions/tenant-events/domain/lease.ts'
import type { RunningOperation } from '../../../functions/tenant-events/domain/tenant.ts'

describe('back-off', () => {
  test('grows from seconds to five minutes, never stops growing into nonsense, and always waits', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 10_000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (attempt, chance) => {
          const delay = backoffMs(attempt, chance)
          expect(delay).toBeGreaterThanOrEqual(2_500)
          expect(delay).toBeLessThanOrEqual(300_000)
          expect(Number.isInteger(delay)).toBe(true)
          expect(backoffMs(attempt + 1, chance)).toBeGreaterThanOrEqual(delay)
        },
      ),
    )
  })

  test("honours a server's Retry-After, but not for days", () => {
    expect(backoffMs(1, 0, 60_000)).toBe(60_000)
    expect(backoffMs(1, 0, 1)).toBe(2_500)
    expect(backoffMs(1, 0, 1e12)).toBe(3_600_000)
  })
})

describe('the lease', () => {
  const op: RunningOperation = {
    operationId: 'op_1',
    kind: 'provision',
    step: 'apply-namespace',
    attempt: 1,
    fence: 4,
    leaseBy: 'one',
    leaseUntilMs: 0,
    dueAtMs: 1_000,
  }
  const two = { operationId: 'op_1', leaseBy: 'two' }

  test("is over by the store's time alone, whatever our clock says", () => {
    const leased = { ...op, leaseUntilMs: 50_000, dueAtMs: 1 }
    expect(takeOver(leased, two, 49_999, 9e12)).toBe('busy')
    expect(takeOver(leased, two, 50_000, 0)).toMatchObject({
      fence: 5,
      leaseBy: 'two',
      leaseUntilMs: 50_000 + LEASE_MS,
    })
  })

  test('is not given before the operation is due, for another operation, or for none', () => {
    expect(takeOver({ ...op, dueAtMs: 60_000 }, two, 0, 50_000)).toBe('not-due')
    expect(takeOver(op, { ...two, operationId: 'op_2' }, 0, 50_000)).toBe('not-running')
    expect(takeOver(null, two, 0, 50_000)).toBe('not-running')
  })
})

describe('reading back', () => {
  test('allows what the server adds and nothing that it changes', () => {
    const wanted = { spec: { hard: { pods: '2' }, list: [{ a: 1 }] } }
    expect(covers({ ...wanted, status: {}, spec: { ...wanted.spec, more: 1 } }, wanted)).toBe(true)
    expect(covers({ spec: { hard: { pods: '2', cpu: '64' }, list: [{ a: 1, b: 2 }] } }, wanted)).toBe(true)
    expect(covers({ spec: { hard: { pods: '3' }, list: [{ a: 1 }] } }, wanted)).toBe(false)
    expect(covers({ spec: { hard: { pods: '2' }, list: [{ a: 1 }, { a: 2 }] } }, wanted)).toBe(false)
    expect(covers({ spec: { hard: { pods: '2' } } }, wanted)).toBe(false)
    expect(covers(undefined, wanted)).toBe(false)
    expect(covers([], {})).toBe(false)
    expect(covers({ toString: 1 }, { hasOwnProperty: 1 })).toBe(false)
  })
})
