import { z } from 'zod'
import { DEPLOYMENT_MODELS, type DeploymentModel, TIERS, type Tier } from '../../catalogue/tiers.ts'
import { defineEvent, type EventContract } from '../define-event.ts'

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

const schema = z.object({
  tenantId: z.string(),
  state: z.enum(TENANT_STATES),
  tier: z.enum(TIERS),
  deploymentModel: z.enum(DEPLOYMENT_MODELS),
  cluster: z.string(),
  namespace: z.string(),
  operationId: z.string().optional(),
  revision: z.number().int().nonnegative(),
  at: z.iso.datetime(),
})

const EXAMPLE: TenantFact = {
  tenantId: 'acme',
  state: 'ACTIVE',
  tier: 'standard',
  deploymentModel: 'multi_tenant',
  cluster: 'energent-shared',
  namespace: 'tenant-acme',
  operationId: 'op_01JD8K2M5QV7N9X3C6R8W1Y4ZA',
  revision: 7,
  at: '2026-11-23T09:00:00.000Z',
}

export function tenantFactType(kind: TenantFactKind): string {
  return `ai.energent.tenant.${kind}.v1`
}

/** One contract per kind: they share their data and differ in what happened. */
export const TENANT_FACTS: Readonly<Record<TenantFactKind, EventContract<TenantFact>>> = Object.fromEntries(
  TENANT_FACT_KINDS.map((kind) => [kind, defineEvent(tenantFactType(kind), schema, EXAMPLE)]),
) as Record<TenantFactKind, EventContract<TenantFact>>
