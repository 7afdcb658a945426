import { chargeCard } from './customers.ts'
import { badParameter, badState, isStripeError, newId } from './errors.ts'
import { DAY_SECONDS } from './intervals.ts'
import { editableInvoice, withTotals } from './invoice-lines.ts'
import type { Context, StripeObject } from './objects.ts'
import { mergeMetadata, textOf } from './params.ts'
import type { Routes } from './routes.ts'

const INVOICE =
  'auto_advance:bool collection_method currency days_until_due:int default_payment_method description due_date:int footer metadata:meta number statement_descriptor custom_fields:any payment_settings:any rendering:any automatic_tax:any automatically_finalizes_at:int effective_at:int discounts:any default_tax_rates:any issuer:any'

/** `/v1/invoices`. */
export const invoiceRoutes: Routes = {
  'POST /v1/invoices': {
    params: `customer! ${INVOICE} pending_invoice_items_behavior subscription from_invoice:any`,
    run: (context) => {
      const invoice = newInvoice(context, context.params)
      context.emit('invoice.created', invoice)
      return invoice
    },
  },
  'GET /v1/invoices/:id': { params: '', run: ({ objects, id }) => objects.get('invoice', id) },
  'POST /v1/invoices/:id': { params: INVOICE, run: updateInvoice },
  'DELETE /v1/invoices/:id': {
    params: '',
    run: (context) => {
      const invoice = editableInvoice(context, context.id)
      for (const item of context.objects.list('invoiceitem')) {
        if (item['invoice'] === invoice.id) context.objects.remove(item.id)
      }
      context.objects.remove(invoice.id)
      context.emit('invoice.deleted', invoice)
      return { id: invoice.id, object: 'invoice', deleted: true }
    },
  },
  'POST /v1/invoices/:id/finalize': {
    params: 'auto_advance:bool',
    run: (context) => finalize(context, editableInvoice(context, context.id)),
  },
  'POST /v1/invoices/:id/pay': {
    params: 'payment_method paid_out_of_band:bool off_session:bool forgive:bool source mandate',
    run: payInvoice,
  },
  'POST /v1/invoices/:id/send': {
    params: '',
    run: (context) => {
      const invoice = context.objects.get('invoice', context.id)
      const open = invoice['status'] === 'draft' ? finalize(context, invoice) : invoice
      context.emit('invoice.sent', open)
      return open
    },
  },
  'POST /v1/invoices/:id/void': {
    params: '',
    run: (context) => close(context, ['open', 'uncollectible'], 'void', 'voided'),
  },
  'POST /v1/invoices/:id/mark_uncollectible': {
    params: '',
    run: (context) => close(context, ['open'], 'uncollectible', 'marked_uncollectible'),
  },
}

/** A draft, with the customer's pending items if it is told to take them. */
export function newInvoice(
  context: Context,
  source: { readonly [field: string]: unknown },
  billingReason = 'manual',
): StripeObject {
  const { objects, now } = context
  const customer = objects.get('customer', source['customer'], 'customer')
  const collection = String(source['collection_method'] ?? 'charge_automatically')
  const subscription = source['subscription']
  const currency = String(source['currency'] ?? customer['currency'] ?? 'usd').toLowerCase()
  const invoice: StripeObject = {
    ...EMPTY_INVOICE,
    id: newId('in'),
    object: 'invoice',
    auto_advance: source['auto_advance'] ?? false,
    billing_reason: billingReason,
    collection_method: collection,
    created: now,
    currency,
    customer: customer.id,
    customer_address: customer['address'],
    customer_email: customer['email'],
    customer_name: customer['name'],
    customer_phone: customer['phone'],
    default_payment_method: source['default_payment_method'] ?? null,
    description: source['description'] ?? null,
    due_date: dueDateOf(context, source, collection),
    footer: source['footer'] ?? null,
    metadata: mergeMetadata({}, source['metadata']),
    number: source['number'] ?? null,
    parent:
      subscription === undefined
        ? null
        : {
            type: 'subscription_details',
            quote_details: null,
            subscription_details: { subscription, metadata: {} },
          },
    period_end: now,
    period_start: now,
    status: 'draft',
    status_transitions: { finalized_at: null, marked_uncollectible_at: null, paid_at: null, voided_at: null },
  }
  objects.save(invoice)
  if (source['pending_invoice_items_behavior'] === 'include') {
    for (const item of objects.list('invoiceitem')) {
      if (item['customer'] !== customer.id || item['invoice'] !== null || item['currency'] !== currency)
        continue
      objects.save({ ...item, invoice: invoice.id })
    }
  }
  return objects.save(withTotals(context, invoice))
}

/** When it is due: only an invoice that is sent has such a day, and it must have one. */
function dueDateOf(
  context: Context,
  source: { readonly [field: string]: unknown },
  collection: string,
): unknown {
  const days = source['days_until_due']
  if (collection === 'send_invoice' && days === undefined && source['due_date'] === undefined) {
    throw badParameter(
      'If invoice collection method is `send_invoice`, you must provide a value for `days_until_due` or `due_date`.',
      'days_until_due',
    )
  }
  if (collection !== 'send_invoice' && days !== undefined) {
    throw badParameter(
      'You can only set `days_until_due` if collection method is `send_invoice`.',
      'days_until_due',
    )
  }
  return source['due_date'] ?? (days === undefined ? null : context.now + Number(days) * DAY_SECONDS)
}

