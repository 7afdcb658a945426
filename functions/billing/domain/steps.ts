/**
 * A long computation that can be stopped between its steps: pure, and whoever runs it decides when it
 * goes on. What it yields is what it cost since the last time, in microseconds, roughly.
 */
export type Steps<T> = Generator<number, T, undefined>

/** Runs all steps at once. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

/** Items looked at between two yields. */
const STRIDE = 1_000
/** What putting one item in its place costs in one pass. */
const PLACE_COST = 0.2

/** The items in order, as `toSorted` has them: stable. */
export function* sorting<T>(
  items: readonly T[],
  compare: (left: T, right: T) => number,
): Steps<readonly T[]> {
  let runs: (readonly T[])[] = []
  for (let at = 0; at < items.length; at += STRIDE) {
    const run = items.slice(at, at + STRIDE).sort(compare)
    runs.push(run)
    yield run.length * PLACE_COST * 10
  }
  while (runs.length > 1) {
    const merged: (readonly T[])[] = []
    for (let at = 0; at < runs.length; at += 2) {
      merged.push(yield* merging(runs[at] ?? [], runs[at + 1] ?? [], compare))
    }
    runs = merged
  }
  return runs[0] ?? []
}

function* merging<T>(
  left: readonly T[],
  right: readonly T[],
  compare: (left: T, right: T) => number,
): Steps<readonly T[]> {
  const merged: T[] = []
  let [l, r] = [0, 0]
  while (l < left.length && r < right.length) {
    const [one, other] = [left[l] as T, right[r] as T]
    if (compare(one, other) <= 0) {
      merged.push(one)
      l += 1
    } else {
      merged.push(other)
      r += 1
    }
    if (merged.length % STRIDE === 0) yield STRIDE * PLACE_COST
  }
  return merged.concat(left.slice(l), right.slice(r))
}
