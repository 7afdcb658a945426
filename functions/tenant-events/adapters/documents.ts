import { z } from 'zod'
import { DEPLOYMENT_MODELS, TIERS } from '#shared/catalogue/tiers.ts'
import { TENANT_STATES } from '#shared/contracts/events/tenant-fact.ts'
import { parseTenantId, type TenantId } from '#shared/ids.ts'
import { parser } from '#shared/json.ts'
import type { Operation } from '../domain/operation.ts'
import { OPERATION_KINDS, STEP_KEYS } from '../domain/provisioning.ts'
import type { Tenant } from '../domain/tenant.ts'

const tenantId = z.custom<TenantId>((value) => parseTenantId(value).ok)
const count = z.number().int().nonnegative()

const desired = z.object({
  tier: z.enum(TIERS),
  deploymentModel: z.enum(DEPLOYMENT_MODELS),
  region: z.string(),
  trialEndsAt: z.string().nullable(),
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

/** `tenants/{tenantId}`, as it is stored. */
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
    }),
    placement: z.object({ cluster: z.string(), namespace: z.string() }).nullable(),
    namespaceUid: z.string().nullable(),
    op: runningOperation.nullable(),
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

/** `tenants/{tenantId}/lifecycle_operations/{operationId}`, as it is stored. */
export const parseOperation = parser<Operation>(
  z.object({
    operationId: z.string(),
    tenantId,
    kind: z.enum(OPERATION_KINDS),
    status: z.enum(['running', 'compensating', 'succeeded', 'failed']),
    desired,
    steps: z.partialRecord(z.enum(STEP_KEYS), stepRecord) as z.ZodType<Operation['steps']>,
    billing: z
      .discriminatedUnion('kind', [
        z.object({ kind: z.literal('ready'), subscriptionId: z.string(), planId: z.string() }),
        z.object({ kind: z.literal('refused'), reason: z.string() }),
      ])
      .nullable(),
    failure: z.object({ step: z.enum(STEP_KEYS), code: z.string() }).nullable(),
    startedAtMs: count,
    stuckAtMs: count.nullable(),
    endedAtMs: count.nullable(),
  }),
)
