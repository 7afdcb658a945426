import { calmOf, compare } from './check.ts'
import { FATES, type Fate, ILLNESSES, oneFault, outage } from './faults.ts'
import type { Mutant } from './mutant.ts'
import { type Outcome, simulate } from './simulate.ts'
import type { Story } from './story.ts'
import { SHARED_CLUSTER } from './world.ts'

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
    /** Of the commits after which an ask comes that does not wait, every so many. */
    readonly delays?: number
  } = {},
): Promise<Exhausted> {
  const { mutant, fates = FATES, stride = 1, delays = stride } = options
  const calm = await calmOf(story)
  const failed: string[] = []
  let runs = 0
  const hasOpen = story.asks.some(({ when }) => when === 'meanwhile')
  for (let delay = 1; delay <= (hasOpen ? calm.commits : 1); delay += delays) {
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

const OUTAGE_MS = 45 * 60_000

export type Outages = Exhausted & {
  /** Runs that were said to be stuck while it lasted, with what the tenant said of itself. */
  readonly stuck: number
}

/**
 * An API server that is unwell for three quarters of an hour, from each of its calls on and in each way:
 * what it comes to is what a healthy one comes to, and who waited is told what for.
 */
export async function outages(story: Story, options: { readonly stride?: number } = {}): Promise<Outages> {
  const calm = await calmOf(story)
  const failed: string[] = []
  let runs = 0
  let stuck = 0
  for (const illness of ILLNESSES) {
    for (let at = 1; ; at += options.stride ?? 1) {
      const faults = outage(SHARED_CLUSTER, at, illness, OUTAGE_MS)
      const outcome: Outcome = await simulate({ seed: at, story, faults, meanwhile: () => 3 })
      if (!faults.reached()) break
      runs += 1
      stuck += outcome.stuck.length > 0 ? 1 : 0
      const mute = outcome.stuck.find(({ help }) => help === '')
      const wrong = compare(calm, outcome)[0] ?? (mute === undefined ? undefined : `no help for ${mute.code}`)
      if (wrong !== undefined) failed.push(`${illness} from call ${at} on: ${wrong}`)
    }
  }
  return { runs, failed, stuck }
}
