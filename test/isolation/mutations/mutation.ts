/**
 * One check taken out of the source, and the tests that must notice.
 *
 * `find` stands in the file exactly once, so that an entry cannot go stale unseen. `types` means that
 * the compiler must refuse what is left.
 */
export type Mutation = {
  readonly file: string
  readonly without: string
  readonly find: string
  readonly replace: string
  readonly caughtBy: readonly string[] | 'types'
}

/** Mutations of one file, each `[what is missing, text, replacement, tests unless the usual ones]`. */
export function mutationsOf(
  file: string,
  usual: Mutation['caughtBy'],
  rows: readonly (readonly [without: string, find: string, replace: string, tests?: Mutation['caughtBy']])[],
): Mutation[] {
  return rows.map(([without, find, replace, tests]) => ({
    file,
    without,
    find,
    replace,
    caughtBy: tests ?? usual,
  }))
}

export const FRESH = 'test/shared/http/fresh-sign-in.test.ts'
export const PROOFS = 'test/shared/tenancy/proofs.test.ts'
export const STORE = 'test/shared/firestore/store.test.ts'
export const FAULTS = 'test/shared/firestore/faults.test.ts'
export const COMMITS = 'test/shared/firestore/commits.test.ts'
export const VERIFY = 'test/shared/firestore/verify.test.ts'
export const SUBSCRIPTIONS = 'test/billing/adapters/subscriptions.test.ts'
export const CLOCKS = 'test/billing/clocks.test.ts'
export const AUTH_GUARDS = 'test/auth/adapters/guards.test.ts'
export const LIFECYCLE = 'test/tenant-events/adapters/lifecycle-guards.test.ts'
export const DEADLINES = 'test/shared/firestore/deadlines.test.ts'
export const ORDER = 'test/shared/firestore/outbox-order.test.ts'
export const CREDENTIALS = 'test/shared/firestore/credentials.test.ts'
export const LEASES = 'test/shared/firestore/leases.test.ts'
export const IDS = 'test/isolation/ids.test.ts'
export const TOKENS = 'test/shared/tokens/tokens.test.ts'
export const STATES = 'test/shared/firestore/state-generations.test.ts'
export const REVOKING = 'test/shared/firestore/revocation-writes.test.ts'
export const MARKS = 'test/shared/tokens/revocation-marks.test.ts'
export const VIEW = 'test/shared/tokens/revocations.test.ts'
export const FUZZ = 'test/isolation/tokens.test.ts'
export const EVENTS = 'test/shared/pubsub/event-edge.test.ts'
export const EDGE = 'test/shared/http/edge.test.ts'
