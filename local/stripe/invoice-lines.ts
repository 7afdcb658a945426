import { badParameter, badState, newId } from './errors.ts'
import { page } from './lists.ts'
import { type Context, priceAmount, resolvePrice, type StripeObject } from './objects.ts'
import { lineAmount, mergeMetadata, textOf } from './params.ts'
import type { Routes } from './routes.ts'

const ITEM =
  'customer amount:int currency description discountable:bool invoice metadata:meta period:any price price_data:any pricing:any quantity:int quantity_decimal subscription unit_amount_decimal tax_rates:any tax_code tax_behavior discounts:any'

/** `/v1/invoiceitems`, and the lines of an invoice. */
export const lineRoutes: Routes = {
  'POST /v1/invoiceitems': { params: ITEM.replace('customer ', 'customer! '), run: createItem },
  'GET /v1/invoiceitems/:id': { params: '', run: ({ objects, id }) => objects.get('invoiceitem', id) },
  'POST /v1/invoiceitems/:id': { params: ITEM, run: updateItem },
  'DELETE /v1/invoiceitems/:id': { params: '', run: deleteItem },
  'POST /v1/invoices/:id/add_lines': { params: 'lines!:any invoice_metadata:meta', run: addLines },
  'POST /v1/invoices/:id/remove_lines': { params: 'lines!:any invoice_metadata:meta', run: removeLines },
  'GET /v1/invoices/:id/lines': {
    params: 'limit:int starting_after ending_before',
    run: (context) => {
      const invoice = context.objects.get('invoice', context.id)
      return page(`/v1/invoices/${invoice.id}/lines`, linesOf(context, invoice.id), context.params)
    },
  },
}

/** The lines of an invoice, in the order they were added. */
function linesOf(context: Context, invoice: string): StripeObject[] {
  return context.objects
    .list('invoiceitem', (item) => item['invoice'] === invoice)
    .reverse()
    .map((item) => toLine(item))
}

function toLine(item: StripeObject): StripeObject {
  return {
    id: item.id.replace(/^ii_/, 'il_'),
    object: 'line_item',
    amount: item['amount'],
    currency: item['currency'],
    description: item['description'],
    discount_amounts: [],
    discountable: item['discountable'],
    discounts: [],
    invoice: item['invoice'],
    livemode: false,
    metadata: item['metadata'],
    parent: {
      type: 'invoice_item_details',
      invoice_item_details: {
        invoice_item: item.id,
        proration: false,
        proration_details: null,
        subscription: null,
      },
      subscription_item_details: null,
    },
    period: item['period'],
    pretax_credit_amounts: [],
    pricing: item['pricing'],
    quantity: item['quantity'],
    quantity_decimal: item['quantity_decimal'],
    subscription: null,
    subtotal: item['amount'],
    taxes: [],
  }
}

/** The sums of an invoice and its first ten lines, written anew from its items. */
export function withTotals(context: Context, invoice: StripeObject): StripeObject {
  const lines = linesOf(context, invoice.id)
  const total = lines.reduce((sum, line) => sum + Number(line['amount']), 0)
  const due = Math.max(0, total - Number(invoice['pre_payment_credit_notes_amount'] ?? 0))
  const paid = Number(invoice['amount_paid'] ?? 0)
  return {
    ...invoice,
    subtotal: total,
    subtotal_excluding_tax: total,
    total,
    total_excluding_tax: total,
    amount_due: due,
    amount_remaining: Math.max(0, due - paid),
    lines: {
      object: 'list',
      // As the real one: no more than ten, the rest by their own list.
      data: lines.slice(0, 10),
      has_more: lines.length > 10,
      total_count: lines.length,
      url: `/v1/invoices/${invoice.id}/lines`,
    },
  }
}

function createItem(context: Context): StripeObject {
  const { params, objects } = context
  const customer = objects.get('customer', params['customer'], 'customer')
  const invoiceId = textOf(params, 'invoice')
  if (invoiceId !== undefined) {
    const invoice = editableInvoice(context, invoiceId, 'invoice')
    if (invoice['customer'] !== customer.id) {
      throw badParameter('The invoice belongs to another customer', 'invoice')
    }
  }
  const item = saveItem(context, customer.id, invoiceId ?? null, params)
  if (invoiceId !== undefined) objects.save(withTotals(context, objects.get('invoice', invoiceId)))
  context.emit('invoiceitem.created', item)
  return item
}

