import type { TenantId } from '#shared/ids.ts'
import { type OperationKind, PLANS, type PlannedStep, STEP_KEYS, type StepKey } from './provisioning.ts'
import type { Desired } from './tenant.ts'

/**
 * What came of a step's last try.
 *
 * `refused` and `permanent` would be the same next time (the first for a reason of business, at once;
 * the second after a few tries, in case the refusal itself was passing); `wait` and `transient` may go
 * better.
 */
export type Failure = {
  readonly kind: 'refused' | 'permanent' | 'wait' | 'transient'
  /** A public code, such as `cluster.invalid`. */
  readonly code: string
  /** For operators: never a token, a body or personal data. */
  readonly text: string
  readonly retryAfterMs?: number
}

export type Evidence = Readonly<Record<string, string>>

export type StepRecord = {
  /** `intended`: somebody has begun, and what came of it is not known yet. */
  readonly status: 'pending' | 'intended' | 'waiting' | 'done' | 'undone'
  readonly attempts: number
  /** Permanent failures among the attempts. */
  readonly refusals: number
  readonly undo: 'none' | 'owed' | 'done'
  readonly waitingFor: string | null
  readonly lastError: { readonly code: string; readonly text: string; readonly retriable: boolean } | null
  readonly evidence: Evidence
}

/** What billing said about this operation, kept whatever step the operation is at. */
export type BillingAnswer =
  | { readonly kind: 'ready'; readonly subscriptionId: string; readonly planId: string }
  | { readonly kind: 'refused'; readonly reason: string }

/** One operation on a tenant, `tenants/{t}/lifecycle_operations/{operationId}`. */
export type Operation = {
  readonly operationId: string
  readonly tenantId: TenantId
  readonly kind: OperationKind
  readonly status: 'running' | 'compensating' | 'succeeded' | 'failed'
  /** What the operation is to bring about, as it was ordered. */
  readonly desired: Desired
  readonly steps: Readonly<Partial<Record<StepKey, StepRecord>>>
  readonly billing: BillingAnswer | null
  /** Why the operation turned round. */
  readonly failure: { readonly step: StepKey; readonly code: string } | null
  readonly startedAtMs: number
  /** When it was said to be stuck, once. */
  readonly stuckAtMs: number | null
  readonly endedAtMs: number | null
}

const UNTOUCHED: StepRecord = {
  status: 'pending',
  attempts: 0,
  refusals: 0,
  undo: 'none',
  waitingFor: null,
  lastError: null,
  evidence: {},
}

export function newOperation(
  fields: Pick<Operation, 'operationId' | 'tenantId' | 'kind' | 'desired'>,
  nowMs: number,
): Operation {
  return {
    ...fields,
    status: 'running',
    steps: {},
    billing: null,
    failure: null,
    startedAtMs: nowMs,
    stuckAtMs: null,
    endedAtMs: null,
  }
}

export function stepOf(operation: Operation, key: StepKey): StepRecord {
  return operation.steps[key] ?? UNTOUCHED
}

/** The operation with some fields of one step changed. */
export function withStep(operation: Operation, key: StepKey, fields: Partial<StepRecord>): Operation {
  return {
    ...operation,
    steps: { ...operation.steps, [key]: { ...stepOf(operation, key), ...fields } },
  }
}

/** What to do next: the first step not done; when compensating, the last one whose undoing is owed. */
export function nextStep(operation: Operation): PlannedStep | undefined {
  const { steps } = PLANS[operation.kind]
  if (operation.status === 'running') return steps.find(({ key }) => stepOf(operation, key).status !== 'done')
  if (operation.status === 'compensating') {
    return steps.findLast(({ key }) => stepOf(operation, key).undo === 'owed')
  }
  return undefined
}

/** The step of the plan with this key; a key that left the plan is a bug, not a state. */
export function plannedStep(kind: OperationKind, key: StepKey): PlannedStep {
  const planned = PLANS[kind].steps.find((step) => step.key === key)
  if (planned === undefined) throw new Error(`${kind} has no step ${key}; known are ${STEP_KEYS.join(', ')}`)
  return planned
}
