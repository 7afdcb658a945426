import { invalid } from '../rpc-error.ts'
import { formatFieldPath, isNamePath } from './paths.ts'
import {
  type FieldFilter,
  type Filter,
  fieldFilters,
  isInequality,
  type Order,
  type QueryPlan,
} from './query-plan.ts'

const MAX_DISJUNCTIONS = 30
const MAX_IN = 30
const MAX_NOT_IN = 10
const MAX_INEQUALITY_FIELDS = 10

/** INVALID_ARGUMENT for a query that the service refuses whatever the data and the indexes are. */
export function checkQuery(plan: QueryPlan, explicit: readonly Order[]): void {
  if (plan.offset < 0) throw invalid('A query offset must not be negative.')
  if (plan.limit !== undefined && plan.limit < 0) throw invalid('A query limit must not be negative.')
  const filters = fieldFilters(plan.filter)
  for (const filter of filters) checkFieldFilter(filter, plan)
  checkNegations(filters, plan.filter)
  const branches = plan.filter === undefined ? [] : disjunctions(plan.filter)
  for (const branch of branches) checkArrayFilters(branch)
  const unequal = new Set(filters.filter(isInequality).map((filter) => formatFieldPath(filter.path)))
  if (unequal.size > MAX_INEQUALITY_FIELDS) {
    throw invalid(`A query may have inequalities on at most ${MAX_INEQUALITY_FIELDS} fields.`)
  }
  checkOrders(plan, explicit)
}

/** The disjunctive normal form of a filter, `in` and `array-contains-any` spread out as the service counts. */
function disjunctions(filter: Filter): FieldFilter[][] {
  if (filter.kind === 'field') {
    const spread = filter.op === 'IN' || filter.op === 'ARRAY_CONTAINS_ANY'
    const count = spread && filter.value.kind === 'array' ? filter.value.values.length : 1
    return Array.from({ length: Math.max(count, 1) }, () => [filter])
  }
  const parts = filter.filters.map(disjunctions)
  const branches =
    filter.kind === 'or'
      ? parts.flat()
      : parts.reduce<FieldFilter[][]>(
          (all, part) =>
            limited(all.length * part.length, () => all.flatMap((a) => part.map((b) => [...a, ...b]))),
          [[]],
        )
  return limited(branches.length, () => branches)
}

/** Refuses before building: a hostile filter must not take the engine down. */
function limited(count: number, build: () => FieldFilter[][]): FieldFilter[][] {
  if (count > MAX_DISJUNCTIONS) {
    throw invalid(
      `A query may have at most ${MAX_DISJUNCTIONS} disjunctions after normalization, this one has more.`,
    )
  }
  return build()
}

function checkFieldFilter(filter: FieldFilter, plan: QueryPlan): void {
  const { op, value } = filter
  if (op === 'IN' || op === 'NOT_IN' || op === 'ARRAY_CONTAINS_ANY') {
    const max = op === 'NOT_IN' ? MAX_NOT_IN : MAX_IN
    if (value.kind !== 'array' || value.values.length === 0) {
      throw invalid(`'${op}' requires a non-empty ArrayValue.`)
    }
    if (value.values.length > max) throw invalid(`'${op}' supports up to ${max} comparison values.`)
  }
  if (isNamePath(filter.path)) checkNameFilter(filter, plan)
}

function checkNameFilter(filter: FieldFilter, plan: QueryPlan): void {
  const values = filter.op === 'IN' || filter.op === 'NOT_IN' ? listed(filter) : [filter.value]
  for (const value of values) {
    if (value.kind !== 'reference') throw invalid('__key__ filter value must be a Key')
    if (!value.value.startsWith(`${plan.database}/documents/`)) {
      throw invalid('__key__ filter value belongs to another database')
    }
  }
}

function listed(filter: FieldFilter): readonly FieldFilter['value'][] {
  return filter.value.kind === 'array' ? filter.value.values : []
}

function checkNegations(filters: readonly FieldFilter[], filter: Filter | undefined): void {
  const notIn = filters.filter((field) => field.op === 'NOT_IN').length
  const notEqual = filters.filter((field) => field.op === 'NOT_EQUAL').length
  if (notIn > 1 || notEqual > 1 || notIn + notEqual > 1) {
    throw invalid('Only one NOT_IN or NOT_EQUAL is allowed per query.')
  }
  const any = filters.some((field) => field.op === 'IN' || field.op === 'ARRAY_CONTAINS_ANY')
  if (notIn > 0 && (any || hasOr(filter))) {
    throw invalid("'NOT_IN' cannot be used with 'IN', 'ARRAY_CONTAINS_ANY' or 'OR' in the same query.")
  }
}

function hasOr(filter: Filter | undefined): boolean {
  if (filter === undefined || filter.kind === 'field') return false
  return (filter.kind === 'or' && filter.filters.length > 1) || filter.filters.some(hasOr)
}

function checkArrayFilters(branch: readonly FieldFilter[]): void {
  const contains = branch.filter(({ op }) => op === 'ARRAY_CONTAINS' || op === 'ARRAY_CONTAINS_ANY')
  if (contains.length > 1) {
    throw invalid("A maximum of 1 'ARRAY_CONTAINS' filter is allowed per disjunction.")
  }
}

function checkOrders(plan: QueryPlan, explicit: readonly Order[]): void {
  const paths = explicit.map((order) => formatFieldPath(order.path))
  if (new Set(paths).size !== paths.length) throw invalid('A field is ordered by more than once.')
  for (const cursor of [plan.start, plan.end]) {
    if (cursor === undefined) continue
    if (cursor.values.length > plan.orders.length)
      throw invalid('A cursor has more values than the query has orders.')
    plan.orders.forEach((order, index) => {
      const value = cursor.values[index]
      if (value !== undefined && isNamePath(order.path) && value.kind !== 'reference') {
        throw invalid('The cursor value of the document name must be a reference.')
      }
    })
  }
}
