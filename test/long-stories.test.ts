import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { LONG_STORIES } from '../vitest.config.ts'

test('what npm test leaves out, npm run test:long plays', () => {
  const { scripts } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    scripts: Record<string, string>
  }
  const played = scripts['test:long']?.split(' ') ?? []

  for (const story of LONG_STORIES) expect(played).toContain(story)
})
