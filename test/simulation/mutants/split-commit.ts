import type { AnyWrite, ScopedDb, Write } from '#shared/firestore/scoped.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { ok, type Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Platform } from '#shared/wiring.ts'
import { firestoreLedger } from '../../../functions/billing/adapters/ledger.ts'
import type { BillingDeps } from '../../../functions/billing/ports.ts'

type Optimistic = TenantFirestore['optimistic']

/** The two halves of what production writes in one commit: what names a batch, and what it adds. */
export type Halves = {
  /** Creates the batch's document; true when it was there already. */
  claim(): Promise<boolean>
  /** Adds the batch to the counters, unconditionally, with other writes if need be; true when one of those was made before. */
  count(also?: <S>(db: ScopedDb<S>) => readonly Write<S>[]): Promise<boolean>
}

/** A ledger whose `append` does with the halves of a commit what a mutant likes. */
export function ledgerThat(
  platform: Platform,
  append: (halves: Halves, ctx: TenantContext, batchId: string) => Promise<'stored' | 'duplicate'>,
): BillingDeps['ledger'] {
  const { tenants } = platform
  const correct = firestoreLedger(tenants)
  return {
    read: correct.read,
    hours: correct.hours,
    days: correct.days,
    recorded: correct.recorded,
    append: async (ctx, batch, receivedAtMs) => {
      let outcome: 'stored' | 'duplicate' = 'stored'
      const optimistic = (async (
        asked: TenantContext,
        _claim: unknown,
        decide: Parameters<Optimistic>[2],
      ) => {
        const half = halfOf(platform, asked, decide)
        const halves: Halves = {
          claim: async () => isDuplicate(await half('create', () => [])),
          count: async (also) => isDuplicate(await half('merge', also ?? guardOf(platform))),
        }
        outcome = await append(halves, asked, batch.batchId)
        return ok({ duplicate: false, value: undefined })
      }) as unknown as Optimistic
      await firestoreLedger({ ...tenants, optimistic }).append(ctx, batch, receivedAtMs)
      return outcome
    },
  }
}

/** Commits the writes of one kind. */
function halfOf(platform: Platform, ctx: TenantContext, decide: Parameters<Optimistic>[2]) {
  return (
    kind: AnyWrite['kind'],
    also: <S>(db: ScopedDb<S>) => readonly Write<S>[],
  ): Promise<Result<{ duplicate: boolean }>> =>
    platform.tenants.optimistic(ctx, undefined, async (db) => {
      const decision = await decide(db)
      if (!decision.ok) return decision
      const writes = decision.value.writes.filter((write) => write.kind === kind)
      return ok({ value: undefined, writes: [...writes, ...also(db)] })
    })
}

/** A document nobody asks for: the store refuses increments that nothing guards. */
export function guardOf({ ids, clock }: Platform): <S>(db: ScopedDb<S>) => readonly Write<S>[] {
  return (db) => [db.createAudit(ids.uuid(clock.now()), { tenantId: db.tenantId, entries: [] })]
}

function isDuplicate(committed: Result<{ duplicate: boolean }>): boolean {
  return committed.ok && committed.value.duplicate
}
