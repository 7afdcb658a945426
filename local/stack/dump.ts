import type { TenantId } from '#shared/ids.ts'
import { tenantClusterName, workloadSecretId } from '../../functions/tenant-events/domain/cloud-names.ts'
import type { Parts } from './parts.ts'

/**
 * What the stack holds of a tenant, or with no tenant of all: documents by path, Kubernetes objects of all
 * clusters, and keys, secrets, clusters and memberships of the cloud.
 */
type Dump = {
  readonly documents: Readonly<Record<string, unknown>>
  readonly kubernetes: readonly unknown[]
  readonly cloud: readonly unknown[]
}

/**
 * Everything below a tenant, its audit, and each top-level document that names it.
 *
 * For looking and testing only: no function can reach across tenants like this.
 */
export async function dumpTenant(parts: Parts, project: string, tenantId: string | undefined): Promise<Dump> {
  const all = parts.engines.firestore === undefined ? await readAll(parts, project) : embeddedDocuments(parts)
  const documents = Object.fromEntries(
    Object.entries(all).filter(([path, data]) => tenantId === undefined || isOf(path, data, tenantId)),
  )
  return {
    documents,
    kubernetes: dumpClusters(parts, tenantId === undefined ? undefined : `tenant-${tenantId}`),
    cloud: dumpCloud(parts).filter((one) => tenantId === undefined || names(one, tenantId)),
  }
}

function dumpClusters({ container, fleet, kubernetes }: Parts, namespace: string | undefined): unknown[] {
  return [...kubernetes.dump(namespace), ...container.dumpObjects(namespace), ...fleet.dumpObjects(namespace)]
}

function dumpCloud({ container, engines, fleet, kms }: Parts): object[] {
  const { clusters, operations } = container.dump()
  return [...kms.dump(), ...engines.secrets.dump(), ...clusters, ...operations, ...fleet.dump()]
}

/** Whether a name of the tenant stands in it as a whole, not as a part of another's. */
function names(one: object, tenantId: string): boolean {
  const id = tenantId as TenantId
  const spelled = [id, `tenant-${id}`, workloadSecretId(id), tenantClusterName(id)]
  const text = JSON.stringify(one)
  return spelled.some((name) => new RegExp(`(?<![A-Za-z0-9-])${name}(?![A-Za-z0-9-])`).test(text))
}

function isOf(path: string, data: unknown, tenantId: string): boolean {
  const [collection, id] = path.split('/')
  if (collection === 'tenants' || collection === 'tenantAudit') return id === tenantId
  return typeof data === 'object' && data !== null && 'tenantId' in data && data.tenantId === tenantId
}

function embeddedDocuments(parts: Parts): Record<string, unknown> {
  return Object.fromEntries(
    parts.engines.firestore?.dump().map((document) => [document.path, document.data]) ?? [],
  )
}

/** Google's emulator shows nothing of itself, so its documents are walked with the official client. */
async function readAll(parts: Parts, project: string): Promise<Record<string, unknown>> {
  const { Firestore } = await import('@google-cloud/firestore')
  const client = new Firestore({ projectId: project, host: parts.engines.firestoreHost, ssl: false })
  const documents: Record<string, unknown> = {}
  try {
    const pending = await client.listCollections()
    for (let collection = pending.pop(); collection !== undefined; collection = pending.pop()) {
      for (const reference of await collection.listDocuments()) {
        const snapshot = await reference.get()
        if (snapshot.exists) documents[reference.path] = snapshot.data()
        pending.push(...(await reference.listCollections()))
      }
    }
  } finally {
    await client.terminate()
  }
  return documents
}
