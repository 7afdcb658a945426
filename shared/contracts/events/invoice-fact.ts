import { z } from 'zod'
import { defineEvent, type EventContract } from '../define-event.ts'

/** What happens to an invoice once it is more than a draft. */
export const INVOICE_FACT_KINDS = ['finalized', 'paid', 'past-due', 'voided', 'credited'] as const
export type InvoiceFactKind = (typeof INVOICE_FACT_KINDS)[number]

/** Fact of billing about one invoice; amounts are whole minor units of its currency. */
export type InvoiceFact = {
  tenantId: string
  invoiceId: string
  revision: number
  period: { from: string; to: string }
  currency: string
  totalMinor: number
  amountDueMinor: number
  /** Of what the invoice says. */
  digest: string
  at: string
}

export function invoiceFactType(kind: InvoiceFactKind): string {
  return `ai.energent.billing.invoice-${kind}.v1`
}

const schema = z.object({
  tenantId: z.string(),
  invoiceId: z.string().min(1).max(128),
  revision: z.int().min(1),
  period: z.object({ from: z.iso.datetime(), to: z.iso.datetime() }),
  currency: z.string().length(3),
  totalMinor: z.int(),
  amountDueMinor: z.int(),
  digest: z.string().length(64),
  at: z.iso.datetime(),
})

/** The contract of each kind. */
export const INVOICE_FACTS = Object.fromEntries(
  INVOICE_FACT_KINDS.map((kind) => [
    kind,
    defineEvent<InvoiceFact>(invoiceFactType(kind), schema, {
      tenantId: 'acme',
      invoiceId: 'inv_5f1d1a2b3c4d5e6f708192a3b4c5d6e7',
      revision: 1,
      period: { from: '2026-11-01T00:00:00Z', to: '2026-12-01T00:00:00Z' },
      currency: 'USD',
      totalMinor: 23_450,
      amountDueMinor: 23_450,
      digest: '0'.repeat(64),
      at: '2026-12-02T00:00:00Z',
    }),
  ]),
) as Readonly<Record<InvoiceFactKind, EventContract<InvoiceFact>>>
