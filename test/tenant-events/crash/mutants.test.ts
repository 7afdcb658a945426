import { afterAll, describe, expect, test } from 'vitest'
import { withSeed } from './check.ts'
import { MUTANTS } from './mutants.ts'
import { STORIES } from './stories.ts'

const MOST_SEEDS = 1_000

type Kill = { readonly seed: number; readonly violation: string }

const kills = new Map<string, Kill>()

// A harness that sees no planted bug proves nothing about the code without one.
describe('a planted bug is seen within 1,000 seeds', () => {
  test.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))(
    '%s',
    async (name, mutant) => {
      for (let seed = 1; seed <= MOST_SEEDS && !kills.has(name); seed += 1) {
        const [violation] = (await withSeed(seed, STORIES, { mutant })).violations
        if (violation !== undefined) kills.set(name, { seed, violation })
      }

      expect(kills.get(name)?.seed).toBeLessThanOrEqual(MOST_SEEDS)
    },
    120_000,
  )

  test('and the code as it is survives the very same seeds', async () => {
    const violated: string[] = []
    for (const { seed } of kills.values()) violated.push(...(await withSeed(seed, STORIES)).violations)

    expect(kills.size).toBe(MUTANTS.length)
    expect(violated).toEqual([])
  }, 120_000)

  afterAll(() => {
    const rows = [...kills].map(([name, { seed, violation }]) => {
      const what = violation.length > 90 ? `${violation.slice(0, 90)}…` : violation
      return `  ${name.padEnd(36)} seed ${String(seed).padStart(3)}  ${what}`
    })
    process.stdout.write(`\nplanted bugs and the first seed that saw each:\n${rows.join('\n')}\n`)
  })
})
