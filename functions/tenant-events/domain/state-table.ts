import type { TenantState } from '#shared/contracts/events/tenant-fact.ts'
import type { CommandName } from './command.ts'
import type { OperationKind } from './plans.ts'

/**
 * What a command does in a state.
 *
 * - `start`: its operation begins at once, or as soon as an export or a reconciliation lets it.
 * - `queue`: its operation waits until the state is one in which it starts.
 * - `turn`: its operation takes over at the running one's next step boundary.
 * - `clear`: it takes back what waits for the opposite; nothing else happens.
 * - `desired`: what is desired changes, and whatever runs next uses it.
 * - `cancel`: the tenant has not begun to exist, and never does.
 * - `apply`: true with the commit, in any state.
 * - `no-op`: nothing changes, and the answer is that of a command that is done.
 * - `reject`: refused.
 */
export type Verdict =
  | 'start'
  | 'queue'
  | 'turn'
  | 'clear'
  | 'desired'
  | 'cancel'
  | 'apply'
  | 'no-op'
  | 'reject'

/** In the order of the columns below. */
export const TABLE_COMMANDS = [
  'tier-change',
  'suspend',
  'resume',
  'offboard',
  'offboard-cancel',
  'purge',
  'export',
  'reconcile',
  'retry',
  'legal-hold',
] as const satisfies readonly CommandName[]

type Row = Readonly<Record<CommandName, Verdict>>

/**
 * Every state × every command. The columns: tier-change, suspend, resume, offboard, offboard-cancel,
 * purge, export, reconcile, retry, legal-hold. Creating a tenant is not among them: an id that is there is
 * taken, in every state.
 *
 * A tenant that never came to be active has nothing to keep: its offboarding is a purge.
 */
export const STATE_TABLE: Readonly<Record<TenantState, Row>> = {
  REQUESTED: row('queue', 'queue', 'clear', 'cancel', 'no-op', 'cancel', 'reject', 'no-op'),
  PROVISIONING: row('queue', 'queue', 'clear', 'turn', 'no-op', 'turn', 'reject', 'no-op'),
  PROVISION_FAILED: row('desired', 'queue', 'clear', 'start', 'no-op', 'start', 'reject', 'reject'),
  REJECTED: ended(row('reject', 'reject', 'reject', 'reject', 'reject', 'reject', 'reject', 'reject')),
  ACTIVE: row('start', 'start', 'no-op', 'start', 'no-op', 'start', 'start', 'start'),
  TIER_CHANGING: row('turn', 'queue', 'clear', 'queue', 'clear', 'turn', 'queue', 'queue'),
  SUSPENDING: row('queue', 'turn', 'turn', 'queue', 'clear', 'turn', 'queue', 'queue'),
  SUSPENDED: row('queue', 'start', 'start', 'start', 'no-op', 'start', 'start', 'start'),
  RESUMING: row('queue', 'turn', 'clear', 'queue', 'clear', 'queue', 'queue', 'queue'),
  OFFBOARDING: row('reject', 'no-op', 'reject', 'no-op', 'turn', 'queue', 'queue', 'queue'),
  GRACE: row('reject', 'no-op', 'reject', 'no-op', 'start', 'start', 'start', 'start'),
  // The point of no return is the entry to this state: not even a legal hold leads back.
  PURGING: {
    ...row('reject', 'no-op', 'reject', 'no-op', 'reject', 'no-op', 'reject', 'reject'),
    'legal-hold': 'reject',
  },
  // The tenant's document goes in the commit that brings this state, so no request ever reads this row: it
  // says that a purge of what is purged has nothing to do. HTTP finds a certificate and no tenant, and answers
  // an operator's every order, a purge too, with 409: what they name as if it were there is gone.
  PURGED: ended(row('reject', 'reject', 'reject', 'reject', 'reject', 'no-op', 'reject', 'reject')),
}

/** Which command orders a kind of operation; provisioning is ordered by creating the tenant. */
export function commandOf(kind: Exclude<OperationKind, 'provision'>): CommandName {
  return kind
}

/** Whether an operation of this kind may begin in a state in which nothing runs. */
export function mayStart(state: TenantState, kind: OperationKind): boolean {
  if (kind === 'provision') return state === 'REQUESTED' || state === 'PROVISION_FAILED'
  const verdict = STATE_TABLE[state][commandOf(kind)]
  // What turns another round starts where that one has just ended.
  return verdict === 'start' || verdict === 'turn'
}

function row(
  tierChange: Verdict,
  suspend: Verdict,
  resume: Verdict,
  offboard: Verdict,
  offboardCancel: Verdict,
  purge: Verdict,
  exporting: Verdict,
  reconcile: Verdict,
): Row {
  return {
    'tier-change': tierChange,
    suspend,
    resume,
    offboard,
    'offboard-cancel': offboardCancel,
    purge,
    export: exporting,
    reconcile,
    retry: 'apply',
    'legal-hold': 'apply',
  }
}

function ended(cells: Row): Row {
  return { ...cells, retry: 'reject', 'legal-hold': 'reject' }
}
