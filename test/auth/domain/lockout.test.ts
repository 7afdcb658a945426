import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  afterFailure,
  type Failures,
  FREE_FAILURES,
  isLocked,
} from '../../../functions/auth/domain/lockout.ts'
import { placeOf } from '../../../functions/auth/domain/place.ts'

const START = 1_000_000_000

/** What failures at the given distances (milliseconds) come to. */
function failAt(gapsMs: readonly number[]): { failures: Failures | undefined; endMs: number } {
  let nowMs = START
  let failures: Failures | undefined
  for (const gap of gapsMs) {
    nowMs += gap
    failures = afterFailure(failures, nowMs)
  }
  return { failures, endMs: nowMs }
}

const times = (count: number, gapMs: number): number[] => Array.from({ length: count }, () => gapMs)

test('ten wrong proofs within a minute lock for a minute, nine do not', () => {
  const nine = failAt(times(FREE_FAILURES - 1, 100))
  const ten = failAt(times(FREE_FAILURES, 100))

  expect(isLocked(nine.failures, nine.endMs)).toBe(false)
  expect(isLocked(ten.failures, ten.endMs)).toBe(true)
  expect(isLocked(ten.failures, ten.endMs + 59_999)).toBe(true)
  expect(isLocked(ten.failures, ten.endMs + 60_000)).toBe(false)
})

test('one wrong proof every ten seconds never locks', () => {
  const { failures, endMs } = failAt(times(1_000, 10_000))

  expect(isLocked(failures, endMs)).toBe(false)
})

test('each lock in a row is twice as long, up to a quarter of an hour', () => {
  const lengths: number[] = []
  let failures: Failures | undefined
  let nowMs = START
  for (let lock = 0; lock < 7; lock += 1) {
    while (!isLocked(failures, nowMs)) failures = afterFailure(failures, nowMs)
    lengths.push(((failures?.lockedUntilMs ?? 0) - nowMs) / 1000)
    nowMs = failures?.lockedUntilMs ?? 0
  }

  expect(lengths).toEqual([60, 120, 240, 480, 900, 900, 900])
})

test('a lock is never made longer by what comes while it holds', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 60 }), (gaps) => {
      let nowMs = START
      let failures: Failures | undefined
      for (const gap of gaps) {
        nowMs += gap
        const before = failures
        failures = afterFailure(failures, nowMs)
        if (isLocked(before, nowMs)) expect(failures.lockedUntilMs).toBe(before?.lockedUntilMs)
        expect(failures.lockedUntilMs - nowMs).toBeLessThanOrEqual(900_000)
      }
    }),
  )
})

test('an hour of quiet is a new beginning', () => {
  const { failures, endMs } = failAt(times(FREE_FAILURES, 0))

  expect(afterFailure(failures, endMs + 3_600_000)).toMatchObject({ count: 1, locks: 0, lockedUntilMs: 0 })
})

test.each([
  ['203.0.113.7', '203.0.113.7'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:DB8:1:2::9', '2001:db8:1:2'],
  ['2001:db8::9', '2001:db8:0:0'],
])('%s is at %s', (address, place) => {
  expect(placeOf(address)).toBe(place)
})
