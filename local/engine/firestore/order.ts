import { type NumberValue, type Value, vectorOf } from './values.ts'

/** Where each type stands in the total order of values (Firestore's "value type ordering"). */
export function typeRank(value: Value): number {
  switch (value.kind) {
    case 'null':
      return 0
    case 'boolean':
      return 1
    case 'integer':
    case 'double':
      return 2
    case 'timestamp':
      return 3
    case 'string':
      return 4
    case 'bytes':
      return 5
    case 'reference':
      return 6
    case 'geoPoint':
      return 7
    case 'array':
      return 8
    case 'map':
      return vectorOf(value) === undefined ? 10 : 9
  }
}

/**
 * Compares any two values: negative, zero or positive.
 *
 * Zero means equal to a query, not identical: 1 and 1.0 are equal, so are 0 and -0, and NaN equals
 * itself and comes before every number.
 */
export function compareValues(left: Value, right: Value): number {
  if (left.kind === 'string' && right.kind === 'string') return compareStrings(left.value, right.value)
  const ranks = typeRank(left) - typeRank(right)
  if (ranks !== 0) return ranks
  switch (left.kind) {
    case 'boolean':
      return right.kind === 'boolean' ? Number(left.value) - Number(right.value) : 0
    case 'integer':
    case 'double':
      return right.kind === 'integer' || right.kind === 'double' ? compareNumbers(left, right) : 0
    case 'timestamp':
      return right.kind === 'timestamp' ? compareExact(left.value, right.value) : 0
    case 'bytes':
      return right.kind === 'bytes' ? Buffer.compare(left.value, right.value) : 0
    case 'reference':
      return right.kind === 'reference' ? comparePaths(left.value, right.value) : 0
    case 'geoPoint':
      return right.kind === 'geoPoint'
        ? left.latitude - right.latitude || left.longitude - right.longitude
        : 0
    case 'array':
      return right.kind === 'array' ? compareLists(left.values, right.values) : 0
    case 'map':
      return right.kind === 'map' ? compareMaps(left, right) : 0
    default:
      return 0
  }
}

/** Compares integers and doubles by their exact numeric value, however large. */
export function compareNumbers(left: NumberValue, right: NumberValue): number {
  if (left.kind === 'double' && Number.isNaN(left.value)) {
    return right.kind === 'double' && Number.isNaN(right.value) ? 0 : -1
  }
  if (right.kind === 'double' && Number.isNaN(right.value)) return 1
  return compareExact(left.value, right.value)
}

/** JavaScript compares a bigint with a number mathematically, without rounding either. */
function compareExact(left: bigint | number, right: bigint | number): number {
  return left < right ? -1 : left > right ? 1 : 0
}

/**
 * Compares two strings by their UTF-8 bytes without encoding them.
 *
 * UTF-16 order differs only where a surrogate meets a character at or above U+E000.
 */
export function compareStrings(left: string, right: string): number {
  if (left === right) return 0
  const length = Math.min(left.length, right.length)
  for (let index = 0; index < length; index++) {
    const a = left.charCodeAt(index)
    const b = right.charCodeAt(index)
    if (a !== b) return isSurrogate(a) === isSurrogate(b) ? a - b : isSurrogate(a) ? 1 : -1
  }
  return left.length - right.length
}

/** Compares two `/`-separated names segment by segment: `a/b` comes before `a-c/b`, as production has it. */
export function comparePaths(left: string, right: string): number {
  if (left === right) return 0
  const a = left.split('/')
  const b = right.split('/')
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index++) {
    const order = compareIds(a[index] ?? '', b[index] ?? '')
    if (order !== 0) return order
  }
  return a.length - b.length
}

const NUMERIC_ID = /^__id(-?\d+)__$/

/** Compares two ids; the numeric ids of imported Datastore entities (`__id7__`) come first, by number. */
export function compareIds(left: string, right: string): number {
  if (left.startsWith('__id') || right.startsWith('__id')) {
    const a = NUMERIC_ID.exec(left)?.[1]
    const b = NUMERIC_ID.exec(right)?.[1]
    if (a !== undefined && b !== undefined) {
      const difference = BigInt(a) - BigInt(b)
      return difference < 0n ? -1 : difference > 0n ? 1 : 0
    }
    if (a !== undefined) return -1
    if (b !== undefined) return 1
  }
  return compareStrings(left, right)
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff
}

function compareLists(left: readonly Value[], right: readonly Value[]): number {
  const length = Math.min(left.length, right.length)
  for (let index = 0; index < length; index++) {
    const a = left[index]
    const b = right[index]
    const order = a === undefined || b === undefined ? 0 : compareValues(a, b)
    if (order !== 0) return order
  }
  return left.length - right.length
}

function compareMaps(left: Extract<Value, { kind: 'map' }>, right: Extract<Value, { kind: 'map' }>): number {
  const vectorA = vectorOf(left)
  const vectorB = vectorOf(right)
  // Both are vectors or neither is: anything else was told apart by rank.
  if (vectorA !== undefined && vectorB !== undefined) {
    return vectorA.length - vectorB.length || compareLists(vectorA, vectorB)
  }
  const keysA = [...left.fields.keys()].sort(compareStrings)
  const keysB = [...right.fields.keys()].sort(compareStrings)
  const length = Math.min(keysA.length, keysB.length)
  for (let index = 0; index < length; index++) {
    const keyA = keysA[index] ?? ''
    const order = compareStrings(keyA, keysB[index] ?? '') || compareAt(left, right, keyA)
    if (order !== 0) return order
  }
  return keysA.length - keysB.length
}

function compareAt(
  left: Extract<Value, { kind: 'map' }>,
  right: Extract<Value, { kind: 'map' }>,
  key: string,
): number {
  const a = left.fields.get(key)
  const b = right.fields.get(key)
  return a === undefined || b === undefined ? 0 : compareValues(a, b)
}
