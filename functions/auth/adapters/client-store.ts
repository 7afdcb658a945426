import { z } from 'zod'
import { findCredential } from '#shared/firestore/credentials.ts'
import type { Database } from '#shared/firestore/database.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { parser } from '#shared/json.ts'
import { ok } from '#shared/result.ts'
import { type Client, parseClient } from '../domain/client.ts'
import { parseTenantAuthState } from '../domain/tenant-state.ts'
import type { ClientStore, Credentials } from '../ports.ts'

export const CLIENTS = 'auth_clients'
export const STATE = ['auth_state', 'current']
/** Counted in a document of its own: two requests at once cannot both take the last place. */
export const CLIENT_COUNT = ['auth_limits', 'clients']

export const parseCount = parser(z.object({ count: z.number().int().nonnegative() }))

export function firestoreCredentials(database: Database): Credentials {
  return {
    find: async (tenantId, clientId) => {
      const { state, credential } = await findCredential(database, tenantId, CLIENTS, clientId, parseClient)
      return { state, client: credential, kept: false }
    },
  }
}

export function firestoreClientStore(tenants: TenantFirestore): ClientStore {
  return {
    add: (ctx, claim, wanted, decide) =>
      tenants.optimistic(ctx, claim, async (db) => {
        const [state, count, creator, existing] = await Promise.all([
          db.find(STATE, parseTenantAuthState),
          db.find(CLIENT_COUNT, parseCount),
          wanted.creatorId === undefined ? undefined : db.find([CLIENTS, wanted.creatorId], parseClient),
          db.find([CLIENTS, wanted.clientId], parseClient),
        ])
        const clientCount = count?.value.count ?? 0
        const decided = decide({
          state: state?.value,
          clientCount,
          creator: creator?.value,
          existing: existing?.value,
        })
        if (!decided.ok) return decided
        const { value, client, events = [], audit = [] } = decided.value
        const writes = []
        if (decided.value.state !== undefined) writes.push(db.create(STATE, { ...decided.value.state }))
        if (client !== undefined) {
          // A client made beside the tenant's end would outlive it; one of a maker who has gone, the maker.
          if (decided.value.state === undefined) writes.push(db.verify(STATE, state))
          if (wanted.creatorId !== undefined) writes.push(db.verify([CLIENTS, wanted.creatorId], creator))
          const counted = { count: clientCount + 1 }
          writes.push(db.create([CLIENTS, client.clientId], clientFields(client)))
          writes.push(
            count === undefined ? db.create(CLIENT_COUNT, counted) : db.update(CLIENT_COUNT, count, counted),
          )
        }
        return ok({
          value,
          writes,
          events: events.map((event) => ({ topic: 'auth-facts' as const, event })),
          audit,
        })
      }),
  }
}

/** A client as it is stored. */
export function clientFields(client: Client): Record<string, unknown> {
  return { ...client, secrets: client.secrets.map((secret) => ({ ...secret })) }
}
