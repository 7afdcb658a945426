import { invalid } from '../rpc-error.ts'
import { fromWireValue } from './codec.ts'
import { isNamePath, parseFieldPath } from './paths.ts'
import type { Row } from './query-match.ts'
import { isNumber, type Value, valueAt, vectorOf, withValueAt } from './values.ts'
import type { WireFindNearest } from './wire.ts'

export type FindNearest = {
  readonly path: readonly string[]
  readonly vector: readonly number[]
  readonly measure: 'EUCLIDEAN' | 'COSINE' | 'DOT_PRODUCT'
  readonly limit: number
  readonly resultPath: readonly string[] | undefined
  readonly threshold: number | undefined
}

const MAX_NEAREST = 1000

/** Reads a vector search for the 1 to 1,000 nearest documents. */
export function parseFindNearest(wire: WireFindNearest): FindNearest {
  const vector = numbersOf(fromWireValue(wire.queryVector))
  const limit = wire.limit?.value ?? 0
  const measure = wire.distanceMeasure
  if (vector === undefined) throw invalid('find_nearest needs a query vector.')
  if (limit < 1 || limit > MAX_NEAREST)
    throw invalid(`The limit of find_nearest lies within 1 and ${MAX_NEAREST}.`)
  if (measure !== 'EUCLIDEAN' && measure !== 'COSINE' && measure !== 'DOT_PRODUCT') {
    throw invalid('find_nearest needs a distance measure.')
  }
  const path = parseFieldPath(wire.vectorField?.fieldPath ?? '')
  if (isNamePath(path)) throw invalid('find_nearest cannot search the document name.')
  const resultPath = wire.distanceResultField ? parseFieldPath(wire.distanceResultField) : undefined
  return { path, vector, measure, limit, resultPath, threshold: wire.distanceThreshold?.value }
}

/** The rows nearest to the vector, nearest first; rows without a vector of that length are left out. */
export function nearestRows(rows: readonly Row[], nearest: FindNearest): Row[] {
  const measured = rows.flatMap((row) => {
    const stored = valueAt(row.state.fields, nearest.path)
    const vector = stored === undefined ? undefined : numbersOf(stored)
    if (vector === undefined || vector.length !== nearest.vector.length) return []
    return [{ row, distance: distance(vector, nearest) }]
  })
  // With the dot product the larger is the nearer.
  const sign = nearest.measure === 'DOT_PRODUCT' ? -1 : 1
  const { threshold } = nearest
  return measured
    .filter((item) => threshold === undefined || sign * item.distance <= sign * threshold)
    .sort((a, b) => sign * (a.distance - b.distance))
    .slice(0, nearest.limit)
    .map(({ row, distance: value }) => withDistance(row, nearest.resultPath, value))
}

function withDistance(row: Row, path: readonly string[] | undefined, distance: number): Row {
  if (path === undefined) return row
  const fields = withValueAt(row.state.fields, path, { kind: 'double', value: distance })
  return { ...row, state: { ...row.state, fields } }
}

function distance(vector: readonly number[], nearest: FindNearest): number {
  const dot = sumOver(vector, nearest.vector, (a, b) => a * b)
  if (nearest.measure === 'DOT_PRODUCT') return dot
  if (nearest.measure === 'EUCLIDEAN')
    return Math.sqrt(sumOver(vector, nearest.vector, (a, b) => (a - b) ** 2))
  const lengths = Math.sqrt(
    sumOver(vector, vector, (a, b) => a * b) * sumOver(nearest.vector, nearest.vector, (a, b) => a * b),
  )
  return 1 - dot / lengths
}

function sumOver(
  left: readonly number[],
  right: readonly number[],
  term: (a: number, b: number) => number,
): number {
  return left.reduce((sum, a, index) => sum + term(a, right[index] ?? 0), 0)
}

function numbersOf(value: Value): number[] | undefined {
  return vectorOf(value)?.flatMap((item) => (isNumber(item) ? [Number(item.value)] : []))
}
