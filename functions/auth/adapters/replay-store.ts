import type { ScopedDb, Write } from '#shared/firestore/scoped.ts'
import type { Commit, TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { timestamp } from '#shared/firestore/values.ts'
import { hashedId, sha256Hex } from '#shared/ids.ts'
import type { Parse } from '#shared/json.ts'
import { ok, type Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { type Once, refuseUsedAssertion } from '../domain/once.ts'
import type { ReplayStore } from '../ports.ts'

const REPLAY = 'auth_replay'
/** Longer than any clock we accept can be behind. */
const MARGIN_MS = 5 * 60_000

/** What may count once, as documents that are created and never changed. */
export function firestoreReplayStore(tenants: TenantFirestore): ReplayStore {
  return {
    claimOnce: async (ctx, once) => {
      const claimed = await tenants.optimistic(ctx, undefined, async (db) =>
        ok({ value: true, writes: [claimWrite(db, once)] }),
      )
      return claimed.ok && !claimed.value.duplicate
    },
    wasClaimed: (ctx, { kind, issuer, jti }) =>
      tenants.withTenant(ctx, async (db) => {
        const found = await db.find([REPLAY, replayId(kind, issuer, jti)], parseAnything)
        return found !== undefined
      }),
  }
}

/**
 * A conditional commit that an assertion asked for: it counts with this commit, whatever is decided, so
 * that a refusal writes it alone. Shown before, it changes nothing and is refused as no proof at all.
 */
export async function commitWithAssertion<T>(
  tenants: TenantFirestore,
  ctx: TenantContext,
  assertion: Once | undefined,
  decide: <S>(db: ScopedDb<S>) => Promise<Result<Commit<S, T>>>,
): Promise<Result<T>> {
  const committed = await tenants.optimistic<Result<T>>(ctx, undefined, async (db) => {
    const decided = await decide(db)
    const claim = assertion === undefined ? [] : [claimWrite(db, assertion)]
    if (!decided.ok) return claim.length === 0 ? decided : ok({ value: decided, writes: claim })
    const { value, writes } = decided.value
    return ok({ ...decided.value, value: ok(value), writes: [...writes, ...claim] })
  })
  if (!committed.ok) return committed
  return committed.value.duplicate ? refuseUsedAssertion() : committed.value.value
}

function claimWrite<S>(db: ScopedDb<S>, { kind, issuer, jti, expSeconds }: Once): Write<S> {
  const fields = { kind, expireAt: timestamp(expSeconds * 1000 + MARGIN_MS) }
  return db.create([REPLAY, replayId(kind, issuer, jti)], fields, { once: true })
}

/** Hashed apart: what comes from outside may hold a NUL. */
function replayId(kind: string, issuer: string, jti: string): string {
  return hashedId(kind, sha256Hex(issuer), sha256Hex(jti))
}

const parseAnything: Parse<true> = () => ok(true)
