import { badParameter } from './errors.ts'
import { isForm } from './form.ts'
import type { Context, StripeObject } from './objects.ts'
import { numberOf, textOf } from './params.ts'
import type { Routes } from './routes.ts'

const PAGING = 'limit:int starting_after ending_before created:any'

/** The list calls: which kind, and by which fields a list may be narrowed. */
const LISTS: readonly (readonly [path: string, kind: string, filters: string])[] = [
  ['/v1/customers', 'customer', 'email'],
  ['/v1/products', 'product', 'active:bool'],
  ['/v1/prices', 'price', 'product active:bool currency type'],
  ['/v1/payment_methods', 'payment_method', 'customer type'],
  ['/v1/invoices', 'invoice', 'customer status subscription collection_method'],
  ['/v1/invoiceitems', 'invoiceitem', 'customer invoice pending:bool'],
  ['/v1/subscriptions', 'subscription', 'customer status collection_method'],
  ['/v1/credit_notes', 'credit_note', 'customer invoice'],
  ['/v1/events', 'event', 'type'],
  ['/v1/billing/meters', 'billing.meter', 'status'],
]

const SEARCHES = ['customers', 'invoices', 'subscriptions', 'products', 'prices']

/** Listing and searching, for every kind that has it. */
export const listRoutes: Routes = Object.fromEntries([
  ...LISTS.map(([path, kind, filters]) => [
    `GET ${path}`,
    { params: `${PAGING} ${filters}`, run: (context: Context) => listOf(context, path, kind) },
  ]),
  ...SEARCHES.map((plural) => [
    `GET /v1/${plural}/search`,
    { params: 'query! limit:int page', run: (context: Context) => search(context, plural) },
  ]),
])

function listOf(context: Context, url: string, kind: string): object {
  const { params } = context
  const {
    limit: _l,
    starting_after: _s,
    ending_before: _e,
    created,
    expand: _x,
    pending,
    ...filters
  } = params
  const matches = context.objects.list(kind, (object) => {
    if (!inRange(Number(object['created'] ?? object['date']), created)) return false
    // Stripe leaves cancelled subscriptions out unless they are asked for.
    if (kind === 'subscription' && filters['status'] === undefined && object['status'] === 'canceled')
      return false
    if (pending !== undefined && (object['invoice'] === null) !== pending) return false
    return Object.entries(filters).every(([field, value]) => fits(object, field, value))
  })
  return page(url, matches, params)
}

function fits(object: StripeObject, field: string, value: unknown): boolean {
  if (object.object === 'subscription' && field === 'status' && value === 'all') return true
  if (object.object === 'invoice' && field === 'subscription') {
    const parent = object['parent'] as { subscription_details?: { subscription?: string } } | null
    return parent?.subscription_details?.subscription === value
  }
  return object[field] === value
}

function inRange(created: number, range: unknown): boolean {
  if (range === undefined) return true
  if (!isForm(range)) return created === Number(range)
  const compare: Readonly<Record<string, (a: number, b: number) => boolean>> = {
    gt: (a, b) => a > b,
    gte: (a, b) => a >= b,
    lt: (a, b) => a < b,
    lte: (a, b) => a <= b,
  }
  return Object.entries(range).every(([word, bound]) => compare[word]?.(created, Number(bound)) === true)
}

/** One page of a list, newest first; `total_count` is what embedded lists tell besides. */
export function page(url: string, objects: readonly StripeObject[], params: Context['params']): object {
  const limit = limitOf(params)
  const after = textOf(params, 'starting_after')
  const before = textOf(params, 'ending_before')
  if (before !== undefined) {
    const end = indexOf(objects, before, 'ending_before')
    const start = Math.max(0, end - limit)
    return { object: 'list', url, has_more: start > 0, data: objects.slice(start, end) }
  }
  const start = after === undefined ? 0 : indexOf(objects, after, 'starting_after') + 1
  return {
    object: 'list',
    url,
    has_more: start + limit < objects.length,
    data: objects.slice(start, start + limit),
  }
}

function indexOf(objects: readonly StripeObject[], id: string, param: string): number {
  const index = objects.findIndex((object) => object.id === id)
  if (index < 0) throw badParameter(`No such object: '${id}'`, param, 'resource_missing')
  return index
}

function limitOf(params: Context['params']): number {
  const limit = numberOf(params, 'limit') ?? 10
  if (limit < 1 || limit > 100) throw badParameter('Limit must be between 1 and 100', 'limit')
  return limit
}

function search(context: Context, plural: string): object {
  const kind = plural.slice(0, -1)
  const test = parseQuery(String(context.params['query']))
  const matches = context.objects.list(kind, test)
  const start = Number(Buffer.from(textOf(context.params, 'page') ?? '', 'base64url').toString() || '0')
  const end = start + limitOf(context.params)
  const more = end < matches.length
  return {
    object: 'search_result',
    url: `/v1/${plural}/search`,
    has_more: more,
    next_page: more ? Buffer.from(String(end)).toString('base64url') : null,
    data: matches.slice(start, end),
  }
}

type Test = (object: StripeObject) => boolean

/** Clauses joined by AND or by OR, never both: `metadata["tenant"]:"acme" AND status:"open"`. */
function parseQuery(query: string): Test {
  const clause = String.raw`(-?)(\w+)(?:\[(?:"([^"]*)"|'([^']*)')\])?\s*(:|~|>=|<=|>|<)\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|(null|-?\d+))`
  const pattern = new RegExp(`\\s*${clause}\\s*(AND|OR|and|or|$)`, 'y')
  const tests: Test[] = []
  const joins = new Set<string>()
  while (pattern.lastIndex < query.length) {
    const match = pattern.exec(query)
    if (match === null)
      throw badParameter(
        `We were unable to parse your search query: ${query}`,
        'query',
        'search_query_invalid',
      )
    const [, not, field = '', double, single, operator = '', quoted, quotedToo, bare, join = ''] = match
    const value = (quoted ?? quotedToo)?.replace(/\\(.)/g, '$1') ?? bare ?? ''
    const test = parseClause(field, double ?? single, operator, value, bare)
    tests.push(not === '-' ? (object) => !test(object) : test)
    if (join !== '') joins.add(join.toUpperCase())
  }
  if (tests.length === 0 || joins.size > 1) {
    throw badParameter('Search queries may not mix AND and OR', 'query', 'search_query_invalid')
  }
  return (object) => (joins.has('OR') ? tests.some((one) => one(object)) : tests.every((one) => one(object)))
}

function parseClause(
  field: string,
  key: string | undefined,
  operator: string,
  value: string,
  bare?: string,
): Test {
  const read = (object: StripeObject): unknown =>
    key === undefined ? object[field] : (object[field] as Record<string, unknown> | undefined)?.[key]
  if (operator === ':' && bare === 'null')
    return (object) => read(object) === undefined || read(object) === null
  if (operator === ':') return (object) => String(read(object) ?? '') === value
  if (operator === '~') return (object) => String(read(object) ?? '').includes(value)
  const compare: Readonly<Record<string, (a: number) => boolean>> = {
    '>': (a) => a > Number(value),
    '>=': (a) => a >= Number(value),
    '<': (a) => a < Number(value),
    '<=': (a) => a <= Number(value),
  }
  return (object) => compare[operator]?.(Number(read(object))) === true
}
