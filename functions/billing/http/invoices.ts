import type { HandlersOf } from '#shared/http/edge.ts'
import { previewInvoice } from '../operations/preview-invoice.ts'
import type { BillingDeps } from '../ports.ts'
import { answerWith } from './answer.ts'

/** The routes of invoices. */
export function invoiceHandlers(deps: BillingDeps): Pick<HandlersOf<'billing-api'>, 'getUpcomingInvoice'> {
  return {
    getUpcomingInvoice: async (request) => answerWith(await previewInvoice(deps, request)),
  }
}
