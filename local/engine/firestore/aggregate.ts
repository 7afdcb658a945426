import { invalid } from '../rpc-error.ts'
import { parseFieldPath } from './paths.ts'
import type { Row } from './query-match.ts'
import { rowValue } from './query-match.ts'
import { isNumber, NULL, type NumberValue, type Value } from './values.ts'
import type { WireAggregation } from './wire.ts'

type Aggregation = { alias: string } & (
  | { kind: 'count'; upTo: number }
  | { kind: 'sum' | 'average'; path: readonly string[] }
)

const MAX_AGGREGATIONS = 5

/** Reads 1 to 5 aggregations; those without an alias are named `field_1`, `field_2` …. */
export function parseAggregations(wire: readonly WireAggregation[] | undefined): Aggregation[] {
  const list = wire ?? []
  if (list.length === 0 || list.length > MAX_AGGREGATIONS) {
    throw invalid(`An aggregation query has 1 to ${MAX_AGGREGATIONS} aggregations.`)
  }
  const aggregations = list.map((item, index) => parseAggregation(item, `field_${index + 1}`))
  if (new Set(aggregations.map((item) => item.alias)).size !== aggregations.length) {
    throw invalid('The aliases of aggregations must differ.')
  }
  return aggregations
}

/** Computes the aggregations of a query's rows, by alias. */
export function aggregate(rows: readonly Row[], aggregations: readonly Aggregation[]): Map<string, Value> {
  // The service reads them from one index on all the fields: a row that lacks one is in no sum and no count.
  const paths = aggregations.flatMap((item) => (item.kind === 'count' ? [] : [item.path]))
  const complete = rows.filter((row) => paths.every((path) => rowValue(row, path) !== undefined))
  return new Map(aggregations.map((item) => [item.alias, compute(complete, item)]))
}

function parseAggregation(wire: WireAggregation, fallback: string): Aggregation {
  const alias = wire.alias || fallback
  if (wire.count !== undefined) {
    const upTo = wire.count.upTo?.value
    if (upTo !== undefined && BigInt(upTo) <= 0n) throw invalid('up_to must be greater than zero.')
    return { alias, kind: 'count', upTo: upTo === undefined ? Number.POSITIVE_INFINITY : Number(upTo) }
  }
  if (wire.sum !== undefined)
    return { alias, kind: 'sum', path: parseFieldPath(wire.sum.field?.fieldPath ?? '') }
  if (wire.avg !== undefined)
    return { alias, kind: 'average', path: parseFieldPath(wire.avg.field?.fieldPath ?? '') }
  throw invalid('An aggregation has no operator.')
}

function compute(rows: readonly Row[], item: Aggregation): Value {
  if (item.kind === 'count') return { kind: 'integer', value: BigInt(Math.min(rows.length, item.upTo)) }
  const numbers = rows.map((row) => rowValue(row, item.path)).filter(isNumber)
  if (item.kind === 'sum') return sum(numbers)
  if (numbers.length === 0) return NULL
  return { kind: 'double', value: Number(sum(numbers).value) / numbers.length }
}

const MAX_INT64 = 2n ** 63n - 1n
const MIN_INT64 = -(2n ** 63n)

/** Integers add up exactly; a double among them, or a total beyond 64 bits, makes the sum a double. */
function sum(numbers: readonly NumberValue[]): NumberValue {
  let integers = 0n
  let doubles = 0
  let allIntegers = true
  for (const number of numbers) {
    if (number.kind === 'integer') {
      integers += number.value
    } else {
      doubles += number.value
      allIntegers = false
    }
  }
  const fits = integers <= MAX_INT64 && integers >= MIN_INT64
  if (allIntegers && fits) return { kind: 'integer', value: integers }
  return { kind: 'double', value: Number(integers) + doubles }
}
