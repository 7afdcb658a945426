/** Of each key so much is kept: an hour of a thousand events holds a stranger's prefix once in 16,000 times. */
const PREFIX_BYTES = 3
const PREFIX_DIGITS = 2 * PREFIX_BYTES
/** 150 kB, beside tallies of 800 kB in a document of 1 MiB. */
const MOST_KEYS = 50_000

/**
 * The beginnings of event keys, sorted: says of an hour which keys it cannot hold, so that one event is
 * found among millions without reading them. Never in doubt about a key that was put in; undefined where
 * there are too many.
 */
export function keyIndexOf(keys: Iterable<string>): Uint8Array | undefined {
  const prefixes = new Set<number>()
  for (const key of keys) {
    prefixes.add(prefixOf(key))
    if (prefixes.size > MOST_KEYS) return undefined
  }
  const index = Buffer.alloc(prefixes.size * PREFIX_BYTES)
  for (const [at, prefix] of Uint32Array.from(prefixes).sort().entries()) {
    index.writeUIntBE(prefix, at * PREFIX_BYTES, PREFIX_BYTES)
  }
  return index
}

/** Whether a key may be among those of an index; sure only when it says no. */
export function mayHold(index: Uint8Array, key: string): boolean {
  const sorted = Buffer.from(index.buffer, index.byteOffset, index.byteLength)
  const wanted = prefixOf(key)
  let from = 0
  let to = Math.floor(sorted.length / PREFIX_BYTES)
  while (from < to) {
    const middle = (from + to) >> 1
    const found = sorted.readUIntBE(middle * PREFIX_BYTES, PREFIX_BYTES)
    if (found === wanted) return true
    if (found < wanted) from = middle + 1
    else to = middle
  }
  return false
}

function prefixOf(key: string): number {
  return Number.parseInt(key.slice(0, PREFIX_DIGITS), 16)
}
