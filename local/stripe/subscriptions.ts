import { badParameter, badState, isStripeError, newId } from './errors.ts'
import { addInterval, DAY_SECONDS } from './intervals.ts'
import { saveItem, withTotals } from './invoice-lines.ts'
import { collect, finalize, newInvoice } from './invoices.ts'
import { type Context, resolvePrice, type StripeObject } from './objects.ts'
import { mergeMetadata, numberOf } from './params.ts'
import type { Routes } from './routes.ts'

const SUBSCRIPTION =
  'items:any metadata:meta collection_method days_until_due:int default_payment_method description cancel_at_period_end:bool cancel_at proration_behavior payment_behavior trial_end payment_settings:any off_session:bool cancellation_details:any automatic_tax:any billing_mode:any pending_invoice_item_interval:any'

/** `/v1/subscriptions`. */
export const subscriptionRoutes: Routes = {
  'POST /v1/subscriptions': {
    params: `customer! ${SUBSCRIPTION} trial_period_days:int billing_cycle_anchor:int backdate_start_date:int currency add_invoice_items:any`,
    run: createSubscription,
  },
  'GET /v1/subscriptions/:id': { params: '', run: ({ objects, id }) => objects.get('subscription', id) },
  'POST /v1/subscriptions/:id': { params: SUBSCRIPTION, run: updateSubscription },
  'DELETE /v1/subscriptions/:id': {
    params: 'invoice_now:bool prorate:bool cancellation_details:any',
    run: cancelSubscription,
  },
}

function createSubscription(context: Context): StripeObject {
  const { params, objects, now } = context
  const customer = objects.get('customer', params['customer'], 'customer')
  if (!Array.isArray(params['items']) || params['items'].length === 0) {
    throw badParameter('Missing required param: items.', 'items', 'parameter_missing')
  }
  const id = newId('sub')
  const trialDays = numberOf(params, 'trial_period_days')
  const trialEnd = trialDays === undefined ? Number(params['trial_end'] ?? 0) : now + trialDays * DAY_SECONDS
  const trial = trialEnd > now
  const items = (params['items'] as Record<string, unknown>[]).map((item) =>
    newItem(context, id, item, trial ? trialEnd : undefined),
  )
  const collection = params['collection_method'] ?? 'charge_automatically'
  if (collection === 'send_invoice' && params['days_until_due'] === undefined) {
    throw badParameter(
      '`days_until_due` is required for `send_invoice`.',
      'days_until_due',
      'parameter_missing',
    )
  }
  const subscription: StripeObject = {
    ...EMPTY_SUBSCRIPTION,
    id,
    object: 'subscription',
    billing_cycle_anchor: params['billing_cycle_anchor'] ?? (trial ? trialEnd : now),
    cancel_at_period_end: params['cancel_at_period_end'] ?? false,
    collection_method: collection,
    created: now,
    currency: (items[0]?.['price'] as StripeObject | undefined)?.['currency'] ?? 'usd',
    customer: customer.id,
    days_until_due: params['days_until_due'] ?? null,
    default_payment_method: params['default_payment_method'] ?? null,
    description: params['description'] ?? null,
    items: itemList(id, items),
    metadata: mergeMetadata({}, params['metadata']),
    start_date: now,
    status: trial ? 'trialing' : 'active',
    trial_end: trial ? trialEnd : null,
    trial_start: trial ? now : null,
  }
  objects.save(subscription)
  const started = trial ? subscription : objects.save(firstInvoice(context, subscription, items))
  context.emit('customer.subscription.created', started)
  return started
}

const EMPTY_SUBSCRIPTION = {
  application: null,
  application_fee_percent: null,
  automatic_tax: { enabled: false, liability: null, disabled_reason: null },
  billing_cycle_anchor_config: null,
  billing_mode: { type: 'flexible', flexible: null },
  billing_schedules: [],
  billing_thresholds: null,
  cancel_at: null,
  canceled_at: null,
  cancellation_details: { comment: null, feedback: null, reason: null },
  default_source: null,
  default_tax_rates: [],
  discounts: [],
  ended_at: null,
  invoice_settings: { account_tax_ids: null, issuer: { type: 'self' } },
  latest_invoice: null,
  livemode: false,
  next_pending_invoice_item_invoice: null,
  on_behalf_of: null,
  pause_collection: null,
  payment_settings: {
    payment_method_options: null,
    payment_method_types: null,
    save_default_payment_method: 'off',
  },
  pending_invoice_item_interval: null,
  pending_setup_intent: null,
  pending_update: null,
  schedule: null,
  test_clock: null,
  transfer_data: null,
  trial_settings: { end_behavior: { missing_payment_method: 'create_invoice' } },
}

function newItem(
  context: Context,
  subscription: string,
  source: Record<string, unknown>,
  trialEnd?: number,
): StripeObject {
  const price = resolvePrice(context, source)
  if (price === undefined)
    throw badParameter('Missing required param: items[0][price].', 'items', 'parameter_missing')
  if (price['recurring'] === null) {
    throw badParameter(
      `The price specified is set to \`type=one_time\` but this field only accepts prices with \`type=recurring\`.`,
      'items',
    )
  }
  const {
    interval,
    interval_count: count,
    usage_type: usage,
  } = price['recurring'] as {
    interval: string
    interval_count: number
    usage_type: string
  }
  return {
    id: newId('si'),
    object: 'subscription_item',
    billing_thresholds: null,
    created: context.now,
    current_period_start: context.now,
    current_period_end: trialEnd ?? addInterval(context.now, interval, count),
    discounts: [],
    metadata: mergeMetadata({}, source['metadata']),
    price,
    ...(usage === 'metered' ? {} : { quantity: Number(source['quantity'] ?? 1) }),
    subscription,
    tax_rates: [],
  }
}

