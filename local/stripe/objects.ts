import type { Journal } from '../journal.ts'
import { badParameter, missingResource, newId } from './errors.ts'
import { lineAmount, type Params } from './params.ts'

/** Any object of the API: `id`, `object`, and the fields of its kind. */
export type StripeObject = { id: string; object: string; [field: string]: unknown }

type Stored = { readonly seq: number; readonly value: StripeObject }

/** All objects by id, newest first in lists, whatever their creation time says. */
export type Objects = {
  find(id: string): StripeObject | undefined
  /** The object of that kind, or Stripe's 404; a deleted one is missing too. */
  get(kind: string, id: unknown, param?: string): StripeObject
  list(kind: string, keep?: (object: StripeObject) => boolean): StripeObject[]
  save(object: StripeObject): StripeObject
  remove(id: string): void
}

const PREFIX = 'object/'

/** All objects of the account, written through to the journal. */
export function openObjects(journal: Journal): Objects {
  let last = 0
  const byKind = new Map<string, Map<string, Stored>>()
  const index = (stored: Stored): void => {
    const { object, id } = stored.value
    const kind = byKind.get(object) ?? new Map<string, Stored>()
    byKind.set(object, kind.set(id, stored))
  }
  for (const [key, entry] of journal.entries()) {
    if (!key.startsWith(PREFIX)) continue
    const stored = entry as Stored
    last = Math.max(last, stored.seq)
    index(stored)
  }
  const storedAt = (id: string): Stored | undefined => journal.get(`${PREFIX}${id}`) as Stored | undefined
  const find = (id: string): StripeObject | undefined => structuredClone(storedAt(id)?.value)
  return {
    find,
    get: (kind, id, param = 'id') => {
      const found = find(String(id))
      if (found === undefined || found.object !== kind || found['deleted'] === true) {
        throw missingResource(kind, String(id), param)
      }
      return found
    },
    list: (kind, keep = () => true) =>
      [...(byKind.get(kind)?.values() ?? [])]
        .filter(({ value }) => value['deleted'] !== true && keep(value))
        .sort((a, b) => b.seq - a.seq)
        .map(({ value }) => structuredClone(value)),
    save: (object) => {
      const seq = storedAt(object.id)?.seq ?? ++last
      const stored: Stored = { seq, value: structuredClone(object) }
      journal.set(`${PREFIX}${object.id}`, stored)
      index(stored)
      return object
    },
    remove: (id) => {
      const stored = storedAt(id)
      if (stored !== undefined) byKind.get(stored.value.object)?.delete(id)
      journal.delete(`${PREFIX}${id}`)
    },
  }
}

/** What a handler works with. */
export type Context = {
  readonly objects: Objects
  readonly journal: Journal
  /** Whole seconds of the stack's clock. */
  readonly now: number
  readonly params: Params
  /** What the path's placeholder held. */
  readonly id: string
  /** Records an event about the object as it is now, for the webhook. */
  emit(type: string, object: StripeObject, previous?: object): void
}

/** The price a line names, or one made up from its `price_data`. */
export function resolvePrice(
  context: Context,
  source: { readonly [field: string]: unknown },
): StripeObject | undefined {
  const pricing = source['pricing'] as { price?: unknown } | undefined
  const id = source['price'] ?? pricing?.price
  if (id !== undefined) return context.objects.get('price', id, 'price')
  const data = source['price_data'] as Record<string, unknown> | undefined
  if (data === undefined) return undefined
  return context.objects.save(newPrice(context, data))
}

/** A price as Stripe stores it; its product is made when the request describes one. */
export function newPrice(context: Context, source: { readonly [field: string]: unknown }): StripeObject {
  const decimal = String(source['unit_amount_decimal'] ?? source['unit_amount'] ?? '')
  if (decimal === '')
    throw badParameter('Missing required param: unit_amount.', 'unit_amount', 'parameter_missing')
  const recurring = source['recurring'] as Record<string, unknown> | undefined
  const product =
    source['product'] === undefined
      ? newProduct(context, (source['product_data'] ?? {}) as Record<string, unknown>).id
      : context.objects.get('product', source['product'], 'product').id
  const whole = /^-?\d+$/.test(decimal)
  return {
    id: newId('price'),
    object: 'price',
    active: true,
    billing_scheme: 'per_unit',
    created: context.now,
    currency: String(source['currency'] ?? 'usd').toLowerCase(),
    livemode: false,
    lookup_key: source['lookup_key'] ?? null,
    metadata: source['metadata'] ?? {},
    nickname: source['nickname'] ?? null,
    product,
    recurring:
      recurring === undefined
        ? null
        : {
            interval: recurring['interval'] ?? 'month',
            interval_count: Number(recurring['interval_count'] ?? 1),
            meter: recurring['meter'] ?? null,
            usage_type: recurring['usage_type'] ?? 'licensed',
          },
    tax_behavior: source['tax_behavior'] ?? 'unspecified',
    tiers_mode: null,
    transform_quantity: null,
    type: recurring === undefined ? 'one_time' : 'recurring',
    unit_amount: whole ? Number(decimal) : null,
    unit_amount_decimal: decimal,
  }
}

/** Makes and keeps a product, from what a request says. */
export function newProduct(context: Context, source: { readonly [field: string]: unknown }): StripeObject {
  return context.objects.save({
    id: String(source['id'] ?? newId('prod')),
    object: 'product',
    active: true,
    created: context.now,
    default_price: null,
    description: source['description'] ?? null,
    images: [],
    livemode: false,
    metadata: source['metadata'] ?? {},
    name: source['name'] ?? 'Product',
    type: 'service',
    unit_label: source['unit_label'] ?? null,
    updated: context.now,
  })
}

/** What a quantity costs, in whole minor units. */
export const priceAmount = (price: StripeObject, quantity: number): number =>
  lineAmount(String(price['unit_amount_decimal']), quantity)
