import type { ChainLink } from '#shared/contracts/audit-chain.ts'
import type { AuditChainStore, StoredHead, StoredSegment } from '#shared/firestore/audit-chain.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { type AuditPosition, isBehind } from '../domain/audit-position.ts'
import type { AuditTenants } from '../ports/audit.ts'

export type ListAuditDeps = { readonly auditChain: AuditChainStore; readonly auditTenants: AuditTenants }

/** One thing that somebody did, and where it stands in the chain. */
export type AuditEvent = {
  readonly entry: Readonly<Record<string, unknown>>
  readonly segment: StoredSegment
  /** The entry's place in its segment. */
  readonly index: number
  /** Undefined while it waits to be sealed. */
  readonly link: ChainLink | undefined
  readonly position: AuditPosition
}

export type AuditPage = {
  readonly events: readonly AuditEvent[]
  readonly next: AuditPosition | undefined
  readonly head: StoredHead | undefined
}

const MOST_WAITING = 1_000
const LINKS_AT_ONCE = 10

/**
 * What was done in a tenant, the newest first, back to `sinceMs` and no further.
 *
 * First what was committed since the last sealing, then the chain from its end. A page is the same
 * whatever is sealed while one reads.
 */
export async function listAuditEvents(
  deps: ListAuditDeps,
  asked: {
    readonly ctx: TenantContext
    readonly after: AuditPosition | undefined
    readonly limit: number
    readonly sinceMs: number
  },
): Promise<Result<AuditPage>> {
  const { ctx, limit } = asked
  if (!(await deps.auditTenants.isKnown(ctx)))
    return refuse('resource.not_found', 'auth knows no such tenant')
  const head = await deps.auditChain.head(ctx.tenantId)
  const events: AuditEvent[] = []
  for await (const event of walk(deps.auditChain, asked, head?.value.end.seq ?? 0)) {
    events.push(event)
    if (events.length > limit) break
  }
  const page = events.slice(0, limit)
  const next = events.length > limit ? page.at(-1)?.position : undefined
  return ok({ events: page, next, head: head?.value })
}

type Asked = Parameters<typeof listAuditEvents>[1]

async function* walk(store: AuditChainStore, asked: Asked, endSeq: number): AsyncGenerator<AuditEvent> {
  const { after, sinceMs } = asked
  const { tenantId } = asked.ctx
  if (after?.in !== 'chain') yield* walkWaiting(store, asked, after, after?.endSeq ?? endSeq)
  let before = after?.in === 'chain' ? after.seq + 1 : endSeq + 1
  for (;;) {
    const links = await store.links(tenantId, { before }, LINKS_AT_ONCE)
    for (const link of links) {
      // The segments of a link are at most as young as their sealing.
      if (link.sealedAtMs < sinceMs) return
      for (const [at, named] of [...link.segments.entries()].reverse()) {
        if (after?.in === 'chain' && link.seq === after.seq && at > after.segment) continue
        if (after?.in === 'waiting' && link.seq > after.endSeq && !isBehind(after, named)) continue
        if (named.atMicros < sinceMs * 1000) continue
        const segment = await store.segment(tenantId, named.id)
        // One that is gone is a matter for the check of the chain; a reader is shown what is there.
        if (segment === undefined) continue
        for (const index of newestFirst(segment)) {
          if (after?.in === 'chain' && link.seq === after.seq && at === after.segment && index >= after.entry)
            continue
          if (after?.in === 'waiting' && after.id === segment.id && index >= after.entry) continue
          const position = { in: 'chain', seq: link.seq, segment: at, entry: index } as const
          yield { entry: segment.entries[index] ?? {}, segment, index, link, position }
        }
      }
    }
    const last = links.at(-1)
    if (last === undefined || links.length < LINKS_AT_ONCE) return
    before = last.seq
  }
}

async function* walkWaiting(
  store: AuditChainStore,
  { ctx, sinceMs }: Asked,
  after: Extract<AuditPosition, { in: 'waiting' }> | undefined,
  endSeq: number,
): AsyncGenerator<AuditEvent> {
  const waiting = [...(await store.pending(MOST_WAITING, ctx.tenantId))]
    .filter((one) => one.atMicros >= sinceMs * 1000 && (after === undefined || isBehind(after, one)))
    .sort((left, right) => right.atMicros - left.atMicros || (left.id < right.id ? 1 : -1))
  for (const { id, atMicros } of waiting) {
    const segment = await store.segment(ctx.tenantId, id)
    if (segment === undefined) continue
    for (const index of newestFirst(segment)) {
      if (after?.id === id && index >= after.entry) continue
      const position = { in: 'waiting', endSeq, atMicros, id, entry: index } as const
      yield { entry: segment.entries[index] ?? {}, segment, index, link: undefined, position }
    }
  }
}

function newestFirst(segment: StoredSegment): number[] {
  return [...segment.entries.keys()].reverse()
}
