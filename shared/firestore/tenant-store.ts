import type { Group } from '../catalogue/functions.ts'
import type { Clock } from '../clock.ts'
import type { Revocation } from '../contracts/revocation.ts'
import { pause } from '../deadline.ts'
import type { Ids, TenantId } from '../ids.ts'
import { asRecord, digestOf, type Parse } from '../json.ts'
import { ok, type Refusal, type Result, refuse } from '../result.ts'
import { TenantContext } from '../tenancy/context.ts'
import type { Claim } from './claim.ts'
import { commitWrites } from './commit.ts'
import type { Database } from './database.ts'
import { type Outbox, type OutboxRow, type Outgoing, outboxFields, outboxRow } from './outbox.ts'
import { CHAINED_GROUPS } from './paths.ts'
import { feedWrites } from './revocations.ts'
import { type AnyWrite, detailOf, type ScopedDb, scopedDb, type Write } from './scoped.ts'
import { systemFirestore } from './system.ts'
import { timestamp } from './values.ts'

/** Who did what to which thing: ids and hashes only, so that it outlives the tenant's data. */
export type AuditEntry = {
  readonly action: string
  readonly target: string
  readonly outcome?: string
}

/** A decision: the value to answer with, and everything that becomes true together. */
export type Commit<S, T> = {
  readonly value: T
  readonly writes: readonly Write<S>[]
  readonly events?: readonly Outgoing[]
  readonly audit?: readonly AuditEntry[]
  /** What is good no longer: told to every verifier by the feed, with the change itself. Auth alone. */
  readonly revocations?: readonly Revocation[]
  /** The tenant's auth state is another: verifiers that hold a copy read it again. Auth alone. */
  readonly stateChanged?: boolean
}

/** What a decision came to. A duplicate changed nothing; `answer` is what the first one answered, if it was kept. */
export type Committed<T> =
  | { readonly duplicate: false; readonly value: T }
  | { readonly duplicate: true; readonly answer: unknown }

/** The documents of one function group, reachable one tenant at a time. */
export type TenantFirestore = {
  /** Reads within one tenant. */
  withTenant<T>(ctx: TenantContext, read: <S>(db: ScopedDb<S>) => Promise<T>): Promise<T>
  /**
   * Reads, decides and commits: all writes, the claim, the audit and the events in one batch, guarded
   * by what was read. A loser reads and decides again, so `decide` computes and does nothing else.
   *
   * A document that is updated is guarded by itself. One that `decide` only rests on goes in with
   * `verify`, there or not, if a change of it before the commit would make the decision wrong; above all
   * where the claim is taken, since nobody decides again then. It needs none where it can only change in
   * ways that leave the decision as it is (a number that only grows), and should have none where every
   * request would verify the same document: the store lets one commit after the other have it. A `list`
   * is guarded by nothing: what must not appear beside it needs a document of its own to count it.
   *
   * With a claim the effect happens once: a redelivery is a `duplicate`, and the same id with other
   * content is refused. Committed events are published right after; what fails stays for the sweep.
   * Throws when the store is down or the contention does not end.
   */
  optimistic<T>(
    ctx: TenantContext,
    claim: Claim | undefined,
    decide: <S>(db: ScopedDb<S>) => Promise<Result<Commit<S, T>>>,
  ): Promise<Result<Committed<T>>>
}

/** The facts that leave with revocations, ready to publish. */
export type AnnounceRevocations = (
  tenantId: TenantId,
  revocations: readonly Revocation[],
  commit: { readonly commitId: string; readonly nowMs: number },
) => Promise<readonly Outgoing[]>

export type TenantStoreDeps = {
  readonly database: Database
  readonly group: Group
  readonly clock: Clock
  readonly ids: Ids
  readonly outbox: Outbox
  readonly announce?: AnnounceRevocations | undefined
  /** Hears of a commit that wrote to the revocation feed, before whoever asked for it is answered. */
  readonly onFeedWrite?: (() => void) | undefined
}

const MOST_ATTEMPTS = 8

const parseClaim: Parse<Readonly<Record<string, unknown>>> = (raw) => ok(asRecord(raw) ?? {})

/** Too many callers changed the same documents at once: worth trying again later. */
export class Contention extends Error {
  override readonly name = 'Contention'
}

