import { randomOf } from '#shared/testing/random.ts'
import { type Fault, noFaults, seededFaults } from './faults.ts'
import type { Mutant } from './mutant.ts'
import { type Outcome, simulate } from './simulate.ts'
import type { Story } from './story.ts'

/**
 * The ends that calm runs of a story come to, by the states and operations in which its asks met the tenant.
 *
 * Not by the step: a step that is cut short before its effect was not done, so that an ask that came during
 * it may end as one that came a step earlier.
 */
export type Calm = {
  readonly story: Story
  readonly byStates: ReadonlyMap<string, ReadonlySet<string>>
  readonly ends: ReadonlySet<string>
  /** Asks that are refused in some calm run, by their place. */
  readonly refused: ReadonlySet<number>
  /** Calls and commits of the longest of them. */
  readonly calls: number
  readonly commits: number
}

const calms = new Map<Story, Promise<Calm>>()

/** Calm runs of a story, once; of one with an ask that does not wait, one for each commit it can come after. */
export function calmOf(story: Story): Promise<Calm> {
  const known = calms.get(story) ?? tellCalmly(story)
  calms.set(story, known)
  return known
}

async function tellCalmly(story: Story): Promise<Calm> {
  const outcomes: Outcome[] = []
  const open = story.asks.filter(({ when }) => when === 'meanwhile').length
  const tell = async (delays: readonly number[]): Promise<void> => {
    let used = 0
    const places = story.asks.map(({ when }) => (when === 'meanwhile' ? (delays[used++] ?? 1) : 0))
    const meanwhile = (at: number): number => places[at] ?? 1
    // An ask and a step that ends at the same moment: either may be the first.
    for (const asksFirst of open > 0 ? [false, true] : [false]) {
      const outcome = await simulate({ seed: 0, story, faults: noFaults(), meanwhile, asksFirst })
      const wrong = outcome.violations.join('; ')
      if (wrong !== '') throw new Error(`${story.name}, calm: ${wrong}`)
      outcomes.push(outcome)
    }
  }
  // A delay beyond the last commit asks when all is quiet: longer ones are the same run again.
  const vary = async (delays: readonly number[]): Promise<void> => {
    if (delays.length === open) return tell(delays)
    for (let delay = 1, quiet = 0; quiet < 2; delay += 1) {
      const before = outcomes.length
      await vary([...delays, delay])
      const last = outcomes.slice(before).every(({ points }) => !points.some((point) => point.includes('/')))
      quiet += last ? 1 : 0
      if (delay > 60) break
    }
  }
  await vary([])
  return {
    story,
    byStates: endsByStates(outcomes),
    ends: new Set(outcomes.map(({ end }) => end)),
    refused: new Set(outcomes.flatMap(({ points }) => refusedOf(points))),
    calls: Math.max(...outcomes.map(({ calls }) => calls)),
    commits: Math.max(...outcomes.map(({ commits }) => commits)),
  }
}

/** What was wrong with a run, compared with the calm ones. */
export function compare(calm: Calm, outcome: Outcome): string[] {
  if (outcome.violations.length > 0) return [...outcome.violations]
  const refused = refusedOf(outcome.points).find((at) => !calm.refused.has(at))
  if (refused !== undefined) return [`ask ${refused} was answered: ${outcome.points[refused]}`]
  const expected = calm.byStates.get(statesOf(outcome.points))
  if ((expected ?? calm.ends).has(outcome.end)) return []
  const [nearest = ''] = expected ?? calm.ends
  return [`asked at ${outcome.points.join(' | ')}: ${differenceOf(nearest, outcome.end)}`]
}

function statesOf(points: readonly string[]): string {
  return points.map((point) => point.replace(/\/.*$/, '')).join(' | ')
}

function endsByStates(outcomes: readonly Outcome[]): Map<string, Set<string>> {
  const ends = new Map<string, Set<string>>()
  for (const { points, end } of outcomes) {
    const key = statesOf(points)
    ends.set(key, (ends.get(key) ?? new Set()).add(end))
  }
  return ends
}

/** The asks that were refused. */
function refusedOf(points: readonly string[]): number[] {
  return points.flatMap((point, at) => (point.startsWith('refused ') ? [at] : []))
}

/** The first member that differs, by its path; of the objects in clusters the first line. */
function differenceOf(expected: string, found: string): string {
  const [calm = '', ...calmObjects] = expected.split('\n')
  const [other = '', ...objects] = found.split('\n')
  const member = calm === '' ? undefined : firstDifference('', JSON.parse(calm), JSON.parse(other))
  if (member !== undefined) return member
  const index = calmObjects.findIndex((line, number) => line !== objects[number])
  const [left = '', right = ''] = [calmObjects[index], objects[index] ?? objects.at(-1)]
  let at = 0
  while (at < left.length && left[at] === right[at]) at += 1
  const around = (text: string): string => shortened(text.slice(Math.max(0, at - 80)))
  return `objects, ${shortened(left)}: calm …${around(left)} but …${around(right)}`
}

function firstDifference(path: string, calm: unknown, found: unknown): string | undefined {
  const [left, right] = [asMembers(calm), asMembers(found)]
  if (left === undefined || right === undefined) {
    if (calm === found) return undefined
    return `${path}: calm ${shortened(JSON.stringify(calm) ?? 'none')} but ${shortened(JSON.stringify(found) ?? 'none')}`
  }
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    const difference = firstDifference(`${path}/${key}`, left[key], right[key])
    if (difference !== undefined) return difference
  }
  return undefined
}

function asMembers(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
}

function shortened(text: string): string {
  return text.length > 160 ? `${text.slice(0, 160)}…` : text
}

export type SeededRun = {
  readonly story: Story
  readonly outcome: Outcome
  readonly violations: readonly string[]
  readonly injected: ReadonlyMap<Fault, number>
}

/** A life with all the faults that a seed draws, in a story that it draws too. */
export async function withSeed(
  seed: number,
  stories: readonly Story[],
  options: { readonly mutant?: Mutant; readonly keepTrace?: number } = {},
): Promise<SeededRun> {
  const random = randomOf(seed, 'story')
  const story = random.pick(stories)
  const calm = await calmOf(story)
  const injected = new Map<Fault, number>()
  const faults = seededFaults(seed, (fault) => void injected.set(fault, (injected.get(fault) ?? 0) + 1))
  const delays = story.asks.map(() => random.between(1, calm.commits))
  const outcome = await simulate({
    ...{ seed, story, faults, ...options },
    meanwhile: (at) => delays[at] ?? 1,
    healAfter: random.between(40, 600),
  })
  return { story, outcome, violations: compare(calm, outcome), injected }
}
