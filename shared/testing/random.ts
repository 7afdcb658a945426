import { createHash } from 'node:crypto'

/** A stream of chance that is the same for the same seed, whatever other streams are asked. */
export type Random = {
  /** In [0, 1). */
  next(): number
  /** A whole number in [from, to]. */
  between(from: number, to: number): number
  chance(probability: number): boolean
  pick<T>(items: readonly T[]): T
  bytes(count: number): Buffer
}

/**
 * The stream of one concern of one seed.
 *
 * Each concern has its own, so that one more draw in one of them leaves the others as they were.
 * Chris Doty-Humphrey's sfc32: 128 bits of state, seeded by SHA-256.
 */
export function randomOf(seed: number, concern: string): Random {
  const digest = createHash('sha256').update(`${seed}:${concern}`).digest()
  let a = digest.readInt32LE(0)
  let b = digest.readInt32LE(4)
  let c = digest.readInt32LE(8)
  let counter = digest.readInt32LE(12)
  const word = (): number => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    c |= 0
    return sum >>> 0
  }
  const next = (): number => word() / 2 ** 32
  const between = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1))
  return {
    next,
    between,
    chance: (probability) => next() < probability,
    pick: (items) => {
      if (items.length === 0) throw new RangeError('nothing to pick from')
      return items[between(0, items.length - 1)] as (typeof items)[number]
    },
    bytes: (count) => Buffer.from(Array.from({ length: count }, () => word() & 0xff)),
  }
}
