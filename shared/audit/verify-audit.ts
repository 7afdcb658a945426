import type { Group } from '../catalogue/functions.ts'
import { CHAIN_START, type ChainEnd, type ChainLink, faultsOfLink } from '../contracts/audit-chain.ts'
import { checkHead, type HeadKey } from '../contracts/audit-head.ts'
import { type AuditChainStore, ownerOf } from '../firestore/audit-chain.ts'
import type { TenantId } from '../ids.ts'
import { digestOf } from '../json.ts'

export type VerifyAuditDeps = {
  readonly auditChain: AuditChainStore
  /** Every public key that the group ever signed with and that is kept; asked for when there is a signature. */
  readonly headKeys: () => Promise<ReadonlyMap<string, HeadKey>>
  /** None of the group's keys is ever forgotten: then a key that is not known is nobody's of ours. */
  readonly keepsAllKeys?: boolean
}

export type VerifyAudit = {
  readonly tenantId: TenantId
  readonly nowMs: number
  /** An end seen before, `seq:hash`: the chain must have been there. */
  readonly expected?: string | undefined
  /** The group may never have done anything to this tenant: then no audit at all is whole. */
  readonly mayBeNone?: boolean
}

export type AuditReport = {
  readonly group: Group
  readonly tenantId: TenantId
  readonly ok: boolean
  readonly links: number
  readonly segments: number
  readonly entries: number
  /** Committed and not chained yet; the sweep does it within minutes. */
  readonly waiting: number
  readonly head: string | null
  readonly faults: readonly string[]
  /** What could not be checked and is no proof of anything wrong. */
  readonly notes: readonly string[]
}

const PAGE = 100
const MOST_WAITING = 5_000
/** The sweep runs every minute; what waits for longer may have been put there to look new. */
const LONGEST_WAIT_MS = 3_600_000

/**
 * Checks the whole audit of a tenant: each link in itself and after the one before, each segment against
 * its link, that no segment is there that no link names, and the signature over the end.
 *
 * `expected` is an end seen before, `seq:hash`, from a log line or an earlier check: with it, a chain
 * that was cut off and signed before is found out too. Throws when the store cannot be read.
 */
export async function verifyAudit(deps: VerifyAuditDeps, asked: VerifyAudit): Promise<AuditReport> {
  const { tenantId, expected } = asked
  const { auditChain } = deps
  // First what waits: what is sealed meanwhile is then in a link, and not missing from both.
  const waiting = await auditChain.pending(MOST_WAITING, tenantId)
  const head = await auditChain.head(tenantId)
  const faults: string[] = []
  const notes: string[] = []
  const walked = await walkLinks(deps, tenantId, expected, faults)
  if (expected !== undefined && !walked.sawExpected) faults.push(`the chain has no end ${expected} any more`)
  const stray = await findStrays(deps, tenantId, walked.named, new Set(waiting.map(({ id }) => id)))
  for (const id of stray) faults.push(`segment ${id} is in no link and does not wait for one`)
  for (const { id, atMicros } of waiting) {
    if (asked.nowMs - atMicros / 1000 > LONGEST_WAIT_MS)
      faults.push(`segment ${id} has waited for more than an hour`)
  }
  if (head === undefined) {
    if (walked.end.seq > 0) faults.push('the chain has links and no head')
    // A group writes an entry when it first hears of a tenant, so nothing at all is nobody's audit.
    else if (waiting.length === 0 && asked.mayBeNone !== true)
      faults.push('there is no audit: no such tenant, or all of it was removed')
  } else {
    const { end, signature } = head.value
    // Links may have been added since the head was read; the head must be one of the ends passed.
    if (walked.ends.get(end.seq) !== end.hash) faults.push('the head is not the end of the chain')
    const checked = checkHead(signature, ownerOf(tenantId, auditChain.group), end, await deps.headKeys())
    if (checked === 'bad') faults.push('the head is not signed by a key of ours')
    if (checked === 'unknown-key' && deps.keepsAllKeys === true) {
      faults.push('the head is signed by a key that is not among ours')
    } else if (checked === 'unknown-key') notes.push('the key that signed the head is kept no longer')
  }
  return {
    ...{
      group: auditChain.group,
      tenantId,
      ok: faults.length === 0,
      links: walked.end.seq,
      segments: walked.named.size,
    },
    ...{ entries: walked.entries, waiting: waiting.length },
    head: walked.end.seq === 0 ? null : `${walked.end.seq}:${walked.end.hash}`,
    ...{ faults, notes },
  }
}

type Walked = {
  end: ChainEnd
  readonly ends: Map<number, string>
  readonly named: Set<string>
  entries: number
  sawExpected: boolean
}

async function walkLinks(
  { auditChain }: VerifyAuditDeps,
  tenantId: TenantId,
  expected: string | undefined,
  faults: string[],
): Promise<Walked> {
  const owner = ownerOf(tenantId, auditChain.group)
  const walked: Walked = {
    end: CHAIN_START,
    ends: new Map(),
    named: new Set(),
    entries: 0,
    sawExpected: false,
  }
  for (;;) {
    const links = await auditChain.links(tenantId, { after: walked.end.seq }, PAGE)
    for (const link of links) {
      faults.push(...faultsOfLink(owner, walked.end, link))
      for (const { id } of link.segments) {
        if (walked.named.has(id)) faults.push(`segment ${id} is in two links`)
        walked.named.add(id)
      }
      walked.entries += await checkSegments(auditChain, tenantId, link, faults)
      const segments = walked.end.segments + link.segments.length
      walked.end = { seq: link.seq, hash: link.hash, segments, sealedAtMs: link.sealedAtMs }
      walked.ends.set(link.seq, link.hash)
      walked.sawExpected ||= expected === `${link.seq}:${link.hash}`
    }
    if (links.length < PAGE) return walked
  }
}

async function checkSegments(
  auditChain: AuditChainStore,
  tenantId: TenantId,
  link: ChainLink,
  faults: string[],
): Promise<number> {
  let entries = 0
  const check = async ({ id, root }: ChainLink['segments'][number]): Promise<void> => {
    const segment = await auditChain.segment(tenantId, id)
    if (segment === undefined) faults.push(`segment ${id} of link ${link.seq} is gone`)
    else if (digestOf(segment.entries) !== root || segment.root !== root) {
      faults.push(`segment ${id} of link ${link.seq} was changed`)
    } else entries += segment.entries.length
  }
  // Some at a time: neither one round trip after the other, nor hundreds at once.
  for (let at = 0; at < link.segments.length; at += 20) {
    await Promise.all(link.segments.slice(at, at + 20).map(check))
  }
  return entries
}

async function findStrays(
  { auditChain }: VerifyAuditDeps,
  tenantId: TenantId,
  named: ReadonlySet<string>,
  waiting: ReadonlySet<string>,
): Promise<string[]> {
  const strays: string[] = []
  let after: string | undefined
  for (;;) {
    const ids = await auditChain.segmentIds(tenantId, after, 500)
    strays.push(...ids.filter((id) => !named.has(id) && !waiting.has(id)))
    if (ids.length < 500) break
    after = ids.at(-1)
  }
  // What was committed since what waits was read is no stray.
  const now = new Set((await auditChain.pending(MOST_WAITING, tenantId)).map(({ id }) => id))
  return strays.filter((id) => !now.has(id))
}
