import fc from 'fast-check'
import { expect, test } from 'vitest'
import { tokenBuckets } from '#shared/http/token-bucket.ts'

const taken = (results: readonly boolean[]): number => results.filter(Boolean).length

test('a key gets one second’s worth at once and then its rate', () => {
  const buckets = tokenBuckets()

  const burst = Array.from({ length: 8 }, () => buckets.take('a', 5, 0))
  const later = Array.from({ length: 8 }, () => buckets.take('a', 5, 400))

  expect([taken(burst), taken(later)]).toEqual([5, 2])
})

test('one key’s hunger is not another’s', () => {
  const buckets = tokenBuckets()
  for (let at = 0; at < 100; at += 1) buckets.take('greedy', 5, 0)

  expect(buckets.take('modest', 5, 0)).toBe(true)
})

test('in any window no key gets more than its burst and its rate', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.array(fc.integer({ min: 0, max: 500 }), { maxLength: 200 }),
      (perSecond, gaps) => {
        const buckets = tokenBuckets()
        let nowMs = 0
        let allowed = 0
        for (const gap of gaps) {
          nowMs += gap
          if (buckets.take('a', perSecond, nowMs)) allowed += 1
        }
        expect(allowed).toBeLessThanOrEqual(perSecond + (nowMs * perSecond) / 1000 + 1e-6)
      },
    ),
  )
})

test('a clock set back neither fills nor empties a bucket', () => {
  const buckets = tokenBuckets()
  for (let at = 0; at < 5; at += 1) buckets.take('a', 5, 10_000)

  expect(buckets.take('a', 5, 0)).toBe(false)
  expect(buckets.take('a', 5, 1_000)).toBe(true)
})

test('the keys kept are bounded, and the one unused for longest goes first', () => {
  const buckets = tokenBuckets(2)
  buckets.take('old', 1, 0)
  buckets.take('new', 1, 0)
  buckets.take('newest', 1, 0)

  expect(buckets.take('newest', 1, 0)).toBe(false)
  expect(buckets.take('old', 1, 0)).toBe(true)
})
