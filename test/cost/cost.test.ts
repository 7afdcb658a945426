import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type CountedDesign, countNaive, countOurs, SIZES } from './count-operations.ts'
import { NAIVE, type NaiveDesign } from './naive-designs.ts'

const FILE = join(import.meta.dirname, '../../docs/cost-operations.json')

const perEvent = ({ ingest, events }: CountedDesign) => ({
  reads: ingest.reads / events,
  writes: ingest.writes / events,
})

test('with 100 events in a message ingest takes no read and at most 0.02 writes an event', async () => {
  const { reads, writes } = perEvent(await countOurs(100))

  expect(reads).toBe(0)
  expect(writes).toBeLessThanOrEqual(0.02)
})

// docs/cost.md is made from this file: UPDATE_COUNTS=1 writes it anew, then npm run docs.
test('the operations in docs/cost-operations.json are what the engine counts now', async () => {
  const ours: CountedDesign[] = []
  for (const size of SIZES) ours.push(await countOurs(size))
  expect(ours.map(({ ingest }) => ingest.reads)).toEqual(SIZES.map(() => 0))
  const naive = await Promise.all(
    (Object.keys(NAIVE) as NaiveDesign[]).flatMap((design) =>
      [1, 100].map(async (size) => ({ design, ...(await countNaive(design, size)) })),
    ),
  )
  const counted = `${JSON.stringify({ ours, naive }, undefined, 2)}\n`
  if (process.env['UPDATE_COUNTS'] !== undefined) writeFileSync(FILE, counted)
  expect(readFileSync(FILE, 'utf8')).toBe(counted)
}, 60_000)
