import type { Currency } from '../currency.ts'
import type { InvoiceLine } from './line.ts'
import type { StoredInvoice } from './stored-invoice.ts'

/** What one invoice, or its end, adds to the revenue of all tenants; whole minor units. */
export type RevenueRow = {
  readonly rowId: string
  /** `yyyy-mm` in which it was finalized, or taken back. */
  readonly month: string
  readonly tenantId: string
  readonly tier: string
  readonly currency: string
  readonly atMs: number
  readonly amounts: RevenueAmounts
  readonly byMeter: Readonly<Record<string, bigint>>
}

/** `billed` is net of credit and deductions, before tax. Of an invoice that was taken back all are negative. */
export type RevenueAmounts = {
  readonly charged: bigint
  readonly credits: bigint
  readonly sla: bigint
  readonly billed: bigint
  readonly tax: bigint
  /** Recurring fees, as charged: of whole periods, parts of them, and late corrections. */
  readonly recurring: bigint
}

/** The row of an invoice that was finalized. */
export function revenueOf(
  invoice: StoredInvoice,
  of: { readonly tenantId: string; readonly tier: string; readonly nowMs: number },
): RevenueRow {
  const { head, charged, corrections } = invoice
  const byMeter = new Map<string, bigint>()
  const add = (name: string, minor: bigint): void => {
    byMeter.set(name, (byMeter.get(name) ?? 0n) + minor)
  }
  for (const line of charged) add(line.meter ?? (line.isFee ? 'fees' : 'commitments'), line.minor)
  for (const { line, minor } of corrections) add(line.meter ?? (line.isFee ? 'fees' : 'commitments'), minor)
  const deducted = (kind: string): bigint =>
    head.deductions
      .filter((one) => one.kind === kind)
      .reduce((sum, { amount }) => sum + BigInt(amount.minor), 0n)
  return {
    rowId: `${invoice.invoiceId}_billed`,
    month: monthOf(of.nowMs),
    tenantId: of.tenantId,
    tier: of.tier,
    currency: invoice.currency,
    atMs: of.nowMs,
    amounts: {
      charged: BigInt(head.subtotal.minor),
      credits: BigInt(head.creditsApplied.minor),
      sla: deducted('sla'),
      billed: BigInt(head.net.minor),
      tax: BigInt(head.tax.minor),
      recurring: byMeter.get('fees') ?? 0n,
    },
    byMeter: Object.fromEntries(byMeter),
  }
}

/** What was used and is not invoiced yet, in one period: before credit and tax. */
export type Accrual = {
  readonly tier: string
  readonly currency: Currency
  readonly charged: bigint
  readonly byMeter: Readonly<Record<string, bigint>>
}

/** What a period comes to so far, by the lines of its invoice as it would be now. */
export function accrualOf(
  lines: readonly Pick<InvoiceLine, 'meter' | 'kind' | 'amount'>[],
  of: Pick<Accrual, 'tier' | 'currency'>,
): Accrual {
  const byMeter = new Map<string, bigint>()
  for (const { meter, kind, amount } of lines) {
    const name = meter ?? (kind.startsWith('fee') || kind === 'correction' ? 'fees' : 'commitments')
    byMeter.set(name, (byMeter.get(name) ?? 0n) + BigInt(amount.minor))
  }
  const charged = lines.reduce((sum, { amount }) => sum + BigInt(amount.minor), 0n)
  return { ...of, charged, byMeter: Object.fromEntries(byMeter) }
}

/** The row that takes an invoice's back. */
export function revenueBack(row: RevenueRow, nowMs: number): RevenueRow {
  const negative = <K extends string>(amounts: Readonly<Record<K, bigint>>): Record<K, bigint> =>
    Object.fromEntries(Object.entries<bigint>(amounts).map(([name, minor]) => [name, -minor])) as Record<
      K,
      bigint
    >
  return {
    ...row,
    rowId: row.rowId.replace(/_billed$/, '_back'),
    month: monthOf(nowMs),
    atMs: nowMs,
    amounts: negative(row.amounts),
    byMeter: negative(row.byMeter),
  }
}

export function monthOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 7)
}
