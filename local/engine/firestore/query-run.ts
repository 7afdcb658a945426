import { nearestRows } from './nearest.ts'
import { comparePaths, compareValues } from './order.ts'
import { isNamePath } from './paths.ts'
import { compileFilter, type Row, rowValue } from './query-match.ts'
import type { Cursor, QueryPlan } from './query-plan.ts'
import type { Micros } from './time.ts'
import { type DocumentNode, type DocumentTree, descendants, sortedDocuments, stateAt } from './tree.ts'
import { valueAt } from './values.ts'

/** Runs a query on the documents as they are now, or were at `time`. Projections are left to the caller. */
export function runQuery(
  tree: DocumentTree,
  plan: QueryPlan,
  time?: Micros,
): { rows: Row[]; skipped: number } {
  const matching = matchingRows(tree, plan, time)
  const compare = rowComparator(plan)
  if (!comesSorted(plan)) matching.sort(compare)
  const inside = matching.filter((row) => isInside(row, plan))
  const nearest = plan.nearest === undefined ? inside : nearestRows(inside, plan.nearest)
  const skipped = Math.min(plan.offset, nearest.length)
  const end = plan.limit === undefined ? undefined : plan.offset + plan.limit
  return { rows: nearest.slice(plan.offset, end), skipped }
}

/** Orders rows as the query asks; two different rows never compare as equal, as the name comes last. */
function rowComparator(plan: QueryPlan): (left: Row, right: Row) => number {
  const orders = plan.orders.map(({ path, descending }) => ({
    sign: descending ? -1 : 1,
    compare: isNamePath(path)
      ? (left: Row, right: Row) => comparePaths(left.path, right.path)
      : (left: Row, right: Row) => {
          const a = valueAt(left.state.fields, path)
          const b = valueAt(right.state.fields, path)
          return a === undefined || b === undefined ? 0 : compareValues(a, b)
        },
  }))
  return (left, right) => {
    for (const { sign, compare } of orders) {
      const order = compare(left, right)
      if (order !== 0) return sign * order
    }
    return 0
  }
}

/** Whether a document with this path could ever be in the query's result. */
export function concerns(plan: QueryPlan, path: string): boolean {
  if (plan.parent !== '' && !path.startsWith(`${plan.parent}/`)) return false
  const segments = path.split('/')
  if (plan.collectionId !== undefined && segments.at(-2) !== plan.collectionId) return false
  const parentDepth = plan.parent === '' ? 0 : plan.parent.split('/').length
  return plan.allDescendants || segments.length === parentDepth + 2
}

function matchingRows(tree: DocumentTree, plan: QueryPlan, time: Micros | undefined): Row[] {
  const matches = plan.filter === undefined ? () => true : compileFilter(plan.filter)
  // A document without a field that is ordered by is in no index on it, hence in no result.
  const required = plan.orders.map((order) => order.path).filter((path) => !isNamePath(path))
  const rows: Row[] = []
  for (const node of candidates(tree, plan)) {
    const state = stateAt(node, time)
    if (state === undefined) continue
    const row = { path: node.path, name: `${plan.database}/documents/${node.path}`, state }
    if (matches(row) && required.every((path) => valueAt(state.fields, path) !== undefined)) rows.push(row)
  }
  return rows
}

function* candidates(tree: DocumentTree, plan: QueryPlan): Generator<DocumentNode> {
  const owner = tree.find(plan.parent)
  if (owner === undefined) return
  if (plan.collectionId === undefined) {
    if (plan.allDescendants) yield* descendants(owner)
    else for (const collection of owner.collections.values()) yield* collection.documents.values()
    return
  }
  if (!plan.allDescendants) {
    const collection = owner.collections.get(plan.collectionId)
    if (collection !== undefined) yield* sortedDocuments(collection)
    return
  }
  const prefix = plan.parent === '' ? '' : `${plan.parent}/`
  for (const collection of tree.group(plan.collectionId)) {
    if (collection.path.startsWith(prefix)) yield* collection.documents.values()
  }
}

/** One collection is walked by id: a query by name alone needs no sorting. */
function comesSorted(plan: QueryPlan): boolean {
  const single = plan.collectionId !== undefined && !plan.allDescendants
  return single && plan.orders.length === 1 && plan.orders[0]?.descending === false
}

function isInside(row: Row, plan: QueryPlan): boolean {
  if (plan.start !== undefined) {
    const order = compareToCursor(row, plan.start, plan)
    if (order < 0 || (order === 0 && !plan.start.before)) return false
  }
  if (plan.end !== undefined) {
    const order = compareToCursor(row, plan.end, plan)
    if (order > 0 || (order === 0 && plan.end.before)) return false
  }
  return true
}

function compareToCursor(row: Row, cursor: Cursor, plan: QueryPlan): number {
  for (const [index, wanted] of cursor.values.entries()) {
    const order = plan.orders[index]
    const value = order === undefined ? undefined : rowValue(row, order.path)
    if (order === undefined || value === undefined) continue
    const result = compareValues(value, wanted)
    if (result !== 0) return order.descending ? -result : result
  }
  return 0
}
