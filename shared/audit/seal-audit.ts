import { CHAIN_START, nextLink } from '../contracts/audit-chain.ts'
import { type HeadSigner, signHead } from '../contracts/audit-head.ts'
import { type AuditChainStore, ownerOf, type PendingSegment } from '../firestore/audit-chain.ts'
import type { Ids, TenantId } from '../ids.ts'
import { errorFields, type Logger } from '../log.ts'

export type SealAuditDeps = {
  readonly ids: Ids
  readonly auditChain: AuditChainStore
  /** The group's key that signs at this instant; asked for once in a run that has something to seal. */
  readonly headSigner: (nowMs: number) => Promise<HeadSigner>
}

/** So many segments one run takes; what is left waits for the next, a minute later. */
const MOST_IN_A_RUN = 2_000
/** A link must fit into one document and one commit. */
const MOST_IN_A_LINK = 400

/**
 * Chains the segments of a group that wait, tenant by tenant; answers how many.
 *
 * A note beside each segment says that it waits, and goes in the commit that chains it: none is chained
 * twice and none is forgotten, whenever its commit becomes visible and however often this runs at once.
 * One tenant that cannot be sealed holds up nobody else, and one that is gone is sealed like any other.
 * Throws when what waits cannot be read or nothing can be signed at all.
 */
export async function sealAudit(
  deps: SealAuditDeps,
  { nowMs, log, signal }: { readonly nowMs: number; readonly log: Logger; readonly signal?: AbortSignal },
): Promise<number> {
  const waiting = await deps.auditChain.pending(MOST_IN_A_RUN)
  if (waiting.length === 0) return 0
  const signer = await deps.headSigner(nowMs)
  let sealed = 0
  for (const [tenantId, segments] of Map.groupBy(waiting, (one) => one.tenantId)) {
    if (signal?.aborted === true) break
    try {
      sealed += await sealTenant(deps, signer, { tenantId, segments, nowMs, log })
    } catch (error) {
      log.warn('audit not sealed', { tenantId, ...errorFields(error) })
    }
  }
  return sealed
}

type Waiting = {
  readonly tenantId: TenantId
  readonly segments: readonly PendingSegment[]
  readonly nowMs: number
  readonly log: Logger
}

async function sealTenant(
  { auditChain, ids }: SealAuditDeps,
  signer: HeadSigner,
  { tenantId, segments, nowMs, log }: Waiting,
): Promise<number> {
  const owner = ownerOf(tenantId, auditChain.group)
  const taken = [...segments]
    .sort((left, right) => left.atMicros - right.atMicros || (left.id < right.id ? -1 : 1))
    .slice(0, MOST_IN_A_LINK)
  const known = await auditChain.head(tenantId)
  const named = taken.map(({ id, root, atMicros }) => ({ id, root, atMicros }))
  const { link, end } = nextLink(owner, known?.value.end ?? CHAIN_START, named, nowMs)
  const head = { end, signature: await signHead(owner, end, signer) }
  const commitId = ids.uuid(nowMs)
  const done = await auditChain.seal({ tenantId, known, link, head, taken, commitId })
  // Kept where whoever can write to the store cannot: an old head put back is told by this.
  if (done) log.info('audit sealed', { tenantId, count: taken.length, outcome: `${end.seq}:${end.hash}` })
  return done ? taken.length : 0
}