const EMPTY_INVOICE = {
  account_country: 'US',
  account_name: 'Energent.ai',
  account_tax_ids: null,
  amount_overpaid: 0,
  amount_paid: 0,
  amount_shipping: 0,
  application: null,
  attempt_count: 0,
  attempted: false,
  automatic_tax: { enabled: false, liability: null, status: null },
  custom_fields: null,
  default_source: null,
  default_tax_rates: [],
  discounts: [],
  effective_at: null,
  ending_balance: null,
  from_invoice: null,
  hosted_invoice_url: null,
  invoice_pdf: null,
  issuer: { type: 'self' },
  last_finalization_error: null,
  latest_revision: null,
  livemode: false,
  next_payment_attempt: null,
  on_behalf_of: null,
  payment_settings: { default_mandate: null, payment_method_options: null, payment_method_types: null },
  post_payment_credit_notes_amount: 0,
  pre_payment_credit_notes_amount: 0,
  receipt_number: null,
  starting_balance: 0,
  statement_descriptor: null,
  test_clock: null,
  total_discount_amounts: [],
  total_pretax_credit_amounts: [],
  total_taxes: [],
  webhooks_delivered_at: null,
}

function updateInvoice(context: Context): StripeObject {
  const { expand: _expand, metadata, ...plain } = context.params
  const before = context.objects.get('invoice', context.id)
  const always = new Set([
    'auto_advance',
    'default_payment_method',
    'payment_settings',
    'description',
    'footer',
  ])
  const invoice = Object.keys(plain).every((name) => always.has(name))
    ? before
    : editableInvoice(context, context.id)
  const { days_until_due: days, ...rest } = plain
  const due = days === undefined ? {} : { due_date: Number(invoice['created']) + Number(days) * DAY_SECONDS }
  const changed = { ...invoice, ...rest, ...due, metadata: mergeMetadata(invoice['metadata'], metadata) }
  context.emit('invoice.updated', context.objects.save(changed), { metadata: before['metadata'] })
  return changed
}

/** Draft to open; an invoice over nothing is paid at once. */
export function finalize(context: Context, draft: StripeObject): StripeObject {
  const { objects, now } = context
  const customer = objects.get('customer', draft['customer'], 'customer')
  const sequence = Number(customer['next_invoice_sequence'])
  const number = draft['number'] ?? `${customer['invoice_prefix']}-${String(sequence).padStart(4, '0')}`
  objects.save({ ...customer, next_invoice_sequence: sequence + 1, currency: draft['currency'] })
  const totalled = withTotals(context, draft)
  const open = objects.save({
    ...totalled,
    auto_advance: context.params['auto_advance'] ?? draft['auto_advance'],
    number,
    status: 'open',
    effective_at: now,
    hosted_invoice_url: `https://invoice.stripe.com/i/acct_local/${draft.id}`,
    invoice_pdf: `https://pay.stripe.com/invoice/acct_local/${draft.id}/pdf`,
    ending_balance: 0,
    status_transitions: { ...(draft['status_transitions'] as object), finalized_at: now },
  })
  context.emit('invoice.finalized', open)
  return Number(open['amount_due']) === 0 ? settle(context, open) : open
}

/** Marks an invoice paid and tells the webhook. */
export function settle(context: Context, invoice: StripeObject): StripeObject {
  const paid = context.objects.save({
    ...invoice,
    status: 'paid',
    attempted: true,
    amount_paid: invoice['amount_due'],
    amount_remaining: 0,
    next_payment_attempt: null,
    status_transitions: { ...(invoice['status_transitions'] as object), paid_at: context.now },
  })
  context.emit('invoice.paid', paid)
  context.emit('invoice.payment_succeeded', paid)
  return paid
}

function payInvoice(context: Context): StripeObject {
  const found = context.objects.get('invoice', context.id)
  if (found['status'] === 'paid') throw badState('Invoice is already paid')
  if (found['status'] === 'void') throw badState('This invoice can no longer be paid: it is voided')
  const invoice = found['status'] === 'draft' ? finalize(context, found) : found
  if (invoice['status'] === 'paid') return invoice
  if (context.params['paid_out_of_band'] === true) return settle(context, invoice)
  return collect(context, invoice, textOf(context.params, 'payment_method'))
}

/** Charges the invoice; a declined card counts as an attempt, tells the webhook, and is thrown. */
export function collect(context: Context, invoice: StripeObject, asked?: string): StripeObject {
  const customer = context.objects.get('customer', invoice['customer'], 'customer')
  const settings = customer['invoice_settings'] as { default_payment_method?: string | null }
  const method = asked ?? invoice['default_payment_method'] ?? settings.default_payment_method
  if (typeof method !== 'string') {
    throw badState(
      'There is no `default_payment_method` set on this Customer or Invoice. Please create one with the Payment Methods API, and then set it as default.',
    )
  }
  const attempted = { ...invoice, attempted: true, attempt_count: Number(invoice['attempt_count']) + 1 }
  try {
    chargeCard(context, method)
  } catch (error) {
    if (!isStripeError(error) || error.body.type !== 'card_error') throw error
    const retry = invoice['auto_advance'] === true ? context.now + 3 * DAY_SECONDS : null
    const failed = context.objects.save({ ...attempted, next_payment_attempt: retry })
    context.emit('invoice.payment_failed', failed)
    throw error
  }
  return settle(context, attempted)
}

function close(context: Context, from: readonly string[], status: string, word: string): StripeObject {
  const invoice = context.objects.get('invoice', context.id)
  if (!from.includes(String(invoice['status']))) {
    throw badState(
      `You can only pass in open invoices. This invoice isn't open: its status is ${invoice['status']}.`,
      'invoice_not_editable',
    )
  }
  const closed = context.objects.save({
    ...invoice,
    status,
    ...(status === 'void' ? { amount_remaining: 0 } : {}),
    status_transitions: { ...(invoice['status_transitions'] as object), [`${word}_at`]: context.now },
  })
  context.emit(`invoice.${word}`, closed)
  return closed
}
