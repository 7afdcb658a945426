import type { CloudEvent } from '#shared/contracts/cloud-event.ts'
import {
  type InvoiceFact,
  type InvoiceFactKind,
  invoiceFactType,
} from '#shared/contracts/events/invoice-fact.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import type { TenantId } from '#shared/ids.ts'
import type { Trace } from '#shared/trace.ts'
import { formatInstant } from '../calendar.ts'
import type { StoredInvoice } from './stored-invoice.ts'

const SOURCE = '//energent.ai/billing'

/** What is told of an invoice. It happens to each once, so that its id says when it is the same fact. */
export function invoiceFact(
  kind: InvoiceFactKind,
  invoice: StoredInvoice,
  told: { readonly tenantId: TenantId; readonly nowMs: number; readonly trace: Trace },
): CloudEvent<InvoiceFact> {
  const { invoiceId, revision, head, currency, amountDueMinor } = invoice
  return newEvent({
    id: `invoice-${kind}.${invoiceId}`,
    source: SOURCE,
    type: invoiceFactType(kind),
    ...told,
    data: {
      tenantId: told.tenantId,
      invoiceId,
      revision,
      period: head.period,
      currency,
      totalMinor: head.total.minor,
      amountDueMinor: Number(amountDueMinor),
      digest: head.digest,
      at: formatInstant(told.nowMs),
    },
  })
}
