import { calmOf, compare } from './check.ts'
import { type Fate, oneFault } from './faults.ts'
import type { Mutant } from './mutant.ts'
import { simulate } from './simulate.ts'
import type { Story } from './story.ts'

/** What can become of a call, beside its answer. */
export const FATES: readonly Exclude<Fate, 'answered'>[] = [
  'crash-before',
  'crash-after',
  'refused',
  'lost',
  'late',
  'frozen',
  'throttled',
]

export type Exhausted = { readonly runs: number; readonly failed: readonly string[] }

/**
 * Each fault at each call of a story, one at a time. Of a story with an ask that does not wait, the ask comes
 * at each commit in turn, unless `meanwhile` says when.
 */
export async function exhaust(
  story: Story,
  options: {
    readonly mutant?: Mutant
    readonly fates?: readonly Exclude<Fate, 'answered'>[]
    readonly stride?: number
  } = {},
): Promise<Exhausted> {
  const { mutant, fates = FATES, stride = 1 } = options
  const calm = await calmOf(story)
  const failed: string[] = []
  let runs = 0
  const hasOpen = story.asks.some(({ when }) => when === 'meanwhile')
  for (let delay = 1; delay <= (hasOpen ? calm.commits : 1); delay += stride) {
    for (const fate of fates) {
      for (let at = 1; ; at += stride) {
        const faults = oneFault(at, fate)
        const outcome = await simulate({
          ...{ seed: at, story, faults, meanwhile: () => delay },
          ...(mutant === undefined ? {} : { mutant }),
        })
        if (!faults.reached()) break
        runs += 1
        const [wrong] = compare(calm, outcome)
        const asked = hasOpen ? `, asked after ${delay} commits` : ''
        if (wrong !== undefined) failed.push(`${fate} at call ${at}${asked}: ${wrong}`)
      }
    }
  }
  return { runs, failed }
}
