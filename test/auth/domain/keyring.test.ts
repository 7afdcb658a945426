import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type KeyMaterial,
  type Keyring,
  PUBLISHED_AFTER_ACTIVE_MS,
  PUBLISHED_BEFORE_ACTIVE_MS,
  publishedAt,
  rotateRing,
  rotationIsDue,
  signerAt,
  startRing,
} from '../../../functions/auth/domain/keyring.ts'

const START = 1_000_000_000
const MINUTE = 60_000

const material = (name: string): KeyMaterial => ({
  kid: name,
  jwk: { kty: 'EC', crv: 'P-256', x: name, y: name },
  secretVersion: '1',
})

/** A ring after rotations at the given distances in minutes, and when the last one was. */
function ringAfter(gapsMinutes: readonly number[]): { ring: Keyring; endMs: number } {
  let nowMs = START
  let ring = startRing(material('k0'), material('k1'), nowMs)
  for (const [at, gap] of gapsMinutes.entries()) {
    nowMs += gap * MINUTE
    if (rotationIsDue(ring, `m${at}`, nowMs)) ring = rotateRing(ring, material(`k${at + 2}`), `m${at}`, nowMs)
  }
  return { ring, endMs: nowMs }
}

const gaps = fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 8 })
const momentMs = fc.integer({ min: 0, max: 600 * MINUTE })

test('at every instant there is a signer, it is published, and a standby beside it', () => {
  fc.assert(
    fc.property(gaps, momentMs, (rotations, moment) => {
      const { ring } = ringAfter(rotations)
      const nowMs = START + moment
      const signer = signerAt(ring, nowMs)
      const published = publishedAt(ring, nowMs)
      expect(signer).toBeDefined()
      expect(published).toContain(signer)
      expect(published.some((key) => key.activateAt === null)).toBe(true)
    }),
  )
})

// A verifier that fetched the keys just before a change must know every key that signs until it fetches again.
test('no key but the first signs before caches can know it', () => {
  fc.assert(
    fc.property(gaps, momentMs, (rotations, moment) => {
      const signer = signerAt(ringAfter(rotations).ring, START + moment)
      if (signer === undefined || signer.kid === 'k0') return
      expect(START + moment - signer.publishAt).toBeGreaterThanOrEqual(PUBLISHED_BEFORE_ACTIVE_MS)
    }),
  )
})

test('a key stays published until the last token it signed is over', () => {
  fc.assert(
    fc.property(
      gaps,
      momentMs,
      fc.integer({ min: 0, max: PUBLISHED_AFTER_ACTIVE_MS - 1 }),
      (rotations, moment, later) => {
        const { ring } = ringAfter(rotations)
        const signer = signerAt(ring, START + moment)
        expect(publishedAt(ring, START + moment + later)).toContain(signer)
      },
    ),
  )
})

test('old keys leave: with time, only the signer and the standby are left', () => {
  fc.assert(
    fc.property(gaps, (rotations) => {
      const { ring, endMs } = ringAfter(rotations)
      const quiet = endMs + PUBLISHED_BEFORE_ACTIVE_MS + PUBLISHED_AFTER_ACTIVE_MS
      expect(publishedAt(ring, quiet)).toHaveLength(2)
    }),
  )
})

test('each change is one generation', () => {
  const { ring } = ringAfter([30, 30, 30])

  expect(ring.generation).toBe(4)
  expect(ring.keys).toHaveLength(5)
})

test('a clock a little behind the one that started the ring still has a signer', () => {
  const ring = startRing(material('k0'), material('k1'), START)

  expect(signerAt(ring, START - 5_000)?.kid).toBe('k0')
  expect(publishedAt(ring, START - 5_000)).toHaveLength(2)
})
