import { formatFieldPath, isNamePath } from './paths.ts'
import { type FieldFilter, type Filter, isInequality, type QueryPlan } from './query-plan.ts'
import { rpcError } from './status.ts'

/** One field of a composite index, in the words of `firestore.indexes.json`. */
export type IndexField = { fieldPath: string; order?: 'ASCENDING' | 'DESCENDING'; arrayConfig?: 'CONTAINS' }

export type CompositeIndex = {
  collectionGroup: string
  queryScope: 'COLLECTION' | 'COLLECTION_GROUP'
  fields: readonly IndexField[]
}

/** Decides whether production could answer a query with the indexes it has. */
export type IndexPolicy = {
  /** FAILED_PRECONDITION naming the index to add when none serves the query. */
  check(plan: QueryPlan): void
}

/**
 * Refuses queries as production does when a composite index is missing.
 *
 * Single-field indexes are automatic in production and so are merges of equality filters; what remains
 * needs a listed index that has the query's equality fields first, in any order, and then its orders.
 */
export function requireIndexes(indexes: readonly CompositeIndex[]): IndexPolicy {
  return {
    check: (plan) => {
      for (const branch of branches(plan.filter)) {
        const needed = neededIndex(plan, branch)
        if (needed === undefined || indexes.some((index) => serves(index, needed))) continue
        throw rpcError('failedPrecondition', `The query requires an index. Add it: ${JSON.stringify(needed)}`)
      }
    },
  }
}

function branches(filter: Filter | undefined): FieldFilter[][] {
  if (filter === undefined) return [[]]
  if (filter.kind === 'field') return [[filter]]
  const parts = filter.filters.map(branches)
  if (filter.kind === 'or') return parts.flat()
  return parts.reduce<FieldFilter[][]>((all, part) => all.flatMap((a) => part.map((b) => [...a, ...b])), [[]])
}

/** The index a branch of a query needs, or `undefined` when the automatic ones serve it. */
function neededIndex(plan: QueryPlan, branch: readonly FieldFilter[]): CompositeIndex | undefined {
  if (plan.collectionId === undefined) return undefined
  const equal = new Map<string, IndexField>()
  for (const filter of branch) {
    if (isInequality(filter) || isNamePath(filter.path)) continue
    const fieldPath = formatFieldPath(filter.path)
    const array = filter.op === 'ARRAY_CONTAINS' || filter.op === 'ARRAY_CONTAINS_ANY'
    equal.set(fieldPath, array ? { fieldPath, arrayConfig: 'CONTAINS' } : { fieldPath, order: 'ASCENDING' })
  }
  const orders = plan.orders
    .filter((order) => !isNamePath(order.path) && !equal.has(formatFieldPath(order.path)))
    .map(
      (order): IndexField => ({
        fieldPath: formatFieldPath(order.path),
        order: order.descending ? 'DESCENDING' : 'ASCENDING',
      }),
    )
  if (orders.length === 0 && !needsNameDescending(plan, equal)) return undefined
  if (orders.length === 1 && equal.size === 0) return undefined
  return {
    collectionGroup: plan.collectionId,
    queryScope: plan.allDescendants ? 'COLLECTION_GROUP' : 'COLLECTION',
    fields: [...equal.values(), ...orders],
  }
}

/** Equality filters alone are served in ascending name order only. */
function needsNameDescending(plan: QueryPlan, equal: ReadonlyMap<string, IndexField>): boolean {
  return equal.size > 0 && plan.orders.at(-1)?.descending === true
}

function serves(index: CompositeIndex, needed: CompositeIndex): boolean {
  if (index.collectionGroup !== needed.collectionGroup || index.queryScope !== needed.queryScope) return false
  const fields = index.fields.filter((field) => field.fieldPath !== '__name__')
  const equalCount = needed.fields.length - countOrders(needed, fields)
  const equal = new Set(needed.fields.slice(0, equalCount).map(key))
  return (
    fields.length === needed.fields.length &&
    fields.slice(0, equalCount).every((field) => equal.has(key({ ...field, order: 'ASCENDING' }))) &&
    sameOrders(fields.slice(equalCount), needed.fields.slice(equalCount))
  )
}

/** How many trailing fields of the needed index are orders: the longest run both agree on, either way round. */
function countOrders(needed: CompositeIndex, fields: readonly IndexField[]): number {
  let count = 0
  while (
    count < needed.fields.length &&
    sameOrders(fields.slice(-count - 1), needed.fields.slice(-count - 1))
  )
    count++
  return count
}

/** An index can be read from either end, so all directions may be turned round together. */
function sameOrders(left: readonly IndexField[], right: readonly IndexField[]): boolean {
  if (left.length !== right.length) return false
  const same = left.every((field, at) => key(field) === key(right[at]))
  return same || left.every((field, at) => key(turned(field)) === key(right[at]))
}

function turned(field: IndexField): IndexField {
  if (field.order === undefined) return field
  return { ...field, order: field.order === 'ASCENDING' ? 'DESCENDING' : 'ASCENDING' }
}

function key(field: IndexField | undefined): string {
  if (field === undefined) return ''
  return `${field.fieldPath} ${field.arrayConfig ?? field.order ?? 'ASCENDING'}`
}
