import { findCredential } from '#shared/firestore/credentials.ts'
import type { Database } from '#shared/firestore/database.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { ok, refuse } from '#shared/result.ts'
import { type ApiKey, parseStoredApiKey } from '../domain/api-key.ts'
import { parseTenantAuthState } from '../domain/tenant-state.ts'
import type { ApiKeyCommit, ApiKeyStore } from '../ports/api-keys.ts'
import { parseCount, STATE } from './client-store.ts'

const KEYS = 'auth_apiKeys'
/** Counted in a document of its own: two requests at once cannot both take the last place. */
const COUNT = ['auth_limits', 'apiKeys']

/** The API keys of a tenant in `auth_apiKeys`, counted beside them. */
export function firestoreApiKeys(tenants: TenantFirestore, database: Database): ApiKeyStore {
  return {
    findCredential: async (tenantId, keyId) => {
      const found = await findCredential(database, tenantId, KEYS, keyId, parseStoredApiKey)
      return { state: found.state, key: found.credential }
    },
    list: (ctx, limit, after) =>
      tenants.withTenant(ctx, async (db) => {
        const options = { orderBy: [['__name__', 'asc']] as const, limit }
        const page = after === undefined ? options : { ...options, startAfter: [after] }
        const [state, found] = await Promise.all([
          db.find(STATE, parseTenantAuthState),
          db.list([KEYS], page, parseStoredApiKey),
        ])
        return state === undefined ? undefined : found.map((doc) => doc.value)
      }),
    add: (ctx, claim, key, decide) =>
      tenants.optimistic(ctx, claim, async (db) => {
        const [state, count] = await Promise.all([
          db.find(STATE, parseTenantAuthState),
          db.find(COUNT, parseCount),
        ])
        const before = count?.value.count ?? 0
        const decided = decide({ state: state?.value, count: before })
        if (!decided.ok) return decided
        const counted = { count: before + 1 }
        const writes = [
          // A key made beside the tenant's end would outlive it.
          db.verify(STATE, state),
          db.create([KEYS, key.keyId], fieldsOf(key)),
          count === undefined ? db.create(COUNT, counted) : db.update(COUNT, count, counted),
        ]
        return ok({ ...outgoingOf(decided.value), value: decided.value.value, writes })
      }),
    remove: (ctx, keyId, commit) =>
      tenants.optimistic(ctx, undefined, async (db) => {
        const path = [KEYS, keyId]
        const [key, count] = await Promise.all([db.find(path, parseStoredApiKey), db.find(COUNT, parseCount)])
        if (key === undefined) return refuse('resource.not_found', 'no such API key')
        const writes = [db.delete(path, key)]
        if (count !== undefined) {
          writes.push(db.update(COUNT, count, { count: Math.max(0, count.value.count - 1) }))
        }
        return ok({ ...outgoingOf(commit), value: null, writes })
      }),
  }
}

function outgoingOf({ events, audit, revocations = [] }: ApiKeyCommit<unknown>) {
  return {
    events: events.map((event) => ({ topic: 'auth-facts' as const, event })),
    audit,
    revocations,
  }
}

function fieldsOf(key: ApiKey): Record<string, unknown> {
  return { ...key }
}