/** Writes one item; its amount is given, or a price or unit amount times the quantity. */
export function saveItem(
  context: Context,
  customer: string,
  invoice: string | null,
  source: { readonly [field: string]: unknown },
): StripeObject {
  const quantity = Number(source['quantity'] ?? 1)
  const price = resolvePrice(context, source)
  const amount = amountOf(source, price, quantity)
  if (!Number.isSafeInteger(amount) || Math.abs(amount) > 999_999_999_999) {
    throw badParameter('Invalid amount', 'amount', 'parameter_invalid_integer')
  }
  const parentCurrency = invoice === null ? 'usd' : context.objects.find(invoice)?.['currency']
  const currency = String(source['currency'] ?? price?.['currency'] ?? parentCurrency ?? 'usd').toLowerCase()
  if (invoice !== null && parentCurrency !== currency) {
    throw badParameter('The currency of the item must match the invoice', 'currency')
  }
  const period = (source['period'] ?? {}) as Record<string, unknown>
  return context.objects.save({
    id: newId('ii'),
    object: 'invoiceitem',
    amount,
    currency,
    customer,
    date: context.now,
    description: source['description'] ?? null,
    discountable: source['discountable'] ?? amount > 0,
    discounts: [],
    invoice,
    livemode: false,
    metadata: mergeMetadata({}, source['metadata']),
    parent: null,
    period: { start: Number(period['start'] ?? context.now), end: Number(period['end'] ?? context.now) },
    pricing:
      price === undefined
        ? {
            type: 'price_details',
            price_details: null,
            unit_amount_decimal: source['unit_amount_decimal'] ?? String(amount),
          }
        : {
            type: 'price_details',
            price_details: { price: price.id, product: price['product'] },
            unit_amount_decimal: price['unit_amount_decimal'],
          },
    proration: false,
    quantity,
    quantity_decimal: String(quantity),
    tax_rates: [],
    test_clock: null,
  })
}

function amountOf(
  source: { readonly [field: string]: unknown },
  price: StripeObject | undefined,
  quantity: number,
): number {
  if (price !== undefined) return priceAmount(price, quantity)
  const decimal = source['unit_amount_decimal']
  if (decimal !== undefined) return lineAmount(String(decimal), quantity)
  const amount = source['amount']
  if (amount === undefined)
    throw badParameter('Missing required param: amount.', 'amount', 'parameter_missing')
  if (!/^-?\d{1,15}$/.test(String(amount))) {
    throw badParameter(`Invalid integer: ${amount}`, 'amount', 'parameter_invalid_integer')
  }
  return Number(amount)
}

function updateItem(context: Context): StripeObject {
  const { params, objects } = context
  const item = objects.get('invoiceitem', context.id)
  const invoice =
    item['invoice'] === null ? undefined : editableInvoice(context, String(item['invoice']), 'invoice')
  if (params['amount'] !== undefined) item['amount'] = params['amount']
  if (params['description'] !== undefined) item['description'] = params['description']
  item['metadata'] = mergeMetadata(item['metadata'], params['metadata'])
  objects.save(item)
  if (invoice !== undefined) objects.save(withTotals(context, invoice))
  return item
}

function deleteItem(context: Context): StripeObject {
  const { objects } = context
  const item = objects.get('invoiceitem', context.id)
  const invoice =
    item['invoice'] === null ? undefined : editableInvoice(context, String(item['invoice']), 'invoice')
  objects.remove(item.id)
  if (invoice !== undefined) objects.save(withTotals(context, invoice))
  return { id: item.id, object: 'invoiceitem', deleted: true }
}

/** The invoice, if it is still a draft. */
export function editableInvoice(context: Context, id: string, param = 'id'): StripeObject {
  const invoice = context.objects.get('invoice', id, param)
  if (invoice['status'] === 'draft') return invoice
  throw badState(
    "Finalized invoices can't be updated in this way. To make this change, you can create a credit note or revise the invoice.",
    'invoice_not_editable',
  )
}

function addLines(context: Context): StripeObject {
  const invoice = editableInvoice(context, context.id)
  const lines = context.params['lines']
  if (!Array.isArray(lines)) throw badParameter('Invalid array', 'lines')
  // All or nothing: a bad line is found before the first is kept.
  const saved: string[] = []
  try {
    for (const line of lines) {
      const source = line as Record<string, unknown>
      const existing = source['invoice_item']
      if (existing === undefined)
        saved.push(saveItem(context, String(invoice['customer']), invoice.id, source).id)
      else context.objects.save({ ...context.objects.get('invoiceitem', existing), invoice: invoice.id })
    }
  } catch (error) {
    for (const id of saved) context.objects.remove(id)
    throw error
  }
  return changed(context, invoice)
}

function removeLines(context: Context): StripeObject {
  const invoice = editableInvoice(context, context.id)
  const lines = context.params['lines']
  if (!Array.isArray(lines)) throw badParameter('Invalid array', 'lines')
  for (const line of lines as { id?: string; behavior?: string }[]) {
    const item = context.objects.get('invoiceitem', String(line.id).replace(/^il_/, 'ii_'), 'lines')
    if (line.behavior === 'unassign') context.objects.save({ ...item, invoice: null })
    else context.objects.remove(item.id)
  }
  return changed(context, invoice)
}

function changed(context: Context, invoice: StripeObject): StripeObject {
  const metadata = mergeMetadata(invoice['metadata'], context.params['invoice_metadata'])
  const next = context.objects.save(withTotals(context, { ...invoice, metadata }))
  context.emit('invoice.updated', next)
  return next
}
