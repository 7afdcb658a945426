import type { Group } from '../catalogue/functions.ts'
import { isDocumentId, type TenantId } from '../ids.ts'

/**
 * Top-level collections and the one group that writes each (contracts §4). Whatever is not listed
 * cannot be named.
 */
export const SYSTEM_COLLECTIONS: Readonly<Record<Group, readonly string[]>> = {
  auth: [
    'auth_outbox',
    'auth_inbox',
    'auth_quarantine',
    'keyrings',
    'domainOwners',
    'authFeed',
    'auth_auditPending',
  ],
  billing: [
    'billing_outbox',
    'billing_inbox',
    'billing_quarantine',
    'plans',
    'meters',
    'stripeEvents',
    'stripeOutbox',
    'jobs',
    'billingArchive',
  ],
  lifecycle: [
    'lifecycle_outbox',
    'lifecycle_inbox',
    'lifecycle_quarantine',
    'timers',
    'tombstones',
    'deletionCertificates',
    'lifecycle_auditPending',
  ],
}

/** Groups whose sweep chains the segments of their audit; a note beside each segment waits for it. */
export const CHAINED_GROUPS = ['auth', 'lifecycle'] as const satisfies readonly Group[]

/** Segments below a tenant: collection, id, and again for nested collections. Empty: the tenant's own document. */
export type DocumentPath = readonly string[]

/** The full path of a tenant's document; throws on any path that could lead elsewhere. */
export function tenantDocumentPath(tenantId: TenantId, group: Group, path: DocumentPath): string {
  if (path.length === 0) {
    if (group !== 'lifecycle') throw new TypeError(`${group} may not touch the tenant's own document`)
    return `tenants/${tenantId}`
  }
  if (path.length % 2 !== 0) throw new TypeError(`${path.join('/')} is a collection, not a document`)
  return `tenants/${tenantId}/${checked(group, path)}`
}

/** The full path of a tenant's collection. */
export function tenantCollectionPath(tenantId: TenantId, group: Group, path: DocumentPath): string {
  if (path.length % 2 !== 1) throw new TypeError(`${path.join('/')} is a document, not a collection`)
  return `tenants/${tenantId}/${checked(group, path)}`
}

/**
 * The full path of a document in a top-level collection of the group, or in one below a document of such
 * a collection: `plans/{planId}/versions`.
 */
export function systemDocumentPath(group: Group, collection: string, id: string): string {
  const [root = '', ...below] = collection.split('/')
  if (!SYSTEM_COLLECTIONS[group].includes(root)) throw new TypeError(`${group} has no collection ${root}`)
  if (below.length % 2 !== 0) throw new TypeError(`${collection} is a document, not a collection`)
  if (![...below, id].every(isDocumentId)) throw new TypeError('not a document id')
  return `${collection}/${id}`
}

/** Where a group keeps its audit of a tenant: outside the tenant, so that no purge can reach it. */
export function auditDocumentPath(
  tenantId: TenantId,
  group: Group,
  id: string,
  kind: AuditKind = 'segments',
): string {
  if (!isDocumentId(id)) throw new TypeError('not a document id')
  return `tenantAudit/${tenantId}/${group}_${kind}/${id}`
}

/** What is kept of an audit: the sealed segments, and the links that chain them. */
export type AuditKind = 'segments' | 'chain'

export function auditCollectionPath(tenantId: TenantId, group: Group, kind: AuditKind): string {
  return `tenantAudit/${tenantId}/${group}_${kind}`
}

/** One entry of the revocation feed: auth writes it, every function reads it. */
export function feedEntryPath(shard: string, id: string): string {
  if (!isDocumentId(shard) || !isDocumentId(id)) throw new TypeError('not a document id')
  return `authFeed/${shard}/entries/${id}`
}

function checked(group: Group, path: DocumentPath): string {
  const [collection] = path
  if (collection === undefined || !collection.startsWith(`${group}_`)) {
    throw new TypeError(`${group} may not touch the collection ${collection ?? '(none)'}`)
  }
  const bad = path.find((segment) => !isDocumentId(segment))
  if (bad !== undefined) throw new TypeError('a path segment is not a document id')
  return path.join('/')
}