function itemList(subscription: string, items: readonly StripeObject[]): object {
  return {
    object: 'list',
    data: items,
    has_more: false,
    total_count: items.length,
    url: `/v1/subscription_items?subscription=${subscription}`,
  }
}

/** Bills the first period: the licensed items now, metered ones at the end of the period. */
function firstInvoice(
  context: Context,
  subscription: StripeObject,
  items: readonly StripeObject[],
): StripeObject {
  const { objects } = context
  const send = subscription['collection_method'] === 'send_invoice'
  const invoice = newInvoice(
    context,
    {
      customer: subscription['customer'],
      subscription: subscription.id,
      currency: subscription['currency'],
      collection_method: subscription['collection_method'],
      auto_advance: true,
      ...(send ? { days_until_due: subscription['days_until_due'] } : {}),
    },
    'subscription_create',
  )
  for (const item of items.filter((one) => one['quantity'] !== undefined)) {
    const period = { start: item['current_period_start'], end: item['current_period_end'] }
    const price = (item['price'] as StripeObject).id
    saveItem(context, String(invoice['customer']), invoice.id, { price, quantity: item['quantity'], period })
  }
  context.emit('invoice.created', invoice)
  const open = finalize(context, objects.save(withTotals(context, invoice)))
  const billed = { ...subscription, latest_invoice: open.id }
  if (send || open['status'] === 'paid') return billed
  if (context.params['payment_behavior'] === 'default_incomplete') return { ...billed, status: 'incomplete' }
  try {
    collect(context, open, (subscription['default_payment_method'] as string | null) ?? undefined)
    return billed
  } catch (error) {
    if (!isStripeError(error)) throw error
    if (context.params['payment_behavior'] === 'error_if_incomplete') {
      objects.remove(subscription.id)
      throw error
    }
    // Without a payment method at all, the real one refuses the subscription.
    if (error.body.type !== 'card_error') {
      objects.remove(subscription.id)
      throw badState(
        'This customer has no attached payment source or default payment method.',
        'resource_missing',
      )
    }
    return { ...billed, status: 'incomplete' }
  }
}

function updateSubscription(context: Context): StripeObject {
  const { objects } = context
  const {
    expand: _e,
    items,
    metadata,
    proration_behavior: _p,
    payment_behavior: _b,
    off_session: _o,
    trial_end: trialEnd,
    ...plain
  } = context.params
  const before = objects.get('subscription', context.id)
  if (before['status'] === 'canceled')
    throw badState('A canceled subscription can only update its cancellation_details.')
  const next: StripeObject = { ...before, ...plain, metadata: mergeMetadata(before['metadata'], metadata) }
  if (plain['cancel_at'] === '') next['cancel_at'] = null
  if (trialEnd === 'now' && before['status'] === 'trialing')
    Object.assign(next, { status: 'active', trial_end: context.now })
  if (Array.isArray(items))
    next['items'] = itemList(before.id, changeItems(context, before, items as Record<string, unknown>[]))
  const previous = Object.fromEntries(
    Object.keys(next).flatMap((field) =>
      JSON.stringify(next[field]) === JSON.stringify(before[field]) ? [] : [[field, before[field]]],
    ),
  )
  context.emit('customer.subscription.updated', objects.save(next), previous)
  return next
}

function changeItems(
  context: Context,
  subscription: StripeObject,
  changes: readonly Record<string, unknown>[],
): StripeObject[] {
  let items = (subscription['items'] as { data: StripeObject[] }).data
  for (const change of changes) {
    const old = items.find((item) => item.id === change['id'])
    if (change['id'] !== undefined && old === undefined) {
      throw badParameter(`No such subscription item: '${change['id']}'`, 'items', 'resource_missing')
    }
    if (change['deleted'] === 'true') {
      items = items.filter((item) => item !== old)
      continue
    }
    const source = {
      price: (old?.['price'] as StripeObject | undefined)?.id,
      quantity: old?.['quantity'],
      ...change,
    }
    const item = newItem(context, subscription.id, source)
    items =
      old === undefined
        ? [...items, item]
        : items.map((one) =>
            one === old
              ? {
                  ...item,
                  id: old.id,
                  current_period_start: old['current_period_start'],
                  current_period_end: old['current_period_end'],
                }
              : one,
          )
  }
  return items
}

function cancelSubscription(context: Context): StripeObject {
  const subscription = context.objects.get('subscription', context.id)
  if (subscription['status'] === 'canceled') {
    throw badState(`No such subscription: '${subscription.id}'`, 'resource_missing')
  }
  const details = context.params['cancellation_details'] as object | undefined
  const canceled = context.objects.save({
    ...subscription,
    status: 'canceled',
    canceled_at: context.now,
    ended_at: context.now,
    cancellation_details: {
      ...(subscription['cancellation_details'] as object),
      reason: 'cancellation_requested',
      ...details,
    },
  })
  context.emit('customer.subscription.deleted', canceled)
  return canceled
}
