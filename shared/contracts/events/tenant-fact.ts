import { z } from 'zod'
import { DEPLOYMENT_MODELS, type DeploymentModel, TIERS, type Tier } from '../../catalogue/tiers.ts'
import { defineEvent, type EventContract } from '../define-event.ts'
import { operationIdSchema } from '../operation-id.ts'

/** Every state a tenant can be in (tenancy.md §2). */
export const TENANT_STATES = [
  'REQUESTED',
  'PROVISIONING',
  'PROVISION_FAILED',
  'REJECTED',
  'ACTIVE',
  'TIER_CHANGING',
  'SUSPENDING',
  'SUSPENDED',
  'RESUMING',
  'OFFBOARDING',
  'GRACE',
  'PURGING',
  'PURGED',
] as const
export type TenantState = (typeof TENANT_STATES)[number]

/** The facts of a tenant's life (contracts §3). */
export const TENANT_FACT_KINDS = [
  'requested',
  'activated',
  'provision-failed',
  'tier-changed',
  'tier-change-blocked',
  'tier-change-failed',
  'suspend-started',
  'suspended',
  'resumed',
  'offboarding-started',
  'offboarding-cancelled',
  'export-ready',
  'purge-started',
  'purged',
  'deletion-certificate-issued',
  'drift-detected',
  'operation-stuck',
  'command-rejected',
] as const
export type TenantFactKind = (typeof TENANT_FACT_KINDS)[number]

/** The whole projection a listener needs; no personal data. `revision` and `at` order nothing: `sequence` does. */
export type TenantFact = {
  tenantId: string
  state: TenantState
  tier: Tier
  deploymentModel: DeploymentModel
  cluster: string
  namespace: string
  operationId?: string | undefined
  revision: number
  at: string
}

const SHAPE = z.object({
  tenantId: z.string(),
  state: z.enum(TENANT_STATES),
  tier: z.enum(TIERS),
  deploymentModel: z.enum(DEPLOYMENT_MODELS),
  cluster: z.string(),
  namespace: z.string(),
  operationId: operationIdSchema.optional(),
  revision: z.number().int().nonnegative(),
  at: z.iso.datetime(),
})

/** The states a fact can tell of. A fact that says otherwise contradicts itself and is nobody's of ours. */
const STATES_OF: Readonly<Record<TenantFactKind, readonly TenantState[]>> = {
  requested: ['REQUESTED'],
  activated: ['ACTIVE'],
  // A tenant whose making was called off before it began is REJECTED.
  'provision-failed': ['PROVISION_FAILED', 'REJECTED'],
  'tier-changed': ['ACTIVE'],
  'tier-change-blocked': ['ACTIVE'],
  // One that waited for its day is taken back in whatever state the tenant is then.
  'tier-change-failed': [
    'ACTIVE',
    'TIER_CHANGING',
    'SUSPENDING',
    'SUSPENDED',
    'RESUMING',
    'OFFBOARDING',
    'GRACE',
    'PURGING',
  ],
  'suspend-started': ['SUSPENDING'],
  suspended: ['SUSPENDED'],
  resumed: ['ACTIVE'],
  'offboarding-started': ['OFFBOARDING'],
  'offboarding-cancelled': ['ACTIVE', 'SUSPENDED'],
  'export-ready': TENANT_STATES,
  'purge-started': ['PURGING'],
  purged: ['PURGED'],
  'deletion-certificate-issued': ['PURGED'],
  'drift-detected': TENANT_STATES,
  'operation-stuck': TENANT_STATES,
  'command-rejected': TENANT_STATES,
}

export function tenantFactType(kind: TenantFactKind): string {
  return `ai.energent.tenant.${kind}.v1`
}

/** What a projection keeps of the fact it applied last. */
type Told = { readonly state: TenantState; readonly sequence: bigint }

/** Nothing leads back from these, and from the second not even to the first. */
const NO_RETURN: readonly TenantState[] = ['PURGING', 'PURGED']

/**
 * Whether a listener takes over what a fact says.
 *
 * The higher sequence wins, until the tenant is being purged: that is the point of no return. From there
 * the state alone decides, because a forged number must neither call a tenant back nor hide its purge.
 */
export function supersedes(fact: Told, known: Told | undefined): boolean {
  if (known === undefined) return true
  const [next, now] = [NO_RETURN.indexOf(fact.state), NO_RETURN.indexOf(known.state)]
  return next === now && now === -1 ? fact.sequence > known.sequence : next > now
}

/**
 * The one namespace a tenant can have: unique for ever, because tenant ids are never used again, and
 * nobody may make a listener bind to another's.
 */
export function namespaceOf(tenantId: string): string {
  return `tenant-${tenantId}`
}

/** One contract per kind: they share their data and differ in what happened. */
export const TENANT_FACTS: Readonly<Record<TenantFactKind, EventContract<TenantFact>>> = Object.fromEntries(
  TENANT_FACT_KINDS.map((kind) => [kind, defineEvent(tenantFactType(kind), schemaOf(kind), exampleOf(kind))]),
) as Record<TenantFactKind, EventContract<TenantFact>>

function schemaOf(kind: TenantFactKind): z.ZodType<TenantFact> {
  return SHAPE.refine((fact) => STATES_OF[kind].includes(fact.state), {
    path: ['state'],
    message: `is not what ${kind} tells of`,
  }).refine((fact) => fact.namespace === namespaceOf(fact.tenantId), {
    path: ['namespace'],
    message: "is not the tenant's",
  })
}

function exampleOf(kind: TenantFactKind): TenantFact {
  const [state = 'ACTIVE'] = STATES_OF[kind]
  return {
    tenantId: 'acme',
    state,
    tier: 'standard',
    deploymentModel: 'multi_tenant',
    cluster: 'energent-shared',
    namespace: namespaceOf('acme'),
    operationId: 'op_01JD8K2M5QV7N9X3C6R8W1Y4ZA',
    revision: 7,
    at: '2026-11-23T09:00:00.000Z',
  }
}
