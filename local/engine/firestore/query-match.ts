import { compareValues, typeRank } from './order.ts'
import { isNamePath } from './paths.ts'
import type { FieldFilter, Filter } from './query-plan.ts'
import type { Value } from './values.ts'
import { isNaNValue, valueAt } from './values.ts'
import type { DocumentState } from './writes.ts'

/** A document on its way through a query. */
export type Row = {
  /** Below the database's documents. */
  readonly path: string
  /** The full resource name. */
  readonly name: string
  readonly state: DocumentState
}

/** The value a row has at a path; the document's name counts as a field called `__name__`. */
export function rowValue(row: Row, path: readonly string[]): Value | undefined {
  if (isNamePath(path)) return { kind: 'reference', value: row.name }
  return valueAt(row.state.fields, path)
}

/** Builds the test of a filter once per query. */
export function compileFilter(filter: Filter): (row: Row) => boolean {
  if (filter.kind === 'field') return compileField(filter)
  const tests = filter.filters.map(compileFilter)
  return filter.kind === 'and'
    ? (row) => tests.every((test) => test(row))
    : (row) => tests.some((test) => test(row))
}

function compileField(filter: FieldFilter): (row: Row) => boolean {
  const test = compileTest(filter)
  return (row) => {
    const value = rowValue(row, filter.path)
    return value !== undefined && test(value)
  }
}

function compileTest({ op, value: wanted }: FieldFilter): (value: Value) => boolean {
  const list = wanted.kind === 'array' ? wanted.values : []
  const alternatives = comparable(list)
  switch (op) {
    case 'EQUAL':
      return (value) => equals(value, wanted)
    case 'IN':
      return (value) => alternatives.some((item) => equals(value, item))
    case 'NOT_EQUAL':
      return (value) => value.kind !== 'null' && !equals(value, wanted)
    case 'NOT_IN':
      // As in SQL, a null in the list makes every comparison unknown, and unknown is no match.
      if (list.some((item) => item.kind === 'null')) return () => false
      return (value) => value.kind !== 'null' && !alternatives.some((item) => equals(value, item))
    case 'ARRAY_CONTAINS':
      return (value) => value.kind === 'array' && value.values.some((item) => equals(item, wanted))
    case 'ARRAY_CONTAINS_ANY':
      return (value) =>
        value.kind === 'array' &&
        value.values.some((item) => alternatives.some((other) => equals(item, other)))
    default:
      return compileRange(op, wanted)
  }
}

/** In a list of values null and NaN match nothing; only `== null` and `== NaN` find them. */
function comparable(list: readonly Value[]): readonly Value[] {
  return list.filter((item) => item.kind !== 'null' && !isNaNValue(item))
}

/** A range holds values of one type only, and NaN is in no range but its own. */
function compileRange(op: FieldFilter['op'], wanted: Value): (value: Value) => boolean {
  const rank = typeRank(wanted)
  const within = (order: number) => {
    if (op === 'LESS_THAN') return order < 0
    if (op === 'LESS_THAN_OR_EQUAL') return order <= 0
    return op === 'GREATER_THAN' ? order > 0 : order >= 0
  }
  return (value) =>
    typeRank(value) === rank &&
    isNaNValue(value) === isNaNValue(wanted) &&
    within(compareValues(value, wanted))
}

function equals(left: Value, right: Value): boolean {
  return compareValues(left, right) === 0
}
