import { z } from 'zod'
import type { SystemFirestore } from '#shared/firestore/system.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { parser } from '#shared/json.ts'
import type { PublicJwk } from '../domain/access-key.ts'
import { parseTenantAuthState } from '../domain/tenant-state.ts'
import type { AuditTenants } from '../ports/audit.ts'

const parseKeys = parser(
  z.object({
    keys: z.array(
      z.object({
        kid: z.string(),
        jwk: z.object({ kty: z.literal('EC'), crv: z.literal('P-256'), x: z.string(), y: z.string() }),
      }),
    ),
  }),
)

/** Every public key that the ring `events` still shows, whatever became of its private half. */
export function ringPublicKeys(system: SystemFirestore): () => Promise<ReadonlyMap<string, PublicJwk>> {
  return async () => {
    const ring = await system.find('keyrings', 'events', parseKeys)
    return new Map(ring?.value.keys.map(({ kid, jwk }) => [kid, jwk]))
  }
}

export function firestoreAuditTenants(tenants: TenantFirestore): AuditTenants {
  return {
    isKnown: (ctx) =>
      tenants.withTenant(
        ctx,
        async (db) => (await db.find(['auth_state', 'current'], parseTenantAuthState)) !== undefined,
      ),
  }
}
