import { createHash } from 'node:crypto'
import { digestOf } from '../json.ts'

/** One sealed segment as a link names it: the document's id, the hash over its entries, and when it was committed, in microseconds. */
export type ChainedSegment = {
  readonly id: string
  readonly root: string
  readonly atMicros: number
}

/**
 * One link of a tenant's audit chain: the segments committed since the last one, in the order of their
 * commits, and the hash of the link before.
 */
export type ChainLink = {
  /** From 1, without gaps. */
  readonly seq: number
  /** The hash of the link before; 64 zeros for the first. */
  readonly prev: string
  /** The Merkle root over the segments, in their order. */
  readonly root: string
  readonly segments: readonly ChainedSegment[]
  readonly sealedAtMs: number
  /** Over all of the above, the tenant and the group. */
  readonly hash: string
}

/** Where a chain ends, in the words that are signed. */
export type ChainEnd = {
  readonly seq: number
  readonly hash: string
  /** Segments in the whole chain. */
  readonly segments: number
  readonly sealedAtMs: number
}

/** Whose chain it is. */
export type ChainOwner = { readonly tenantId: string; readonly group: string }

export const CHAIN_START: ChainEnd = { seq: 0, hash: '0'.repeat(64), segments: 0, sealedAtMs: 0 }

/** The link that takes these segments in, and where the chain ends then. */
export function nextLink(
  owner: ChainOwner,
  end: ChainEnd,
  segments: readonly ChainedSegment[],
  nowMs: number,
): { readonly link: ChainLink; readonly end: ChainEnd } {
  if (segments.length === 0) throw new RangeError('a link seals something')
  const root = merkleRoot(segments.map((segment) => digestOf(plain(segment))))
  const body = { seq: end.seq + 1, prev: end.hash, root, segments, sealedAtMs: nowMs }
  const hash = linkHash(owner, body)
  return {
    link: { ...body, hash },
    end: { seq: body.seq, hash, segments: end.segments + segments.length, sealedAtMs: nowMs },
  }
}

/** What is wrong with a link in itself and after the one before it; empty when nothing is. */
export function faultsOfLink(owner: ChainOwner, before: ChainEnd, link: ChainLink): string[] {
  const faults: string[] = []
  if (link.seq !== before.seq + 1) faults.push(`link ${before.seq + 1} is missing`)
  else if (link.prev !== before.hash) faults.push(`link ${link.seq} does not follow link ${before.seq}`)
  if (link.root !== merkleRoot(link.segments.map((segment) => digestOf(plain(segment))))) {
    faults.push(`link ${link.seq} names other segments than it sealed`)
  }
  if (link.hash !== linkHash(owner, link)) faults.push(`link ${link.seq} was changed`)
  return faults
}

function linkHash(owner: ChainOwner, link: Omit<ChainLink, 'hash'>): string {
  const { seq, prev, root, segments, sealedAtMs } = link
  const { tenantId, group } = owner
  return digestOf({ v: 1, tenantId, group, seq, prev, root, count: segments.length, sealedAtMs })
}

function plain({ id, root, atMicros }: ChainedSegment): object {
  return { id, root, atMicros }
}

/**
 * The root of the Merkle tree over hex leaves, in the shape of RFC 9162 §2.1: leaves and inner nodes
 * are hashed with different first bytes, so that neither can stand for the other.
 */
export function merkleRoot(leaves: readonly string[]): string {
  return rootOf(leaves).toString('hex')
}

function rootOf(leaves: readonly string[]): Buffer {
  const [only] = leaves
  if (only === undefined) return createHash('sha256').digest()
  if (leaves.length === 1) return hashed(0, Buffer.from(only, 'hex'))
  let half = 1
  while (half * 2 < leaves.length) half *= 2
  return hashed(1, rootOf(leaves.slice(0, half)), rootOf(leaves.slice(half)))
}

function hashed(prefix: number, ...parts: readonly Buffer[]): Buffer {
  const digest = createHash('sha256').update(Buffer.of(prefix))
  for (const part of parts) digest.update(part)
  return digest.digest()
}
