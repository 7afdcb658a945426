import { CALL_FAULTS, DELIVERY_FAULTS, WORLD_FAULTS } from '#shared/testing/fault-plan.ts'
import type { Outcome } from './simulate.ts'

/** Many seeds in a few numbers; two summaries can be added up. */
export type Summary = {
  readonly seeds: number
  readonly steps: number
  readonly virtualMs: number
  /** Seeds run twice, and those of them whose traces differed. */
  readonly repeated: number
  readonly differing: readonly number[]
  /** Faults that happened, by class. */
  readonly injected: Readonly<Record<string, number>>
  readonly failed: readonly { readonly seed: number; readonly violations: readonly string[] }[]
}

export const NOTHING: Summary = {
  ...{ seeds: 0, steps: 0, virtualMs: 0, repeated: 0 },
  ...{ differing: [], injected: {}, failed: [] },
}

export function summaryOf(outcome: Outcome, again?: Outcome): Summary {
  const { seed, steps, lastedMs, injected, violations } = outcome
  return {
    ...{ seeds: 1, steps, virtualMs: lastedMs, injected: Object.fromEntries(injected) },
    repeated: again === undefined ? 0 : 1,
    differing: again === undefined || again.hash === outcome.hash ? [] : [seed],
    failed: violations.length === 0 ? [] : [{ seed, violations }],
  }
}

export function added(left: Summary, right: Summary): Summary {
  const classes = new Set([...Object.keys(left.injected), ...Object.keys(right.injected)])
  const sum = (name: string): number => (left.injected[name] ?? 0) + (right.injected[name] ?? 0)
  return {
    seeds: left.seeds + right.seeds,
    steps: left.steps + right.steps,
    virtualMs: left.virtualMs + right.virtualMs,
    repeated: left.repeated + right.repeated,
    differing: [...left.differing, ...right.differing],
    injected: Object.fromEntries([...classes].map((name) => [name, sum(name)])),
    failed: [...left.failed, ...right.failed],
  }
}

/** Classes of faults that hardly happened: a run without them proves nothing about them. */
export function blindSpots(summary: Summary, atLeast = 5): string[] {
  return [...CALL_FAULTS, ...DELIVERY_FAULTS, ...WORLD_FAULTS].filter(
    (name) => (summary.injected[name] ?? 0) < atLeast,
  )
}
