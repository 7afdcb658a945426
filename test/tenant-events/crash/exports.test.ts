import { expect, test } from 'vitest'
import { noFaults } from './faults.ts'
import { simulate } from './simulate.ts'
import { STORIES } from './stories.ts'

// The parts hold what the archive would: left behind, they would lie there until the tenant is purged.
test('an export that is cut short leaves none of its parts in the bucket', async () => {
  const story = STORIES.find(({ name }) => name === 'offboard, cancelled meanwhile')
  if (story === undefined) throw new Error('there is no such story')
  const met: string[] = []
  for (let delay = 1; delay < 30; delay += 1) {
    const run = { seed: 0, story, faults: noFaults(), meanwhile: () => delay }
    const { bucket, points, violations } = await simulate(run)
    expect(violations).toEqual([])
    const [, point = ''] = points
    // Before all parts are written, those who write them have not heard of the end.
    if (!/pack-archive|seal-archive|clean-export/.test(point)) continue
    met.push(point)
    expect(bucket.filter((name) => !name.endsWith('.tar.gz'))).toEqual([])
  }

  expect(met.length).toBeGreaterThan(0)
})
