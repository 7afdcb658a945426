import { badParameter, badState, missingResource, newId, stripeError } from './errors.ts'
import { type Context, newPrice, newProduct, type StripeObject } from './objects.ts'
import { mergeMetadata, textOf } from './params.ts'
import type { Routes } from './routes.ts'

const CUSTOMER =
  'name email description phone metadata:meta address:any shipping:any invoice_settings:any payment_method preferred_locales:any tax_exempt invoice_prefix balance:int tax:any tax_id_data:any'

/** `/v1/customers`, `/v1/products`, `/v1/prices`, and payment methods. */
export const customerRoutes: Routes = {
  'POST /v1/customers': { params: CUSTOMER, run: createCustomer },
  'GET /v1/customers/:id': {
    params: '',
    // A deleted customer is still answered, as a stub that says so.
    run: ({ objects, id }) => {
      const customer = objects.find(id)
      if (customer?.object !== 'customer') throw missingResource('customer', id)
      return customer['deleted'] === true ? { id, object: 'customer', deleted: true } : customer
    },
  },
  'POST /v1/customers/:id': { params: CUSTOMER, run: updateCustomer },
  'DELETE /v1/customers/:id': {
    params: '',
    run: (context) => {
      const customer = context.objects.get('customer', context.id)
      context.objects.save({ ...customer, deleted: true })
      context.emit('customer.deleted', customer)
      return { id: customer.id, object: 'customer', deleted: true }
    },
  },
  'POST /v1/products': {
    params:
      'name! id description metadata:meta unit_label active:bool tax_code url images:any default_price_data:any',
    run: (context) => newProduct(context, context.params),
  },
  'GET /v1/products/:id': { params: '', run: ({ objects, id }) => objects.get('product', id) },
  'POST /v1/products/:id': {
    params: 'name description metadata:meta unit_label active:bool default_price',
    run: (context) => patched(context, 'product'),
  },
  'POST /v1/prices': {
    params:
      'currency! product product_data:any unit_amount:int unit_amount_decimal recurring:any nickname lookup_key metadata:meta tax_behavior active:bool',
    run: (context) => context.objects.save(newPrice(context, context.params)),
  },
  'GET /v1/prices/:id': { params: '', run: ({ objects, id }) => objects.get('price', id) },
  'POST /v1/prices/:id': {
    params: 'nickname lookup_key metadata:meta active:bool',
    run: (context) => patched(context, 'price'),
  },
  'GET /v1/payment_methods/:id': { params: '', run: ({ objects, id }) => objects.get('payment_method', id) },
  'POST /v1/payment_methods/:id/attach': { params: 'customer!', run: attach },
  'POST /v1/payment_methods/:id/detach': {
    params: '',
    run: ({ objects, id }) => objects.save({ ...objects.get('payment_method', id), customer: null }),
  },
}

function patched({ objects, id, params }: Context, kind: string): StripeObject {
  const before = objects.get(kind, id)
  const metadata = mergeMetadata(before['metadata'], params['metadata'])
  return objects.save({ ...before, ...withoutExpand(params), metadata })
}

function withoutExpand(params: Context['params']): Record<string, unknown> {
  const { expand: _expand, ...rest } = params
  return rest
}

function createCustomer(context: Context): StripeObject {
  const { params, objects, now } = context
  const id = newId('cus')
  const customer: StripeObject = {
    id,
    object: 'customer',
    address: params['address'] ?? null,
    balance: params['balance'] ?? 0,
    created: now,
    currency: null,
    default_source: null,
    delinquent: false,
    description: params['description'] ?? null,
    email: params['email'] ?? null,
    invoice_prefix: params['invoice_prefix'] ?? id.slice(-8).toUpperCase(),
    invoice_settings: {
      custom_fields: null,
      default_payment_method: null,
      footer: null,
      rendering_options: null,
    },
    livemode: false,
    metadata: mergeMetadata({}, params['metadata']),
    name: params['name'] ?? null,
    next_invoice_sequence: 1,
    phone: params['phone'] ?? null,
    preferred_locales: params['preferred_locales'] ?? [],
    shipping: params['shipping'] ?? null,
    tax_exempt: params['tax_exempt'] ?? 'none',
    test_clock: null,
  }
  objects.save(customer)
  setDefaults(context, customer)
  context.emit('customer.created', objects.save(customer))
  return customer
}

