import type { TenantFactKind, TenantState } from '#shared/contracts/events/tenant-fact.ts'

/** What an operation can be about. Later kinds (tier change, suspension, purge) add their plan below. */
export const OPERATION_KINDS = ['provision'] as const
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

export type OperationPlan = {
  readonly steps: readonly PlannedStep[]
  /** The tenant's state while the operation runs. */
  readonly runningState: TenantState
  /** The tenant's state, and the fact about it, once everything is undone. */
  readonly failedState: TenantState
  readonly failedFact: TenantFactKind
}

/**
 * The steps of each kind of operation, in order; undone in reverse.
 *
 * A step is data here and code in `operations/steps/`: adding P03 to P12 is a line in both. An
 * operation that is running when a step is added takes it in its place, because what is done is kept
 * by key and not by position.
 */
export const PLANS: Readonly<Record<OperationKind, OperationPlan>> = {
  provision: {
    steps: [
      { code: 'P01', key: 'prepare-billing', owesUndo: true },
      { code: 'P02', key: 'allocate-placement', owesUndo: true },
      { code: 'P05', key: 'apply-namespace', owesUndo: true },
      { code: 'P06', key: 'apply-guardrails', owesUndo: false },
      { code: 'P07', key: 'apply-identity', owesUndo: false },
      { code: 'P13', key: 'activate', owesUndo: false },
    ],
    runningState: 'PROVISIONING',
    failedState: 'PROVISION_FAILED',
    failedFact: 'provision-failed',
  },
}
