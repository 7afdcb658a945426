import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  compromise,
  DISABLED_BEFORE_DESTROYED_MS,
  keysForCompromise,
  stateOf,
  upkeepDue,
  withUpkeep,
} from '../../../functions/auth/domain/key-lifecycle.ts'
import {
  type KeyMaterial,
  type Keyring,
  PUBLISHED_AFTER_ACTIVE_MS,
  publishedAt,
  rotateRing,
  signerAt,
  startRing,
} from '../../../functions/auth/domain/keyring.ts'

const START = 1_000_000_000
const MINUTE = 60_000

const material = (name: string): KeyMaterial => ({
  kid: name,
  jwk: { kty: 'EC', crv: 'P-256', x: name, y: name },
  secretVersion: name.slice(1),
})

/** Something that happens to a ring, some minutes after what happened before. */
type Happening =
  | { readonly kind: 'rotate' | 'tidy'; readonly afterMinutes: number }
  | { readonly kind: 'compromise'; readonly afterMinutes: number; readonly which: number }

const minutes = fc.oneof(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 100_000 }))
const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({ kind: fc.constantFrom('rotate' as const, 'tidy' as const), afterMinutes: minutes }),
  fc.record({ kind: fc.constant('compromise' as const), afterMinutes: minutes, which: fc.nat(20) }),
)

/** Lets things happen to a ring and shows it before and after each of them. */
function live(
  happenings: readonly Happening[],
  look: (ring: Keyring, nowMs: number, before?: Keyring) => void,
) {
  let nowMs = START
  let made = 2
  const fresh = (): KeyMaterial => material(`k${made++}`)
  let ring = startRing(material('k0'), material('k1'), nowMs)
  look(ring, nowMs)
  for (const event of happenings) {
    nowMs += event.afterMinutes * MINUTE
    const before = ring
    if (event.kind === 'rotate') ring = rotateRing(ring, fresh(), 'm', nowMs)
    if (event.kind === 'tidy') ring = withUpkeep(ring, upkeepDue(ring, nowMs), nowMs)
    if (event.kind === 'compromise') {
      const kid = ring.keys[event.which % ring.keys.length]?.kid ?? ''
      const needed = keysForCompromise(ring, kid, nowMs)
      ring = compromise(ring, kid, Array.from({ length: needed }, fresh), nowMs)
      expect(signerAt(ring, nowMs)?.kid).not.toBe(kid)
    }
    look(ring, nowMs, before)
  }
}

describe('whatever happens to a ring', () => {
  test('one sound key signs, it is published, and another waits', () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 12 }), (happenings) => {
        live(happenings, (ring, nowMs) => {
          const signer = signerAt(ring, nowMs)
          const published = publishedAt(ring, nowMs)
          expect(signer?.compromisedAt).toBeNull()
          expect(published).toContain(signer)
          expect(published.some((key) => key.activateAt === null)).toBe(true)
          expect(ring.keys.filter((key) => stateOf(ring, key, nowMs) === 'ACTIVE')).toEqual([signer])
        })
      }),
      { numRuns: 1_000 },
    )
  })

  test('a compromised key is in no key set again', () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 12 }), minutes, (happenings, later) => {
        live(happenings, (ring, nowMs) => {
          const published = publishedAt(ring, nowMs + later * MINUTE)
          expect(published.filter((key) => key.compromisedAt !== null)).toEqual([])
        })
      }),
    )
  })

  test('a sound key that signed stays published until its last token is over', () => {
    fc.assert(
      fc.property(
        fc.array(happening, { maxLength: 12 }),
        fc.integer({ min: 0, max: PUBLISHED_AFTER_ACTIVE_MS - 1 }),
        (happenings, laterMs) => {
          const signed = new Map<string, number>()
          live(happenings, (ring, nowMs, before) => {
            // The signer just before the change and the one just after it.
            for (const seen of [before, ring]) {
              const signer = seen === undefined ? undefined : signerAt(seen, nowMs)
              if (signer !== undefined) signed.set(signer.kid, nowMs)
            }
            for (const [kid, atMs] of signed) {
              const key = ring.keys.find((candidate) => candidate.kid === kid)
              if (key === undefined || key.compromisedAt !== null || nowMs > atMs + laterMs) continue
              expect(publishedAt(ring, atMs + laterMs)).toContainEqual(key)
            }
          })
        },
      ),
    )
  })

  test('what signs or is published is neither disabled nor destroyed', () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 12 }), (happenings) => {
        live(happenings, (ring, nowMs) => {
          const due = upkeepDue(ring, nowMs).map((upkeep) => upkeep.kid)
          for (const key of publishedAt(ring, nowMs)) {
            expect(due).not.toContain(key.kid)
            expect([key.disabledAt, key.destroyedAt]).toEqual([null, null])
          }
        })
      }),
    )
  })

  test('a ring forgets: after a quiet year and upkeep two keys are left', () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 12 }), (happenings) => {
        let end = { ring: startRing(material('k0'), material('k1'), START), nowMs: START }
        live(happenings, (ring, nowMs) => {
          end = { ring, nowMs }
        })
        const year = 365 * 24 * 60 * MINUTE
        const tidied = withUpkeep(end.ring, upkeepDue(end.ring, end.nowMs + year), end.nowMs + year)
        const forgotten = withUpkeep(tidied, [], end.nowMs + 2 * year)
        expect(
          forgotten.keys.filter((key) => key.activateAt !== null && key.compromisedAt === null),
        ).toHaveLength(1)
        expect(forgotten.keys.every((key) => key.destroyedAt === null)).toBe(true)
      }),
    )
  })
})

