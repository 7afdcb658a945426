import { z } from 'zod'
import { STEP_KEYS } from '#shared/catalogue/operation-steps.ts'
import { DEPLOYMENT_MODELS, TIERS } from '#shared/catalogue/tiers.ts'
import { TENANT_STATES } from '#shared/contracts/events/tenant-fact.ts'
import { parseTenantId, type TenantId } from '#shared/ids.ts'
import { parser } from '#shared/json.ts'
import { type Answers, NO_ANSWERS, OPERATION_STATUSES, type Operation } from '../domain/operation.ts'
import { OPERATION_KINDS } from '../domain/plans.ts'
import { SUSPENSION_MODES, SUSPENSION_REASONS, type Tenant } from '../domain/tenant.ts'

const tenantId = z.custom<TenantId>((value) => parseTenantId(value).ok)
const count = z.number().int().nonnegative()

const suspension = z.object({ mode: z.enum(SUSPENSION_MODES), reason: z.enum(SUSPENSION_REASONS) })

const desired = z.object({
  tier: z.enum(TIERS),
  deploymentModel: z.enum(DEPLOYMENT_MODELS),
  region: z.string(),
  trialEndsAt: z.string().nullable(),
  suspension: suspension.nullable().default(null),
})

const runningOperation = z.object({
  operationId: z.string(),
  kind: z.enum(OPERATION_KINDS),
  step: z.enum(STEP_KEYS),
  attempt: count,
  fence: count,
  leaseBy: z.string(),
  leaseUntilMs: count,
  dueAtMs: count,
})

const waitingOperation = z.object({
  operationId: z.string(),
  kind: z.enum(OPERATION_KINDS),
  notBeforeMs: count.nullable(),
})

/** `tenants/{tenantId}`, as it is stored; members that came later are filled in. */
export const parseTenant = parser<Tenant>(
  z.object({
    tenantId,
    displayName: z.string(),
    state: z.enum(TENANT_STATES),
    revision: count,
    factSequence: count,
    specRevision: count,
    desired,
    observed: z.object({
      tier: z.enum(TIERS).nullable(),
      subscriptionId: z.string().nullable(),
      planId: z.string().nullable(),
      suspension: suspension.nullable().default(null),
    }),
    placement: z.object({ cluster: z.string(), namespace: z.string() }).nullable(),
    namespaceUid: z.string().nullable(),
    op: runningOperation.nullable(),
    fence: count.default(0),
    queue: z.array(waitingOperation).default([]),
    holds: z.array(suspension.extend({ by: z.enum(['billing', 'operator']) })).default([]),
    legalHold: z.object({ reference: z.string(), atMs: count }).nullable().default(null),
    purgeApprovals: z.array(z.object({ approver: z.string(), atMs: count, reason: z.string() })).default([]),
    commandSeq: z.record(z.string(), z.string().regex(/^\d{1,19}$/)).default({}),
    graceEndsAtMs: count.nullable().default(null),
    before: z.enum(['ACTIVE', 'SUSPENDED']).nullable().default(null),
    keyName: z.string().nullable().default(null),
    export: z
      .object({ operationId: z.string(), object: z.string(), sha256: z.string(), atMs: count })
      .nullable()
      .default(null),
    createdAtMs: count,
  }),
)

const stepRecord = z.object({
  status: z.enum(['pending', 'intended', 'waiting', 'done', 'undone']),
  attempts: count,
  refusals: count,
  undo: z.enum(['none', 'owed', 'done']),
  waitingFor: z.string().nullable(),
  lastError: z.object({ code: z.string(), text: z.string(), retriable: z.boolean() }).nullable(),
  evidence: z.record(z.string(), z.string()),
})

const refused = z.object({ kind: z.literal('refused'), reason: z.string() })
const exported = z.object({ manifest: z.string(), sha256: z.string() })
const erased = z.object({ counts: z.record(z.string(), count), archived: count, atMs: count })

const answers: z.ZodType<Answers> = z.object({
  subscription: z
    .discriminatedUnion('kind', [
      z.object({ kind: z.literal('ready'), subscriptionId: z.string(), planId: z.string() }),
      refused,
    ])
    .nullable(),
  charge: z
    .discriminatedUnion('kind', [
      z.object({
        kind: z.literal('charged'),
        tier: z.enum(TIERS),
        planId: z.string(),
        effectiveAtMs: count,
      }),
      refused,
    ])
    .nullable(),
  slots: z.union([z.object({ drainedAtMs: count }), z.object({ heldAtMs: count })]).nullable(),
  authErased: erased.nullable(),
  billingErased: erased.nullable(),
  authExported: exported.nullable().default(null),
  billingExported: exported.nullable().default(null),
})

const request = z.object({
  toTier: z.enum(TIERS).optional(),
  effective: z.enum(['now', 'period_end']).optional(),
  mode: z.enum(SUSPENSION_MODES).optional(),
  reason: z.string().optional(),
  graceDays: count.optional(),
  approvals: z.array(z.object({ approver: z.string(), atMs: count })).optional(),
  export: z.boolean().optional(),
  scope: z.string().optional(),
  backTo: z.enum(['ACTIVE', 'SUSPENDED']).optional(),
})

/** `tenants/{tenantId}/lifecycle_operations/{operationId}`, as it is stored. */
export const parseOperation = parser<Operation>(
  z.object({
    operationId: z.string(),
    tenantId,
    kind: z.enum(OPERATION_KINDS),
    status: z.enum(OPERATION_STATUSES),
    desired,
    request: request.default({}),
    from: z
      .object({ tier: z.enum(TIERS).nullable(), state: z.enum(TENANT_STATES) })
      .default({ tier: null, state: 'REQUESTED' }),
    steps: z.partialRecord(z.enum(STEP_KEYS), stepRecord) as z.ZodType<Operation['steps']>,
    answers: answers.default(NO_ANSWERS),
    failure: z
      .object({ step: z.enum(STEP_KEYS), code: z.string(), blocked: z.boolean().default(false) })
      .nullable(),
    resumeAtMs: count.nullable().default(null),
    startedAtMs: count,
    patientSinceMs: count.default(0),
    stuckAtMs: count.nullable(),
    endedAtMs: count.nullable(),
  }),
)
