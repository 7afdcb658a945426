import type { StepKey } from '#shared/catalogue/operation-steps.ts'
import { TIERS } from '#shared/catalogue/tiers.ts'
import type { TenantFactKind, TenantState } from '#shared/contracts/events/tenant-fact.ts'
import type { OperationInputs } from './operation.ts'

/** What an operation can be about. */
export const OPERATION_KINDS = [
  'provision',
  'tier-change',
  'suspend',
  'resume',
  'offboard',
  'offboard-cancel',
  'export',
  'purge',
  'reconcile',
] as const
export type OperationKind = (typeof OPERATION_KINDS)[number]

export type PlannedStep = {
  /** The number the specification gives the step. */
  readonly code: string
  readonly key: StepKey
  /** Whether its effect has to be undone if the operation fails: written down before the effect. */
  readonly owesUndo: boolean
}

/** A line of a plan: the step, and which operations of the kind have it; all of them unless said. */
export type PlanLine = PlannedStep & { readonly when?: (operation: OperationInputs) => boolean }

export type OperationPlan = {
  /** The tenant's state while the operation runs; null leaves the state as it is. */
  readonly runningState: TenantState | null
  /** Said in the commit that brings the tenant into that state. */
  readonly startFact: TenantFactKind | null
  /**
   * What a refusal for good does: everything owed is undone; or the tenant stays in its state, which is
   * said to be stuck at once and tried on; or the operation fails as it is.
   */
  readonly onRefusal: 'compensate' | 'stay' | 'fail'
  /** In order; undone in reverse. A step may stand twice, for operations that need it at another place. */
  readonly steps: readonly PlanLine[]
}

/** One signed archive in the bucket, from parts that each group writes itself. */
const EXPORT_STEPS: readonly PlannedStep[] = [
  { code: 'X01', key: 'request-export', owesUndo: false },
  { code: 'X02', key: 'write-own-part', owesUndo: false },
  { code: 'X03', key: 'pack-archive', owesUndo: false },
  { code: 'X04', key: 'seal-archive', owesUndo: false },
  { code: 'X05', key: 'clean-export', owesUndo: false },
]

/**
 * What each kind of operation does.
 *
 * A step is data here and code in `operations/steps/`. An operation that is running when a step is added
 * takes it in its place, because what is done is kept by key and not by position.
 */
