import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { ok, refuse } from '#shared/result.ts'
import { parseClient } from '../domain/client.ts'
import { parseTenantAuthState } from '../domain/tenant-state.ts'
import type { ClientRegister } from '../ports/clients.ts'
import { CLIENT_COUNT, CLIENTS, clientFields, parseCount, STATE } from './client-store.ts'

/** The clients of a tenant in `auth_clients`, counted beside them. */
export function firestoreClientRegister(tenants: TenantFirestore): ClientRegister {
  return {
    find: (ctx, clientId) =>
      tenants.withTenant(ctx, async (db) => (await db.find([CLIENTS, clientId], parseClient))?.value),
    list: (ctx, limit, after) =>
      tenants.withTenant(ctx, async (db) => {
        const options = { orderBy: [['__name__', 'asc']] as const, limit }
        const page = after === undefined ? options : { ...options, startAfter: [after] }
        const [state, found] = await Promise.all([
          db.find(STATE, parseTenantAuthState),
          db.list([CLIENTS], page, parseClient),
        ])
        return state === undefined ? undefined : found.map((doc) => doc.value)
      }),
    change: (ctx, claim, { clientId, keeperId }, decide) =>
      tenants.optimistic(ctx, claim, async (db) => {
        const path = [CLIENTS, clientId]
        const [found, count, keeper] = await Promise.all([
          db.find(path, parseClient),
          db.find(CLIENT_COUNT, parseCount),
          keeperId === undefined ? undefined : db.find([CLIENTS, keeperId], parseClient),
        ])
        if (found === undefined) return refuse('resource.not_found', 'no such client')
        const decided = decide({ client: found.value, keeper: keeper?.value })
        if (!decided.ok) return decided
        const { value, client, events = [], audit, revocations = [] } = decided.value
        const writes = []
        // Of two clients that end each other, one is too late.
        if (keeperId !== undefined && keeperId !== clientId) {
          writes.push(db.verify([CLIENTS, keeperId], keeper))
        }
        if (client !== undefined) writes.push(db.update(path, found, clientFields(client)))
        else {
          writes.push(db.delete(path, found))
          const left = { count: Math.max(0, (count?.value.count ?? 1) - 1) }
          if (count !== undefined) writes.push(db.update(CLIENT_COUNT, count, left))
        }
        const outgoing = events.map((event) => ({ topic: 'auth-facts' as const, event }))
        return ok({ value, writes, events: outgoing, audit, revocations })
      }),
  }
}
