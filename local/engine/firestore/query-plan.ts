import { invalid } from '../rpc-error.ts'
import { fromWireValue } from './codec.ts'
import { type FindNearest, parseFindNearest } from './nearest.ts'
import { compareStrings } from './order.ts'
import { checkId, formatFieldPath, isNamePath, parseFieldPath } from './paths.ts'
import { checkQuery } from './query-rules.ts'
import { NULL, type Value } from './values.ts'
import type { WireCursor, WireFilter, WireQuery } from './wire.ts'

type FieldOperator =
  | 'LESS_THAN'
  | 'LESS_THAN_OR_EQUAL'
  | 'GREATER_THAN'
  | 'GREATER_THAN_OR_EQUAL'
  | 'EQUAL'
  | 'NOT_EQUAL'
  | 'ARRAY_CONTAINS'
  | 'IN'
  | 'ARRAY_CONTAINS_ANY'
  | 'NOT_IN'

export type FieldFilter = {
  readonly kind: 'field'
  readonly path: readonly string[]
  readonly op: FieldOperator
  readonly value: Value
}

export type Filter = FieldFilter | { readonly kind: 'and' | 'or'; readonly filters: readonly Filter[] }

export type Order = { readonly path: readonly string[]; readonly descending: boolean }

export type Cursor = { readonly values: readonly Value[]; readonly before: boolean }

/** A query, checked, with every implied ordering written out. The last ordering is always the name. */
export type QueryPlan = {
  readonly database: string
  /** The path the query starts below: `''` or a document. */
  readonly parent: string
  /** Without an id: documents of every collection (what a recursive delete asks for). */
  readonly collectionId: string | undefined
  readonly allDescendants: boolean
  readonly filter: Filter | undefined
  readonly orders: readonly Order[]
  readonly start: Cursor | undefined
  readonly end: Cursor | undefined
  readonly offset: number
  readonly limit: number | undefined
  readonly select: readonly (readonly string[])[] | undefined
  readonly nearest: FindNearest | undefined
}

/** Reads a structured query; INVALID_ARGUMENT for what the service refuses whatever the data. */
export function planQuery(database: string, parent: string, wire: WireQuery): QueryPlan {
  const from = wire.from?.[0]
  if ((wire.from?.length ?? 0) > 1) throw invalid('A query reads from exactly one collection selector.')
  if (from?.collectionId) checkId(from.collectionId, from.collectionId)
  const filter = wire.where === undefined ? undefined : parseFilter(wire.where)
  const explicit = (wire.orderBy ?? []).map(parseOrder)
  const orders = completeOrders(explicit, filter)
  const plan: QueryPlan = {
    database,
    parent,
    collectionId: from?.collectionId || undefined,
    allDescendants: from?.allDescendants ?? false,
    filter,
    orders,
    start: parseCursor(wire.startAt),
    end: parseCursor(wire.endAt),
    offset: wire.offset ?? 0,
    limit: wire.limit === undefined ? undefined : (wire.limit.value ?? 0),
    select: wire.select?.fields?.length ? wire.select.fields.map(parseSelected) : undefined,
    nearest: wire.findNearest === undefined ? undefined : parseFindNearest(wire.findNearest),
  }
  checkQuery(plan, explicit)
  return plan
}

/** All field filters of a tree, in their order. */
export function fieldFilters(filter: Filter | undefined): FieldFilter[] {
  if (filter === undefined) return []
  return filter.kind === 'field' ? [filter] : filter.filters.flatMap(fieldFilters)
}

const INEQUALITIES = new Set<FieldOperator>([
  'LESS_THAN',
  'LESS_THAN_OR_EQUAL',
  'GREATER_THAN',
  'GREATER_THAN_OR_EQUAL',
  'NOT_EQUAL',
  'NOT_IN',
])

/** Whether a filter selects a range, so that results are ordered by its field. */
export function isInequality(filter: FieldFilter): boolean {
  return INEQUALITIES.has(filter.op)
}

const OPERATORS: ReadonlySet<string> = new Set<FieldOperator>([
  ...INEQUALITIES,
  'EQUAL',
  'ARRAY_CONTAINS',
  'IN',
  'ARRAY_CONTAINS_ANY',
])

const NAN: Value = { kind: 'double', value: Number.NaN }
const UNARY: Record<string, { op: FieldOperator; value: Value } | undefined> = {
  IS_NULL: { op: 'EQUAL', value: NULL },
  IS_NAN: { op: 'EQUAL', value: NAN },
  IS_NOT_NULL: { op: 'NOT_EQUAL', value: NULL },
  IS_NOT_NAN: { op: 'NOT_EQUAL', value: NAN },
}

function parseFilter(wire: WireFilter): Filter {
  if (wire.compositeFilter !== undefined) {
    const filters = (wire.compositeFilter.filters ?? []).map(parseFilter)
    if (filters.length === 0) throw invalid('A composite filter needs at least one filter.')
    const op = wire.compositeFilter.op
    if (op !== 'AND' && op !== 'OR') throw invalid('A composite filter is AND or OR.')
    return { kind: op === 'AND' ? 'and' : 'or', filters }
  }
  if (wire.unaryFilter !== undefined) {
    const unary = UNARY[wire.unaryFilter.op ?? '']
    if (unary === undefined) throw invalid('A unary filter has no known operator.')
    return { kind: 'field', path: parseFieldPath(wire.unaryFilter.field?.fieldPath ?? ''), ...unary }
  }
  const field = wire.fieldFilter
  if (field === undefined) throw invalid('A filter is empty.')
  const op = field.op ?? ''
  if (!isOperator(op)) throw invalid(`Unknown filter operator "${op}".`)
  return {
    kind: 'field',
    path: parseFieldPath(field.field?.fieldPath ?? ''),
    op,
    value: fromWireValue(field.value),
  }
}

function isOperator(op: string): op is FieldOperator {
  return OPERATORS.has(op)
}

function parseOrder(wire: { field?: { fieldPath?: string }; direction?: string }): Order {
  return { path: parseFieldPath(wire.field?.fieldPath ?? ''), descending: wire.direction === 'DESCENDING' }
}

function parseSelected(wire: { fieldPath?: string }): string[] {
  return parseFieldPath(wire.fieldPath ?? '')
}

function parseCursor(wire: WireCursor | undefined): Cursor | undefined {
  if (wire === undefined) return undefined
  return { values: (wire.values ?? []).map(fromWireValue), before: wire.before ?? false }
}

/** Adds what the service orders by unasked: inequality fields by name, then the document's name. */
function completeOrders(explicit: Order[], filter: Filter | undefined): Order[] {
  const orders = [...explicit]
  const descending = explicit.at(-1)?.descending ?? false
  const named = new Set(orders.map((order) => formatFieldPath(order.path)))
  const implied = fieldFilters(filter)
    .filter((field) => isInequality(field) && !isNamePath(field.path))
    .sort((a, b) => compareStrings(formatFieldPath(a.path), formatFieldPath(b.path)))
  for (const field of implied) {
    const name = formatFieldPath(field.path)
    if (named.has(name)) continue
    named.add(name)
    orders.push({ path: field.path, descending })
  }
  if (!named.has('__name__')) orders.push({ path: ['__name__'], descending })
  return orders
}
