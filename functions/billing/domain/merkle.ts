import { hash } from 'node:crypto'

/**
 * The root of the Merkle tree over hex leaves, in the shape of RFC 9162 §2.1: leaves and inner nodes
 * are hashed with different first bytes, so that neither can stand for the other.
 */
export function merkleRoot(leaves: readonly string[]): string {
  return rootOf(leaves).toString('hex')
}

/** A hash beside the way from a leaf to the root, and on which side of it. */
export type Sibling = { readonly side: 'left' | 'right'; readonly hash: string }

/**
 * What proves that the leaf at `index` is under the root (RFC 9162 §2.1.3): hash the leaf, then with each
 * sibling in turn.
 */
export function merklePath(leaves: readonly string[], index: number): Sibling[] {
  if (!Number.isInteger(index) || index < 0 || index >= leaves.length) {
    throw new RangeError(`there is no leaf ${index} of ${leaves.length}`)
  }
  if (leaves.length === 1) return []
  let half = 1
  while (half * 2 < leaves.length) half *= 2
  const [left, right] = [leaves.slice(0, half), leaves.slice(half)]
  return index < half
    ? [...merklePath(left, index), { side: 'right', hash: merkleRoot(right) }]
    : [...merklePath(right, index - half), { side: 'left', hash: merkleRoot(left) }]
}

/** Of the leaves from `from` up to `to`: in place, since an hour may have some hundred thousand. */
function rootOf(leaves: readonly string[], from = 0, to = leaves.length): Buffer {
  const only = leaves[from]
  if (from === to || only === undefined) return sha256(Buffer.alloc(0))
  if (to - from === 1) return sha256(Buffer.from(`00${only}`, 'hex'))
  let half = 1
  while (half * 2 < to - from) half *= 2
  const pair = Buffer.allocUnsafe(1 + 2 * 32)
  pair[0] = 1
  rootOf(leaves, from, from + half).copy(pair, 1)
  rootOf(leaves, from + half, to).copy(pair, 33)
  return sha256(pair)
}

/** In one call: an object for each of so many small texts would cost more than hashing them. */
function sha256(bytes: Buffer): Buffer {
  return hash('sha256', bytes, 'buffer')
}
