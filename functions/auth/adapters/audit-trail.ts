import { sign } from 'node:crypto'
import { z } from 'zod'
import type { HeadSigner } from '#shared/contracts/audit-head.ts'
import type { SystemFirestore } from '#shared/firestore/system.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { parser } from '#shared/json.ts'
import type { PublicJwk } from '../domain/access-key.ts'
import { parseTenantAuthState } from '../domain/tenant-state.ts'
import type { AuditTenants } from '../ports/audit.ts'
import type { AccessKeyring } from '../ports.ts'

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

/** The key of a ring that signs at this instant, for the ends of audit chains. */
export function ringHeadSigner(
  keyring: Pick<AccessKeyring, 'signer'>,
): (nowMs: number) => Promise<HeadSigner> {
  return async (nowMs) => {
    const { key, kid } = await keyring.signer(nowMs)
    return {
      kid,
      sign: (bytes) => sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }).toString('base64url'),
    }
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