export function tenantFirestore(deps: TenantStoreDeps): TenantFirestore {
  const scoped = <S>(ctx: TenantContext): ScopedDb<S> =>
    scopedDb<S>(deps.database, deps.group, tenantOf(ctx, deps.clock.now()))
  return {
    withTenant: async (ctx, read) => read(scoped(ctx)),
    optimistic: async (ctx, claim, decide) => {
      // One id for all attempts: an attempt believed lost that did commit is recognised by the next.
      const commitId = deps.ids.uuid(deps.clock.now())
      for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt += 1) {
        const db = scoped<never>(ctx)
        const decision = await decide(db)
        if (!decision.ok) return (await seenBefore(deps, ctx, claim)) ?? decision
        requireOwn(ctx, decision.value.writes)
        const nowMs = deps.clock.now()
        const told = await deps.announce?.(ctx.tenantId, decision.value.revocations ?? [], {
          commitId,
          nowMs,
        })
        const rows = [...(decision.value.events ?? []), ...(told ?? [])].map((event, at) =>
          outboxRow(event, ctx.tenantId, at, nowMs),
        )
        const writes = [
          ...claimWrites(deps.group, db, claim, decision.value.value, nowMs),
          ...decision.value.writes,
          ...rows.map((row) => db.createSystem(`${deps.group}_outbox`, row.id, outboxFields(row))),
          ...auditWrites(deps.group, db, ctx, decision.value.audit ?? [], { nowMs, commitId }),
          ...feedWrites(deps.group, ctx.tenantId, decision.value, { commitId, nowMs }),
        ]
        const outcome = await commitWrites(deps.database, writes, commitId)
        if (outcome.kind === 'duplicate') return duplicate(ctx, claim, outcome.existing)
        if (outcome.kind === 'committed') {
          const { revocations = [], stateChanged = false } = decision.value
          if (revocations.length > 0 || stateChanged) deps.onFeedWrite?.()
          await deps.outbox.dispatch(rows satisfies readonly OutboxRow[])
          return ok({ duplicate: false, value: decision.value.value })
        }
        await pause(jitterMs(deps.ids, attempt))
      }
      throw new Contention(`gave up after ${MOST_ATTEMPTS} attempts`)
    },
  }
}

function tenantOf(ctx: TenantContext, nowMs: number): TenantId {
  if (!TenantContext.is(ctx)) throw new TypeError('not a tenant context')
  if (ctx.expiresAtMs !== undefined && ctx.expiresAtMs <= nowMs) {
    throw new TypeError("the operator's grant on this tenant is over")
  }
  return ctx.tenantId
}

/** The types forbid it; this holds where somebody has talked them out of it. */
function requireOwn(ctx: TenantContext, writes: readonly AnyWrite[]): void {
  if (writes.every((write) => detailOf(write).tenantId === ctx.tenantId)) return
  throw new TypeError(`a write of another tenant in a commit of ${ctx.tenantId}`)
}

function claimWrites<S>(
  group: Group,
  db: ScopedDb<S>,
  claim: Claim | undefined,
  value: unknown,
  nowMs: number,
): Write<S>[] {
  if (claim === undefined) return []
  const fields = {
    tenantId: db.tenantId,
    kind: claim.kind,
    digest: claim.digest,
    expireAt: timestamp(nowMs + claim.keepMs),
    ...(claim.kind === 'request' ? { answer: JSON.stringify(value) } : {}),
  }
  return [db.createSystem(`${group}_inbox`, claim.id, fields, { once: true })]
}

/**
 * One sealed segment per commit: the entries and the hash over them. The sweep chains them, so that no
 * two commits of a tenant ever wait for each other.
 */
function auditWrites<S>(
  group: Group,
  db: ScopedDb<S>,
  ctx: TenantContext,
  entries: readonly AuditEntry[],
  { nowMs, commitId }: { readonly nowMs: number; readonly commitId: string },
): Write<S>[] {
  if (entries.length === 0) return []
  const sealed = entries.map((entry) => ({ at: new Date(nowMs).toISOString(), actor: ctx.actor, ...entry }))
  const { tenantId } = db
  const root = digestOf(sealed)
  const segment = db.createAudit(commitId, { tenantId, atMs: nowMs, entries: sealed, root })
  if (!CHAINED_GROUPS.some((chained) => chained === group)) return [segment]
  const waiting = { tenantId, root, createdAtMs: nowMs }
  return [segment, db.createSystem(`${group}_auditPending`, commitId, waiting)]
}

/**
 * A refusal may be the echo of our own success: a redelivery meets the state that the first delivery
 * made. Only then is the claim worth a read.
 */
async function seenBefore<T>(
  deps: TenantStoreDeps,
  ctx: TenantContext,
  claim: Claim | undefined,
): Promise<Result<Committed<T>> | undefined> {
  if (claim === undefined) return undefined
  const found = await systemFirestore(deps.database, deps.group).find(
    `${deps.group}_inbox`,
    claim.id,
    parseClaim,
  )
  return found === undefined || found.value['tenantId'] !== ctx.tenantId
    ? undefined
    : duplicate(ctx, claim, found.value)
}

/**
 * What somebody's earlier use of the claim means. One of another tenant answers nothing: an operator
 * may send one Idempotency-Key to two tenants, and the first one's answer is not the second's.
 */
function duplicate(
  ctx: TenantContext,
  claim: Claim | undefined,
  existing: Readonly<Record<string, unknown>>,
): { readonly ok: true; readonly value: { readonly duplicate: true; readonly answer: unknown } } | Refusal {
  const sameTenant = existing['tenantId'] === undefined || existing['tenantId'] === ctx.tenantId
  const sameContent = typeof existing['digest'] !== 'string' || existing['digest'] === claim?.digest
  if (claim !== undefined && !(sameTenant && sameContent)) {
    return claim.kind === 'event'
      ? refuse('event.id_reused', 'same source and id, other content or tenant')
      : refuse('request.idempotency_mismatch', 'same Idempotency-Key, other body or tenant')
  }
  const answer = sameTenant ? existing['answer'] : undefined
  return ok({ duplicate: true, answer: typeof answer === 'string' ? JSON.parse(answer) : undefined })
}

/** Full jitter, doubling from 20 ms to 1.3 s. */
function jitterMs(ids: Ids, attempt: number): number {
  return ((ids.bytes(2).readUInt16BE() / 65_536) * 20 * 2 ** attempt) | 0
}
