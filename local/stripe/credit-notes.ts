import { badParameter, badState, newId } from './errors.ts'
import { withTotals } from './invoice-lines.ts'
import { settle } from './invoices.ts'
import type { Context, StripeObject } from './objects.ts'
import { mergeMetadata, numberOf } from './params.ts'
import type { Routes } from './routes.ts'

/** `/v1/credit_notes`. */
export const creditNoteRoutes: Routes = {
  'POST /v1/credit_notes': {
    params:
      'invoice! amount:int credit_amount:int refund_amount:int out_of_band_amount:int reason memo metadata:meta lines:any email_type effective_at:int',
    run: createCreditNote,
  },
  'GET /v1/credit_notes/:id': { params: '', run: ({ objects, id }) => objects.get('credit_note', id) },
}

/** Lowers what an open invoice asks for, or notes what a paid one gives back. */
function createCreditNote(context: Context): StripeObject {
  const { objects, params, now } = context
  const invoice = objects.get('invoice', params['invoice'], 'invoice')
  const open = invoice['status'] === 'open'
  if (!open && invoice['status'] !== 'paid') throw badState('The invoice must be open or paid')
  const lines = Array.isArray(params['lines']) ? (params['lines'] as { amount?: string }[]) : []
  const amount = numberOf(params, 'amount') ?? lines.reduce((sum, line) => sum + Number(line.amount ?? 0), 0)
  const field = open ? 'pre_payment_credit_notes_amount' : 'post_payment_credit_notes_amount'
  const credited =
    Number(invoice['pre_payment_credit_notes_amount']) + Number(invoice['post_payment_credit_notes_amount'])
  if (amount <= 0 || amount + credited > Number(invoice['total'])) {
    throw badParameter('The sum of credit notes would exceed the invoice, or is not positive', 'amount')
  }
  const note = objects.save({
    id: newId('cn'),
    object: 'credit_note',
    amount,
    created: now,
    currency: invoice['currency'],
    customer: invoice['customer'],
    invoice: invoice.id,
    livemode: false,
    memo: params['memo'] ?? null,
    metadata: mergeMetadata({}, params['metadata']),
    number: `${invoice['number']}-CN-${String(objects.list('credit_note').length + 1).padStart(2, '0')}`,
    reason: params['reason'] ?? null,
    status: 'issued',
    subtotal: amount,
    total: amount,
    type: open ? 'pre_payment' : 'post_payment',
  })
  const reduced = withTotals(context, { ...invoice, [field]: Number(invoice[field]) + amount })
  const next = open
    ? objects.save(reduced)
    : objects.save({ ...invoice, [field]: Number(invoice[field]) + amount })
  context.emit('credit_note.created', note)
  if (open && Number(next['amount_remaining']) === 0) settle(context, next)
  return note
}
