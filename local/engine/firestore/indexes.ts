import { rpcError, status } from '../rpc-error.ts'
import { formatFieldPath, isNamePath } from './paths.ts'
import { type FieldFilter, type Filter, isInequality, type QueryPlan } from './query-plan.ts'

/** One field of a composite index, in the words of `firestore.indexes.json`. */
type IndexField = { fieldPath: string; order?: 'ASCENDING' | 'DESCENDING'; arrayConfig?: 'CONTAINS' }

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

/** What one branch of a query asks of the indexes: fields it fixes, in any order, then its orders. */
type Need = { readonly equal: readonly IndexField[]; readonly orders: readonly IndexField[] }

/**
 * Refuses queries as production does when an index is missing.
 *
 * Single-field indexes of a collection are automatic; those of a collection group must be listed.
 * Indexes that end in the query's orders can be merged to cover all its equality fields. An index is
 * never read backwards: the same query the other way round needs its own.
 */
export function requireIndexes(indexes: readonly CompositeIndex[]): IndexPolicy {
  return {
    check: (plan) => {
      const queryScope = plan.allDescendants ? 'COLLECTION_GROUP' : 'COLLECTION'
      const usable = indexes.filter(
        (index) => index.collectionGroup === plan.collectionId && index.queryScope === queryScope,
      )
      for (const branch of branches(plan.filter)) {
        const need = needOf(plan, branch)
        if (plan.collectionId === undefined || isAutomatic(plan, need) || isServed(usable, need)) continue
        const fields = [...need.equal, ...need.orders]
        const missing: CompositeIndex = { collectionGroup: plan.collectionId, queryScope, fields }
        throw rpcError(
          status.FAILED_PRECONDITION,
          `The query requires an index. Add it: ${JSON.stringify(missing)}`,
        )
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

function needOf(plan: QueryPlan, branch: readonly FieldFilter[]): Need {
  const equal = new Map<string, IndexField>()
  for (const filter of branch) {
    if (isInequality(filter) || isNamePath(filter.path)) continue
    const fieldPath = formatFieldPath(filter.path)
    const array = filter.op === 'ARRAY_CONTAINS' || filter.op === 'ARRAY_CONTAINS_ANY'
    equal.set(fieldPath, array ? { fieldPath, arrayConfig: 'CONTAINS' } : { fieldPath, order: 'ASCENDING' })
  }
  const orders = plan.orders.filter((order) => !equal.has(formatFieldPath(order.path)))
  const named = orders.map(
    (order): IndexField => ({
      fieldPath: formatFieldPath(order.path),
      order: order.descending ? 'DESCENDING' : 'ASCENDING',
    }),
  )
  // Every index ends in the name, in the direction of the field before it: that need not be said.
  const before = orders.at(-2)?.descending ?? false
  const impliedName = orders.at(-1)?.descending === before
  return { equal: [...equal.values()], orders: impliedName ? named.slice(0, -1) : named }
}

function isAutomatic(plan: QueryPlan, need: Need): boolean {
  const fields = need.equal.length + need.orders.length
  if (plan.allDescendants) return fields === 0
  const onlyName = need.orders.length === 1 && need.orders[0]?.fieldPath === '__name__'
  return need.orders.length === 0 || (fields === 1 && !onlyName)
}

function isServed(indexes: readonly CompositeIndex[], need: Need): boolean {
  const wanted = new Set(need.equal.map((field) => key({ ...field })))
  const covered = new Set<string>()
  for (const index of indexes) {
    const fields = withoutImpliedName(index.fields)
    const split = fields.length - need.orders.length
    const prefix = fields.slice(0, Math.max(split, 0)).map((field) => key(upwards(field)))
    const fits =
      split >= 0 &&
      fields.slice(split).every((field, at) => key(field) === key(need.orders[at])) &&
      prefix.every((field) => wanted.has(field))
    if (fits && wanted.size === 0) return true
    if (fits) for (const field of prefix) covered.add(field)
  }
  return wanted.size > 0 && covered.size === wanted.size
}

function withoutImpliedName(fields: readonly IndexField[]): readonly IndexField[] {
  const last = fields.at(-1)
  const before = fields.at(-2)?.order ?? 'ASCENDING'
  return last?.fieldPath === '__name__' && (last.order ?? 'ASCENDING') === before
    ? fields.slice(0, -1)
    : fields
}

/** The direction of a field that the query fixes does not matter. */
function upwards(field: IndexField): IndexField {
  return field.arrayConfig === undefined ? { fieldPath: field.fieldPath, order: 'ASCENDING' } : field
}

function key(field: IndexField | undefined): string {
  if (field === undefined) return ''
  return `${field.fieldPath} ${field.arrayConfig ?? field.order ?? 'ASCENDING'}`
}
