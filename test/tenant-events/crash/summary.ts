import type { SeededRun } from './check.ts'
import { FATES, type Fault } from './faults.ts'

/** Many runs in a few numbers; two summaries can be added up. */
export type Summary = {
  readonly runs: number
  readonly calls: number
  readonly virtualMs: number
  /** Seeds run twice, and those of them whose traces differed. */
  readonly repeated: number
  readonly differing: readonly number[]
  /** Faults that happened, by kind; and runs, by story. */
  readonly injected: Readonly<Record<string, number>>
  readonly stories: Readonly<Record<string, number>>
  readonly failed: readonly { readonly seed: number; readonly story: string; readonly violation: string }[]
}

export const NOTHING: Summary = {
  ...{ runs: 0, calls: 0, virtualMs: 0, repeated: 0 },
  ...{ differing: [], injected: {}, stories: {}, failed: [] },
}

export function summaryOf(seed: number, run: SeededRun, again?: SeededRun): Summary {
  const { outcome, story, violations, injected } = run
  const [violation] = violations
  const differs = again !== undefined && again.outcome.hash !== outcome.hash
  return {
    ...{ runs: 1, calls: outcome.calls, virtualMs: outcome.lastedMs },
    repeated: again === undefined ? 0 : 1,
    differing: differs ? [seed] : [],
    injected: Object.fromEntries(injected),
    stories: { [story.name]: 1 },
    failed: violation === undefined ? [] : [{ seed, story: story.name, violation }],
  }
}

export function added(left: Summary, right: Summary): Summary {
  return {
    runs: left.runs + right.runs,
    calls: left.calls + right.calls,
    virtualMs: left.virtualMs + right.virtualMs,
    repeated: left.repeated + right.repeated,
    differing: [...left.differing, ...right.differing],
    injected: addedUp(left.injected, right.injected),
    stories: addedUp(left.stories, right.stories),
    failed: [...left.failed, ...right.failed],
  }
}

function addedUp(
  left: Readonly<Record<string, number>>,
  right: Readonly<Record<string, number>>,
): Record<string, number> {
  const names = [...new Set([...Object.keys(left), ...Object.keys(right)])]
  return Object.fromEntries(names.map((name) => [name, (left[name] ?? 0) + (right[name] ?? 0)]))
}

/** Every kind of fault a run can have. */
export const FAULTS: readonly Fault[] = [
  ...FATES,
  ...(['duplicated', 'delayed', 'unpublished', 'unacknowledged', 'missed-sweep', 'skewed'] as const),
]

/** Faults that hardly happened: runs without them prove nothing about them. */
export function blindSpots(summary: Summary, atLeast = 5): Fault[] {
  return FAULTS.filter((fault) => (summary.injected[fault] ?? 0) < atLeast)
}
