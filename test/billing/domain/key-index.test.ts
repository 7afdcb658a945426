import fc from 'fast-check'
import { expect, test } from 'vitest'
import { keyIndexOf, mayHold } from '../../../functions/billing/domain/key-index.ts'
import { sha256 } from '../../../functions/billing/domain/usage-event.ts'
import { cases } from '../support/cases.ts'

const key = fc.stringMatching(/^[0-9a-f]{64}$/)

test('an index never denies a key that was put in, and denies every key that begins otherwise', () => {
  fc.assert(
    fc.property(fc.array(key, { maxLength: 40 }), key, (keys, other) => {
      const index = keyIndexOf(keys) ?? new Uint8Array()
      expect(keys.every((one) => mayHold(index, one))).toBe(true)
      expect(mayHold(index, other)).toBe(keys.some((one) => one.slice(0, 6) === other.slice(0, 6)))
      expect(keyIndexOf(keys.toReversed())).toEqual(index)
    }),
    cases(300),
  )
})

test('beyond fifty thousand keys there is no index, and below it takes three bytes a key', () => {
  const keys = Array.from({ length: 50_001 }, (_none, at) => sha256(String(at)))
  expect(keyIndexOf(keys.slice(0, 1_000))?.byteLength).toBeLessThanOrEqual(3_000)
  const prefixes = new Set(keys.map((one) => one.slice(0, 6))).size
  // Some of them begin alike: as many more as it takes.
  const more = Array.from({ length: 50_001 - prefixes + 200 }, (_none, at) => sha256(`more ${at}`))
  expect(keyIndexOf(keys.slice(0, 49_000))).toBeDefined()
  expect(keyIndexOf([...keys, ...more])).toBeUndefined()
})
