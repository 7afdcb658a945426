import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { MUTATIONS } from './mutations/all.ts'

const ROOT = join(import.meta.dirname, '../..')

// `node scripts/mutate.ts` takes each check out and runs the tests; this only keeps its table true.
test.each(MUTATIONS)('$file without $without', ({ file, find, replace, caughtBy }) => {
  const source = readFileSync(join(ROOT, file), 'utf8')
  expect(source.split(find)).toHaveLength(2)
  expect(replace).not.toBe(find)
  if (caughtBy !== 'types') expect(caughtBy.filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
})
