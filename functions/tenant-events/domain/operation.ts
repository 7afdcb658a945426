import { STEP_KEYS, type StepKey } from '#shared/catalogue/operation-steps.ts'
import type { Tier } from '#shared/catalogue/tiers.ts'
import type { TenantState } from '#shared/contracts/events/tenant-fact.ts'
import type { TenantId } from '#shared/ids.ts'
import { type OperationKind, type PlannedStep, stepsOf } from './plans.ts'
import type { Desired, SuspensionMode } from './tenant.ts'

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
  /** The tenant itself is in the way, by what it uses: a tier change is then blocked, not failed. */
  readonly blocked?: boolean
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

/** What billing said about the subscription that an operation asked for. */
export type SubscriptionAnswer =
  | { readonly kind: 'ready'; readonly subscriptionId: string; readonly planId: string }
  | { readonly kind: 'refused'; readonly reason: string }

/** What billing said about the tier that an operation asked it to bill by. */
export type ChargeAnswer =
  | { readonly kind: 'charged'; readonly tier: Tier; readonly planId: string; readonly effectiveAtMs: number }
  | { readonly kind: 'refused'; readonly reason: string }

/** Since when no workflow runs, or that some still did when their time was over. */
export type SlotsAnswer = { readonly drainedAtMs: number } | { readonly heldAtMs: number }

/** How many documents a group erased, by collection, and how many it must keep by law. */
export type ErasedAnswer = {
  readonly counts: Readonly<Record<string, number>>
  readonly archived: number
  readonly atMs: number
}

/** Where a group's part of an export is listed, and the digest of that list. */
export type ExportedAnswer = { readonly manifest: string; readonly sha256: string }

/** What others answered to an operation: kept whatever step it is at; the first answer of each kind counts. */
export type Answers = {
  readonly subscription: SubscriptionAnswer | null
  readonly charge: ChargeAnswer | null
  readonly slots: SlotsAnswer | null
  readonly authErased: ErasedAnswer | null
  readonly billingErased: ErasedAnswer | null
  readonly authExported: ExportedAnswer | null
  readonly billingExported: ExportedAnswer | null
}

export const NO_ANSWERS: Answers = {
  subscription: null,
  charge: null,
  slots: null,
  authErased: null,
  billingErased: null,
  authExported: null,
  billingExported: null,
}

/** What was ordered, as it was ordered; each kind has its own members. */
export type OperationRequest = {
  readonly toTier?: Tier | undefined
  readonly effective?: 'now' | 'period_end' | undefined
  readonly mode?: SuspensionMode | undefined
  readonly reason?: string | undefined
  readonly graceDays?: number | undefined
  readonly export?: boolean | undefined
  readonly scope?: string | undefined
  /** Of an offboarding that is cancelled: the state that it leads back to. */
  readonly backTo?: 'ACTIVE' | 'SUSPENDED' | undefined
  /** Of a purge: who agreed to it. None, when the end of grace began it. */
  readonly approvals?: readonly { readonly approver: string; readonly atMs: number }[] | undefined
}

/** Queued: accepted, and waiting for another. Scheduled: begun, and waiting for its day. */
export const OPERATION_STATUSES = [
  'queued',
  'scheduled',
  'running',
  'compensating',
  'succeeded',
  'failed',
  'superseded',
  'cancelled',
] as const
export type OperationStatus = (typeof OPERATION_STATUSES)[number]

/** What an operation's steps follow from. None of it changes while it lives. */
export type OperationInputs = {
  readonly kind: OperationKind
  /** What the operation is to bring about; of a tier change, `tier` is the tier it leads to. */
  readonly desired: Desired
  readonly request: OperationRequest
  /** The tenant as it was when the operation began. */
  readonly from: { readonly tier: Tier | null; readonly state: TenantState }
}

/** One operation on a tenant, `tenants/{t}/lifecycle_operations/{operationId}`. */
export type Operation = OperationInputs & {
  readonly operationId: string
  readonly tenantId: TenantId
  readonly status: OperationStatus
  readonly steps: Readonly<Partial<Record<StepKey, StepRecord>>>
  readonly answers: Answers
  /** Why the operation turned round. */
  readonly failure: { readonly step: StepKey; readonly code: string; readonly blocked: boolean } | null
  /** When a scheduled operation goes on. */
  readonly resumeAtMs: number | null
  readonly startedAtMs: number
  /** From when on it has had time to come to an end; a retry gives it new time. */
  readonly patientSinceMs: number
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
  fields: OperationInputs & Pick<Operation, 'operationId' | 'tenantId'>,
  nowMs: number,
): Operation {
  return {
    ...fields,
    status: 'running',
    steps: {},
    answers: NO_ANSWERS,
    failure: null,
    resumeAtMs: null,
    startedAtMs: nowMs,
    patientSinceMs: nowMs,
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

/** Whether anything of it may have been done. */
export function hasBegun({ steps }: Pick<Operation, 'steps'>): boolean {
  return Object.keys(steps).length > 0
}

/** What to do next: the first step not done; when compensating, the last one whose undoing is owed. */
export function nextStep(operation: Operation): PlannedStep | undefined {
  const steps = stepsOf(operation)
  if (operation.status === 'running') return steps.find(({ key }) => stepOf(operation, key).status !== 'done')
  if (operation.status === 'compensating') {
    return steps.findLast(({ key }) => stepOf(operation, key).undo === 'owed')
  }
  return undefined
}

/** The step of the plan with this key; a key that left the plan is a bug, not a state. */
export function plannedStep(operation: OperationInputs, key: StepKey): PlannedStep {
  const planned = stepsOf(operation).find((step) => step.key === key)
  if (planned === undefined) {
    throw new Error(`${operation.kind} has no step ${key}; known are ${STEP_KEYS.join(', ')}`)
  }
  return planned
}
