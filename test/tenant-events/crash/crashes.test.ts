import { describe, expect, test } from 'vitest'
import { withSeed } from './check.ts'
import { exhaust, outages } from './exhaust.ts'
import { STORIES } from './stories.ts'
import { added, blindSpots, NOTHING, summaryOf } from './summary.ts'

// `npm run crashes` runs 20,000 seeds, and `npm run crashes -- --single` each fault at each call.
const SEEDS = 1_000
const REPEAT_EVERY = 100

describe('whatever dies, and whatever comes twice, late or never', () => {
  test('every tenant comes to what it comes to when nothing fails', async () => {
    let summary = NOTHING
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const run = await withSeed(seed, STORIES)
      const again = seed % REPEAT_EVERY === 0 ? await withSeed(seed, STORIES) : undefined
      summary = added(summary, summaryOf(seed, run, again))
    }

    expect(summary.failed).toEqual([])
    // The same seed, the same trace: without that nobody could look at what went wrong.
    expect(summary.differing).toEqual([])
    // Runs in which a kind of fault hardly happened are blind to it.
    expect(blindSpots(summary)).toEqual([])
  }, 120_000)

  test('another seed is another life', async () => {
    const runs = [await withSeed(1, STORIES), await withSeed(2, STORIES)]

    expect(new Set(runs.map(({ outcome }) => outcome.hash)).size).toBe(2)
  })
})

// Every 59th call of each story here; all of them in `--single`.
test('one crash before or after a call leaves no trace', async () => {
  const failed: string[] = []
  for (const story of STORIES) {
    const found = await exhaust(story, { fates: ['crash-before', 'crash-after'], stride: 59 })
    failed.push(...found.failed.map((what) => `${story.name}: ${what}`))
  }

  expect(failed).toEqual([])
}, 120_000)

test('a cluster that is unwell for three quarters of an hour only costs time, and says what to do', async () => {
  const [provision] = STORIES
  if (provision === undefined) throw new Error('there is no story')
  const found = await outages(provision, { stride: 7 })

  expect(found.failed).toEqual([])
  expect(found.stuck).toBe(found.runs)
}, 60_000)
