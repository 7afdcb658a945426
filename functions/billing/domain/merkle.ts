import { createHash } from 'node:crypto'

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
  if (leaves.length === 1) return hash(0, Buffer.from(only, 'hex'))
  let half = 1
  while (half * 2 < leaves.length) half *= 2
  return hash(1, rootOf(leaves.slice(0, half)), rootOf(leaves.slice(half)))
}

function hash(prefix: number, ...parts: readonly Buffer[]): Buffer {
  const digest = createHash('sha256').update(Buffer.of(prefix))
  for (const part of parts) digest.update(part)
  return digest.digest()
}
