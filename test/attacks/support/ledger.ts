import type { TestStack } from '../../e2e/test-stack.ts'

/** Tells what has been written since it was last asked: the paths of documents that last. */
export type Ledger = { written(): string[]; close(): void }

/**
 * What comes and goes by itself or is there to be written by anybody: counts, facts on their way, sign-ins
 * that were begun, proofs and assertions that were used, and the record of it all.
 */
const PASSING =
  /^(?:[a-z]+_(?:outbox|inbox|quarantine|auditPending)|tenantAudit|jobs|timers)\/|\/(?:auth_flows|auth_replay|billing_[A-Za-z]+|lifecycle_[A-Za-z]+)\//

export function startLedger(stack: TestStack): Ledger {
  const { firestore } = stack.parts().engines
  if (firestore === undefined) throw new Error('the attacks need a store that can be looked into')
  let paths: string[] = []
  const close = firestore.onCommit(({ changes }) => {
    paths.push(...changes.map(({ path }) => path).filter((path) => !PASSING.test(path)))
  })
  return {
    written: () => {
      const all = [...new Set(paths)].sort()
      paths = []
      return all
    },
    close,
  }
}
