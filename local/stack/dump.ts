import type { Parts } from './parts.ts'

/** What the stack holds of a tenant, or with no tenant of all: documents by path, and Kubernetes objects. */
type Dump = {
  readonly documents: Readonly<Record<string, unknown>>
  readonly kubernetes: readonly unknown[]
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
    kubernetes: parts.kubernetes.dump(tenantId === undefined ? undefined : `tenant-${tenantId}`),
  }
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