test('the life of a key, state by state', () => {
  let ring = startRing(material('k0'), material('k1'), START)
  const stateAt = (kid: string, nowMs: number): string => {
    const key = ring.keys.find((candidate) => candidate.kid === kid)
    return key === undefined ? 'gone' : stateOf(ring, key, nowMs)
  }
  const rotated = START + 60 * MINUTE
  const retired = rotated + PUBLISHED_AFTER_ACTIVE_MS
  ring = rotateRing(ring, material('k2'), 'm', rotated)

  expect(stateAt('k0', rotated)).toBe('RETIRING')
  expect(stateAt('k1', rotated)).toBe('ACTIVE')
  expect(stateAt('k2', rotated)).toBe('PUBLISHED')
  expect(stateAt('k0', retired)).toBe('RETIRED')
  expect(upkeepDue(ring, retired)).toEqual([{ kid: 'k0', secretVersion: '0', act: 'disable' }])

  ring = withUpkeep(ring, upkeepDue(ring, retired), retired)
  expect(upkeepDue(ring, retired + 1)).toEqual([])
  const over = retired + DISABLED_BEFORE_DESTROYED_MS
  expect(upkeepDue(ring, over)).toEqual([{ kid: 'k0', secretVersion: '0', act: 'destroy' }])
  ring = withUpkeep(ring, upkeepDue(ring, over), over)
  expect(stateAt('k0', over)).toBe('DESTROYED')
})

describe('a compromised key', () => {
  const ring = rotateRing(
    startRing(material('k0'), material('k1'), START),
    material('k2'),
    'm',
    START + 60 * MINUTE,
  )
  const nowMs = START + 61 * MINUTE

  test('that signed is replaced at once by the standby, and a new one is published', () => {
    const after = compromise(ring, 'k1', [material('k3')], nowMs)

    expect(signerAt(after, nowMs)?.kid).toBe('k2')
    expect(
      publishedAt(after, nowMs)
        .map((key) => key.kid)
        .sort(),
    ).toEqual(['k0', 'k2', 'k3'])
    expect(upkeepDue(after, nowMs)).toEqual([{ kid: 'k1', secretVersion: '1', act: 'disable' }])
  })

  test('that waited is replaced by another that waits, and the signer stays', () => {
    const after = compromise(ring, 'k2', [material('k3')], nowMs)

    expect(signerAt(after, nowMs)?.kid).toBe('k1')
    expect(
      publishedAt(after, nowMs)
        .map((key) => key.kid)
        .sort(),
    ).toEqual(['k0', 'k1', 'k3'])
  })

  test('that signs no more only leaves', () => {
    expect(keysForCompromise(ring, 'k0', nowMs)).toBe(0)
    expect(signerAt(compromise(ring, 'k0', [], nowMs), nowMs)?.kid).toBe('k1')
  })

  test('leaves a signer even to a process whose clock is behind', () => {
    const after = compromise(ring, 'k1', [material('k3')], nowMs)

    expect(signerAt(after, nowMs - 30_000)?.kid).toBe('k2')
  })
})
