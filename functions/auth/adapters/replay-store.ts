import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { timestamp } from '#shared/firestore/values.ts'
import { hashedId, sha256Hex } from '#shared/ids.ts'
import type { Parse } from '#shared/json.ts'
import { ok } from '#shared/result.ts'
import type { ReplayStore } from '../ports.ts'

const REPLAY = 'auth_replay'
/** Longer than any clock we accept can be behind. */
const MARGIN_MS = 5 * 60_000

/** What may count once, as documents that are created and never changed. */
export function firestoreReplayStore(tenants: TenantFirestore): ReplayStore {
  return {
    claimOnce: async (ctx, { kind, issuer, jti, expSeconds }) => {
      const id = replayId(kind, issuer, jti)
      const claimed = await tenants.optimistic(ctx, undefined, async (db) => {
        const fields = { kind, expireAt: timestamp(expSeconds * 1000 + MARGIN_MS) }
        return ok({ value: true, writes: [db.create([REPLAY, id], fields, { once: true })] })
      })
      return claimed.ok && !claimed.value.duplicate
    },
    wasClaimed: (ctx, { kind, issuer, jti }) =>
      tenants.withTenant(ctx, async (db) => {
        const found = await db.find([REPLAY, replayId(kind, issuer, jti)], parseAnything)
        return found !== undefined
      }),
  }
}

/** Hashed apart: what comes from outside may hold a NUL. */
function replayId(kind: string, issuer: string, jti: string): string {
  return hashedId(kind, sha256Hex(issuer), sha256Hex(jti))
}

const parseAnything: Parse<true> = () => ok(true)
