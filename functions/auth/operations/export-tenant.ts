import type { ExportRequested } from '#shared/contracts/events/export-requested.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { asRecord } from '#shared/json.ts'
import type { ObjectStore } from '#shared/object-store.ts'
import type { ReceivedEvent } from '#shared/pubsub/types.ts'
import type { Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { auditSource, documentsSource, exportGroup } from '#shared/tenant-export.ts'
import type { Sealed, SealPurpose } from '../domain/personal-data.ts'
import type { PersonalData } from '../ports/people.ts'

export type ExportTenantDeps = {
  readonly tenants: TenantFirestore
  /** Undefined where there is no bucket. */
  readonly objects: Pick<ObjectStore, 'put'> | undefined
  readonly personalData: Pick<PersonalData, 'open'>
}

/** What a tenant has put in or would set up again elsewhere: no sessions, codes, proofs or counters. */
const COLLECTIONS = [
  'auth_users',
  'auth_groups',
  'auth_roles',
  'auth_invitations',
  'auth_clients',
  'auth_apiKeys',
  'auth_bindings',
  'auth_connections',
  'auth_domains',
] as const

/** Whoever has one of these could use or try it: they leave us with nobody, not even with their owner. */
const SECRET = /^(?:secrets|hmac|pepperVersion|salt|clientSecretSealed|challenge|\w*Hash)$/

/** Members that are stored sealed, and what they are called once they are readable. */
const SEALED: Readonly<Record<string, { readonly name: string; readonly purpose: SealPurpose }>> = {
  emailSealed: { name: 'email', purpose: 'email' },
  nameSealed: { name: 'name', purpose: 'name' },
  sealed: { name: 'directory', purpose: 'scim' },
}

/**
 * Writes auth's part of a tenant's export: its people readable, its machines without their secrets.
 * Not a collection, and not a member of one, is given out that is not known to be the tenant's to have.
 */
export function exportTenant(
  deps: ExportTenantDeps,
  received: ReceivedEvent<ExportRequested>,
): Promise<Result<unknown>> {
  const { tenants, objects } = deps
  const { ctx } = received
  const sources = COLLECTIONS.map((collection) =>
    documentsSource(tenants, ctx, collection, (fields) => readable(deps, ctx, fields)),
  )
  return exportGroup({ group: 'auth', tenants, objects }, received, [...sources, auditSource(tenants, ctx)])
}

async function readable(
  deps: Pick<ExportTenantDeps, 'personalData'>,
  ctx: TenantContext,
  fields: Readonly<Record<string, unknown>>,
): Promise<Readonly<Record<string, unknown>>> {
  const shown: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(fields)) {
    const sealed = Object.hasOwn(SEALED, key) ? SEALED[key] : undefined
    if (SECRET.test(key)) continue
    if (sealed !== undefined) {
      const text = typeof value === 'string' ? value : undefined
      shown[sealed.name] =
        text === undefined
          ? null
          : ((await deps.personalData.open(ctx, text as Sealed, sealed.purpose)) ?? null)
    } else {
      const below = asRecord(value)
      shown[key] = below === undefined ? value : await readable(deps, ctx, below)
    }
  }
  return shown
}