export const PLANS: Readonly<Record<OperationKind, OperationPlan>> = {
  provision: {
    runningState: 'PROVISIONING',
    startFact: null,
    onRefusal: 'compensate',
    steps: [
      { code: 'P01', key: 'prepare-billing', owesUndo: true },
      { code: 'P02', key: 'allocate-placement', owesUndo: true },
      { code: 'P03', key: 'create-key', owesUndo: true },
      { code: 'P04', key: 'ensure-cluster', owesUndo: true, when: hasOwnCluster },
      { code: 'P05', key: 'apply-namespace', owesUndo: true },
      { code: 'P06', key: 'apply-guardrails', owesUndo: false },
      { code: 'P07', key: 'apply-identity', owesUndo: false },
      { code: 'P07', key: 'ensure-secrets', owesUndo: true },
      { code: 'P07', key: 'bind-identity', owesUndo: true },
      { code: 'P08', key: 'apply-storage', owesUndo: false },
      { code: 'P09', key: 'seed-config', owesUndo: true },
      { code: 'P10', key: 'release-workloads', owesUndo: true },
      { code: 'P11', key: 'verify-isolation', owesUndo: false },
      { code: 'P12', key: 'register-backup', owesUndo: true },
      { code: 'P13', key: 'activate', owesUndo: false },
    ],
  },
  'tier-change': {
    runningState: 'TIER_CHANGING',
    startFact: null,
    onRefusal: 'compensate',
    // Upwards the price comes first, downwards last: nobody gets what was not charged for, and nobody pays
    // less than what still runs. For the end of a period billing is asked first, and says when that is.
    // Downwards the volume comes before the limits: undone in reverse, they allow it to be what it was.
    steps: [
      { code: 'U00', key: 'charge-tier', owesUndo: false, when: atPeriodEnd },
      { code: 'U01', key: 'precheck-tier', owesUndo: false },
      {
        code: 'U00',
        key: 'charge-tier',
        owesUndo: false,
        when: (order) => !atPeriodEnd(order) && isUp(order),
      },
      { code: 'U02', key: 'drain-slots', owesUndo: false, when: isDown },
      { code: 'U04', key: 'fit-storage', owesUndo: true, when: isDown },
      { code: 'U03', key: 'apply-limits', owesUndo: true },
      { code: 'U04', key: 'fit-storage', owesUndo: true, when: isUp },
      { code: 'U05', key: 'verify-tier', owesUndo: false },
      {
        code: 'U00',
        key: 'charge-tier',
        owesUndo: false,
        when: (order) => !atPeriodEnd(order) && isDown(order),
      },
      { code: 'U06', key: 'commit-tier', owesUndo: false },
    ],
  },
  suspend: {
    runningState: 'SUSPENDING',
    startFact: 'suspend-started',
    onRefusal: 'stay',
    steps: [
      { code: 'S02', key: 'freeze-pods', owesUndo: false },
      {
        code: 'S03',
        key: 'drain-workflows',
        owesUndo: false,
        when: ({ request }) => request.mode !== 'hard',
      },
      { code: 'S03', key: 'stop-pods', owesUndo: false },
      { code: 'S04', key: 'deny-egress', owesUndo: false },
    ],
  },
  resume: {
    runningState: 'RESUMING',
    startFact: null,
    // Undone it is suspended again: never a tenant that is said to be suspended and half works.
    onRefusal: 'compensate',
    steps: [
      { code: 'R01', key: 'allow-egress', owesUndo: true },
      { code: 'R02', key: 'thaw-pods', owesUndo: true },
      { code: 'R03', key: 'restart-workloads', owesUndo: true },
    ],
  },
  offboard: {
    runningState: 'OFFBOARDING',
    startFact: 'offboarding-started',
    onRefusal: 'stay',
    // Frozen as a soft suspension freezes, so that the archive is of what will not change any more.
    steps: [
      { code: 'O01', key: 'freeze-pods', owesUndo: false },
      { code: 'O02', key: 'drain-workflows', owesUndo: false },
      { code: 'O02', key: 'stop-pods', owesUndo: false },
      { code: 'O03', key: 'deny-egress', owesUndo: false },
      ...EXPORT_STEPS.map((step) => ({ ...step, when: wantsExport })),
    ],
  },
  'offboard-cancel': {
    runningState: 'RESUMING',
    startFact: null,
    onRefusal: 'stay',
    // Back to what it was: who left suspended comes back suspended.
    steps: [
      { code: 'R01', key: 'allow-egress', owesUndo: false, when: isFree },
      { code: 'R02', key: 'thaw-pods', owesUndo: false, when: isFree },
      { code: 'R03', key: 'restart-workloads', owesUndo: false, when: isFree },
      // An export that was cut short has left its parts.
      { code: 'X05', key: 'clean-export', owesUndo: false },
    ],
  },
  export: { runningState: null, startFact: null, onRefusal: 'fail', steps: EXPORT_STEPS },
  purge: {
    runningState: 'PURGING',
    startFact: 'purge-started',
    onRefusal: 'stay',
    steps: [
      { code: 'G01', key: 'confirm-purge', owesUndo: false },
      { code: 'G02', key: 'remove-workloads', owesUndo: false },
      { code: 'G03', key: 'delete-namespace', owesUndo: false },
      { code: 'G04', key: 'prove-volumes-gone', owesUndo: false },
      { code: 'G05', key: 'revoke-access', owesUndo: false },
      { code: 'G06', key: 'delete-secrets', owesUndo: false },
      { code: 'G07', key: 'await-erased', owesUndo: false },
      { code: 'G07', key: 'erase-documents', owesUndo: false },
      { code: 'G08', key: 'delete-objects', owesUndo: false },
      { code: 'G09', key: 'delete-backups', owesUndo: false },
      { code: 'G10', key: 'shred-key', owesUndo: false },
      // Before the wait for the key: nobody pays for a cluster of nobody's for a month.
      { code: 'G11', key: 'delete-cluster', owesUndo: false, when: hasOwnCluster },
      { code: 'G10', key: 'await-key-destroyed', owesUndo: false },
      { code: 'G10', key: 'delete-key', owesUndo: false },
      // With the tombstone and the end of the tenant's document: one commit.
      { code: 'G13', key: 'issue-certificate', owesUndo: false },
    ],
  },
  reconcile: {
    runningState: null,
    startFact: null,
    onRefusal: 'fail',
    steps: [
      { code: 'D01', key: 'detect-drift', owesUndo: false },
      { code: 'D02', key: 'correct-drift', owesUndo: false },
      { code: 'D03', key: 'verify-isolation', owesUndo: false },
      // A key that was disabled by mistake comes back, as long as it is not destroyed.
      { code: 'D04', key: 'create-key', owesUndo: false },
      { code: 'D05', key: 'ensure-secrets', owesUndo: false },
      { code: 'D05', key: 'bind-identity', owesUndo: false },
    ],
  },
}

/**
 * The steps of an operation, in order. They follow from what was ordered, which never changes, so that
 * the same operation has the same steps whenever it is asked.
 */
export function stepsOf(operation: OperationInputs): readonly PlannedStep[] {
  return PLANS[operation.kind].steps.filter(({ when }) => when === undefined || when(operation))
}

function atPeriodEnd({ request }: OperationInputs): boolean {
  return request.effective === 'period_end'
}

function isUp({ from, desired }: OperationInputs): boolean {
  return from.tier === null || TIERS.indexOf(desired.tier) > TIERS.indexOf(from.tier)
}

function isDown(order: OperationInputs): boolean {
  return !isUp(order)
}

function wantsExport({ request }: OperationInputs): boolean {
  return request.export === true
}

function isFree({ desired }: OperationInputs): boolean {
  return desired.suspension === null
}

/** Dedicated and hybrid tenants are not on the shared cluster. */
function hasOwnCluster({ desired }: OperationInputs): boolean {
  return desired.deploymentModel !== 'multi_tenant'
}