function updateCustomer(context: Context): StripeObject {
  const { params, objects } = context
  const customer = objects.get('customer', context.id)
  const { expand: _e, invoice_settings: _i, payment_method: _p, tax: _t, tax_id_data: _d, ...plain } = params
  const previous = Object.fromEntries(Object.keys(plain).map((field) => [field, customer[field]]))
  Object.assign(customer, plain, { metadata: mergeMetadata(customer['metadata'], params['metadata']) })
  setDefaults(context, customer)
  context.emit('customer.updated', objects.save(customer), previous)
  return customer
}

function setDefaults(context: Context, customer: StripeObject): void {
  const asked = textOf(context.params, 'payment_method')
  if (asked !== undefined) attachTo(context, asked, customer.id)
  const settings = context.params['invoice_settings'] as Record<string, unknown> | undefined
  const method = settings?.['default_payment_method']
  if (typeof method !== 'string' || method === '') return
  const attached = context.objects.find(method)
  if (KNOWN_CARDS[method] === undefined && attached?.['customer'] !== customer.id) {
    throw badState(
      `The customer does not have a payment method with the ID ${method}. The payment method must be attached to the customer.`,
      'resource_missing',
    )
  }
  const id = KNOWN_CARDS[method] === undefined ? method : attachTo(context, method, customer.id).id
  customer['invoice_settings'] = { ...(customer['invoice_settings'] as object), default_payment_method: id }
}

/**
 * Stripe's own test payment methods and how a charge on them ends; `attach` says that attaching it
 * already fails. `''` succeeds.
 */
const KNOWN_CARDS: Readonly<
  Record<string, { readonly code: string; readonly decline?: string; readonly attaches: boolean }>
> = {
  pm_card_visa: { code: '', attaches: true },
  pm_card_mastercard: { code: '', attaches: true },
  pm_card_us: { code: '', attaches: true },
  pm_card_chargeCustomerFail: { code: 'card_declined', decline: 'generic_decline', attaches: true },
  pm_card_chargeDeclined: { code: 'card_declined', decline: 'generic_decline', attaches: false },
  pm_card_chargeDeclinedInsufficientFunds: {
    code: 'card_declined',
    decline: 'insufficient_funds',
    attaches: false,
  },
  pm_card_chargeDeclinedLostCard: { code: 'card_declined', decline: 'lost_card', attaches: false },
  pm_card_chargeDeclinedExpiredCard: { code: 'expired_card', attaches: false },
  pm_card_chargeDeclinedIncorrectCvc: { code: 'incorrect_cvc', attaches: false },
  pm_card_chargeDeclinedProcessingError: { code: 'processing_error', attaches: false },
}

function attach(context: Context): StripeObject {
  const customer = context.objects.get('customer', context.params['customer'], 'customer')
  return attachTo(context, context.id, customer.id)
}

function attachTo(context: Context, id: string, customer: string): StripeObject {
  const { objects } = context
  const known = KNOWN_CARDS[id]
  if (known !== undefined && !known.attaches) throw cardError(known)
  if (known === undefined) {
    const method = objects.get('payment_method', id)
    const owner = method['customer']
    if (owner !== null && owner !== customer) {
      throw badParameter(
        'The payment method you provided has already been attached to a customer.',
        'payment_method',
      )
    }
    return objects.save({ ...method, customer })
  }
  const method = objects.save({
    id: newId('pm'),
    object: 'payment_method',
    card: { brand: 'visa', country: 'US', exp_month: 12, exp_year: 2040, funding: 'credit', last4: '4242' },
    created: context.now,
    customer,
    livemode: false,
    metadata: {},
    type: 'card',
  })
  context.journal.set(`card/${method.id}`, id)
  return method
}

/** Throws the card error a charge on this payment method ends in, if it does. */
export function chargeCard(context: Context, method: string): void {
  const behaviour = KNOWN_CARDS[method] ?? KNOWN_CARDS[String(context.journal.get(`card/${method}`))]
  if (behaviour === undefined) context.objects.get('payment_method', method, 'payment_method')
  else if (behaviour.code !== '') throw cardError(behaviour)
}

function cardError(behaviour: { readonly code: string; readonly decline?: string }) {
  const messages: Readonly<Record<string, string>> = {
    card_declined:
      behaviour.decline === 'insufficient_funds'
        ? 'Your card has insufficient funds.'
        : 'Your card was declined.',
    expired_card: 'Your card has expired.',
    incorrect_cvc: "Your card's security code is incorrect.",
    processing_error: 'An error occurred while processing your card. Try again in a little bit.',
  }
  return stripeError(402, {
    type: 'card_error',
    code: behaviour.code,
    message: messages[behaviour.code] ?? 'Your card was declined.',
    ...(behaviour.decline === undefined ? {} : { decline_code: behaviour.decline }),
  })
}
