import { describe, expect, test } from 'vitest'
import { simulate } from './simulate.ts'
import { added, blindSpots, NOTHING, summaryOf } from './summary.ts'

// `node test/simulation/run.ts` does the same with 10,000 seeds and more.
const SEEDS = 60
const REPEAT_EVERY = 20

describe('whatever fails, and however often a message comes', () => {
  test('each effect is committed once, for one tenant, and everything comes to rest', async () => {
    let summary = NOTHING
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const outcome = await simulate(seed)
      const again = seed % REPEAT_EVERY === 0 ? await simulate(seed) : undefined
      summary = added(summary, summaryOf(outcome, again))
    }

    expect(summary.failed).toEqual([])
    // The same seed, the same trace: without that a violation could not be looked at.
    expect(summary.differing).toEqual([])
    // A run in which a class of faults hardly happened is blind to it.
    expect(blindSpots(summary)).toEqual([])
  }, 120_000)

  test('another seed is another life', async () => {
    const hashes = [await simulate(1), await simulate(2)].map(({ hash }) => hash)

    expect(new Set(hashes).size).toBe(2)
  })
})
