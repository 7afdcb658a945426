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

export const STEP_KEYS = [
  'prepare-billing',
  'allocate-placement',
  'apply-namespace',
  'apply-guardrails',
  'apply-identity',
  'activate',
] as const
export type StepKey = (typeof STEP_KEYS)[number]

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
      { code: 'P05', key: 'apply-namespace', owesUndo: true },
      { code: 'P06', key: 'apply-guardrails', owesUndo: false },
      { code: 'P07', key: 'apply-identity', owesUndo: false },
      { code: 'P13', key: 'activate', owesUndo: false },
    ],
  },
  'tier-change': {
    runningState: 'TIER_CHANGING',
    startFact: null,
    onRefusal: 'compensate',
    steps: [],
  },
  suspend: {
    runningState: 'SUSPENDING',
    startFact: 'suspend-started',
    onRefusal: 'stay',
    steps: [],
  },
  resume: {
    runningState: 'RESUMING',
    startFact: null,
    // Undone it is suspended again: never a tenant that is said to be suspended and half works.
    onRefusal: 'compensate',
    steps: [],
  },
  offboard: {
    runningState: 'OFFBOARDING',
    startFact: 'offboarding-started',
    onRefusal: 'stay',
    steps: [],
  },
  'offboard-cancel': {
    runningState: 'RESUMING',
    startFact: null,
    onRefusal: 'stay',
    steps: [],
  },
  export: { runningState: null, startFact: null, onRefusal: 'fail', steps: [] },
  purge: {
    runningState: 'PURGING',
    startFact: 'purge-started',
    onRefusal: 'stay',
    steps: [],
  },
  reconcile: { runningState: null, startFact: null, onRefusal: 'fail', steps: [] },
}

/**
 * The steps of an operation, in order. They follow from what was ordered, which never changes, so that
 * the same operation has the same steps whenever it is asked.
 */
export function stepsOf(operation: OperationInputs): readonly PlannedStep[] {
  return PLANS[operation.kind].steps.filter(({ when }) => when === undefined || when(operation))
}
