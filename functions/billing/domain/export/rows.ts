import { METER_IDS, METERS } from '#shared/catalogue/meters.ts'
import { canonicalJson } from '#shared/json.ts'
import { formatInstant } from '../calendar.ts'
import { counts } from '../invoice/life-cycle.ts'
import type { InvoiceLine } from '../invoice/line.ts'
import type { StoredInvoice } from '../invoice/stored-invoice.ts'
import { quantityUnit } from '../meter.ts'
import type { Quantity } from '../quantities.ts'
import { add, decimal, formatDecimal, ZERO } from '../rational.ts'
import type { Cell } from './csv.ts'

export type Row = Readonly<Record<string, Cell>>

/** Every dimension of any meter. */
export const DIMENSIONS: readonly string[] = [
  ...new Set(METER_IDS.flatMap((meter) => METERS[meter].dimensions)),
].sort()

export const USAGE_COLUMNS = [
  'from',
  'to',
  'meter',
  'version',
  'group',
  'quantity',
  'unit',
  'events',
] as const
export const INVOICE_COLUMNS = [
  'invoiceId',
  'revision',
  'status',
  'periodFrom',
  'periodTo',
  'lineId',
  'kind',
  'description',
  'meter',
  'group',
  'serviceFrom',
  'serviceTo',
  'quantity',
  'unit',
  'included',
  'billedQuantity',
  'charge',
  'credit',
  'minor',
  'currency',
  'priceRef',
  'taxCategory',
  'correctsLineId',
  'events',
  'stands',
] as const

/** One row for each window, meter and group in which something was measured. */
export function usageRow(row: Quantity): Row {
  return {
    from: formatInstant(row.period.fromMs),
    to: formatInstant(row.period.toMs),
    meter: row.meterId,
    version: row.version,
    group: groupText(row.group),
    quantity: row.value === undefined ? null : formatDecimal(row.value),
    unit: quantityUnit(row.meterId),
    events: row.events,
  }
}

/**
 * A line of an invoice; `charge` and `credit` are both positive, one of them is empty, and `minor` has the
 * sign. `stands` is `no` on an invoice that was taken back, by a void or a credit note: the totals leave it out.
 */
export function invoiceRow(invoice: StoredInvoice, line: InvoiceLine): Row {
  const { amount, currency } = line.amount
  const isCredit = line.amount.minor < 0
  return {
    invoiceId: invoice.invoiceId,
    revision: invoice.revision,
    status: invoice.status,
    periodFrom: invoice.head.period.from,
    periodTo: invoice.head.period.to,
    lineId: line.lineId,
    kind: line.kind,
    description: line.description,
    meter: line.meter,
    group: groupText(line.group),
    serviceFrom: line.servicePeriod.from,
    serviceTo: line.servicePeriod.to,
    quantity: line.quantity,
    unit: line.unit,
    included: line.included,
    billedQuantity: line.billedQuantity,
    charge: isCredit ? null : amount,
    credit: isCredit ? amount.slice(1) : null,
    minor: line.amount.minor,
    currency,
    priceRef: line.priceRef,
    taxCategory: line.taxCategory,
    correctsLineId: line.corrects?.lineId ?? null,
    events: line.evidence.events,
    stands: counts(invoice) ? 'yes' : 'no',
  }
}

/** What an invoice adds: by currency the `minor` of its rows, if it stands, so that rows and totals agree. */
export function invoiceTotals(invoice: StoredInvoice, lines: readonly InvoiceLine[]): [string, string][] {
  const stands = counts(invoice)
  return [
    [stands ? 'invoices' : 'invoices.taken_back', '1'],
    ...lines.map(({ amount }): [string, string] => [
      `${amount.currency}.minor`,
      stands ? String(amount.minor) : '0',
    ]),
  ]
}

/** Adds rows to sums: of usage by meter, of invoices by currency; what cannot be added up is counted. */
export function addTotals(
  totals: Readonly<Record<string, string>>,
  amounts: readonly (readonly [name: string, value: string])[],
): Record<string, string> {
  const sums = new Map(Object.entries(totals).map(([name, text]) => [name, decimal(text)]))
  for (const [name, value] of amounts) sums.set(name, add(sums.get(name) ?? ZERO, decimal(value)))
  return Object.fromEntries([...sums].map(([name, sum]) => [name, formatDecimal(sum)]))
}

/** What a usage row adds: distinct things and maxima of hours are no sums. */
export function usageTotals(rows: readonly Quantity[]): [string, string][] {
  return rows.flatMap(({ meterId, value, events }) => {
    const { aggregation } = METERS[meterId]
    const counted: [string, string] = [`${meterId}.events`, String(events)]
    const adds = aggregation !== 'max' && aggregation !== 'unique_count' && value !== undefined
    return adds ? [counted, [`${meterId}.quantity`, formatDecimal(value)] as [string, string]] : [counted]
  })
}

function groupText(group: Readonly<Record<string, string>>): string {
  const named = Object.fromEntries(Object.entries(group).filter(([, value]) => value !== ''))
  return Object.keys(named).length === 0 ? '' : canonicalJson(named)
}
