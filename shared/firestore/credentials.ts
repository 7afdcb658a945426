import { CALL_DEADLINE_MS, withDeadline } from '../deadline.ts'
import type { TenantId } from '../ids.ts'
import type { Parse } from '../json.ts'
import { type AuthState, parseAuthState } from './auth-state.ts'
import { type Database, reach } from './database.ts'
import { tenantDocumentPath } from './paths.ts'
import { decode } from './values.ts'

/** A tenant's state and one credential in it, read together. */
export type FoundCredential<T> = {
  readonly state: AuthState | undefined
  readonly credential: T | undefined
}

/** Collections that hold what a caller is authenticated by. */
export type CredentialCollection =
  | 'auth_apiKeys'
  | 'auth_bindings'
  | 'auth_clients'
  | 'auth_connections'
  | 'auth_flows'

/**
 * Reads what a caller says to be, before anybody is proven: there is no tenant context yet, since this
 * read is what one is proven with. So it reaches these collections alone, by id, and never writes.
 *
 * One round trip for both documents. Throws when the store is down or what is stored does not parse.
 */
export async function findCredential<T>(
  database: Database,
  tenantId: TenantId,
  collection: CredentialCollection,
  id: string,
  parse: Parse<T>,
): Promise<FoundCredential<T>> {
  const { client, sdk } = await reach(database)
  const references = [
    client.doc(tenantDocumentPath(tenantId, 'auth', ['auth_state', 'current'])),
    client.doc(tenantDocumentPath(tenantId, 'auth', [collection, id])),
  ]
  const found = await withDeadline('firestore.getAll', CALL_DEADLINE_MS, client.getAll(...references))
  const parsed = <V>(index: number, parseOne: Parse<V>): V | undefined => {
    const snapshot = found.find((candidate) => candidate.ref.path === references[index]?.path)
    if (snapshot === undefined) throw new Error('the store did not answer for every document')
    if (!snapshot.exists) return undefined
    const value = parseOne(decode(sdk, snapshot.data()))
    if (!value.ok) throw new Error(`stored document ${snapshot.ref.path} does not parse: ${value.detail}`)
    return value.value
  }
  return { state: parsed(0, parseAuthState), credential: parsed(1, parse) }
}
