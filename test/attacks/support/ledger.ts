import type { TestStack } from '../../e2e/test-stack.ts'

/** Everything that lasts in the store, as text by path. */
type State = ReadonlyMap<string, string>

/** Tells what an attack has changed. */
export type Ledger = {
  state(): State
  changesSince(before: State): string[]
}

/**
 * What comes and goes by itself or is there to be written by anybody: counts, facts on their way, sign-ins
 * that were begun, proofs and assertions that were used, and the record of it all.
 */
const PASSING =
  /^(?:[a-z]+_(?:outbox|inbox|quarantine|auditPending)|tenantAudit|jobs|timers)\/|\/(?:auth_flows|auth_replay|billing_[A-Za-z]+|lifecycle_[A-Za-z]+)\//

export function startLedger(stack: TestStack): Ledger {
  const state = (): State => {
    const documents = stack.parts().engines.firestore?.dump() ?? []
    return new Map(
      documents
        .filter(({ path }) => !PASSING.test(path))
        .map(({ path, data, updateTime }) => [path, `${updateTime} ${JSON.stringify(data)}`]),
    )
  }
  return {
    state,
    changesSince: (before) => {
      const after = state()
      const gone = [...before.keys()].filter((path) => !after.has(path)).map((path) => `gone: ${path}`)
      const other = [...after].filter(([path, text]) => before.get(path) !== text).map(([path]) => path)
      return [...gone, ...other]
    },
  }
}
