import { z } from 'zod'
import type { SystemFirestore } from '#shared/firestore/system.ts'
import { parser } from '#shared/json.ts'
import { CURRENCIES, type Currency } from '../domain/currency.ts'
import type { RevenueRow } from '../domain/invoice/revenue.ts'
import type { Revenue, TenantAccruals } from '../ports/invoices.ts'

export const JOBS = 'jobs'
const REVENUE = 'revenue'
const ACCRUED = 'accrued'

const minor = z.string().transform((text) => BigInt(text))
const currency = z.enum(CURRENCIES as [Currency, ...Currency[]])
const accruals = z
  .string()
  .transform((text): unknown => JSON.parse(text))
  .pipe(
    z.array(
      z.object({
        tier: z.string(),
        currency,
        charged: minor,
        byMeter: z.record(z.string(), minor),
      }),
    ),
  )
/** Null where nothing recurs; rows of before it was kept are without it. */
const mrr = z
  .object({ tier: z.string(), currency, minor })
  .nullish()
  .transform((kept) => kept ?? undefined)
const parseAccruals = parser<TenantAccruals>(
  z.object({ tenantId: z.string(), atMs: z.number(), accruals, mrr }),
)
const parseRow = parser<RevenueRow>(
  z.object({
    rowId: z.string(),
    month: z.string(),
    tenantId: z.string(),
    tier: z.string(),
    currency: z.string(),
    atMs: z.number(),
    amounts: z.object({
      charged: minor,
      credits: minor,
      sla: minor,
      billed: minor,
      tax: minor,
      recurring: minor,
    }),
    byMeter: z.record(z.string(), minor),
  }),
)

/** The fields of a row's document. */
export function revenueFields(row: RevenueRow): Record<string, unknown> {
  const texts = (amounts: Readonly<Record<string, bigint>>): Record<string, string> =>
    Object.fromEntries(Object.entries(amounts).map(([name, minor]) => [name, String(minor)]))
  return { kind: REVENUE, ...row, amounts: texts(row.amounts), byMeter: texts(row.byMeter) }
}

/** The name of a row's document. */
export function revenueId(rowId: string): string {
  return `${REVENUE}_${rowId}`
}

/**
 * Rows of `jobs`: one for each invoice that was finalized, one for each that was taken back, and one for
 * what each tenant has used and is not invoiced yet, with its MRR.
 */
export function firestoreRevenue(system: SystemFirestore): Revenue {
  return {
    rows: async (month, after, limit) => {
      const found = await system.list(
        JOBS,
        {
          where: [
            ['kind', '==', REVENUE],
            ['month', '==', month],
          ],
          orderBy: [['__name__', 'asc']],
          limit,
          ...(after === undefined ? {} : { startAfter: [`${REVENUE}_${after}`] }),
        },
        parseRow,
      )
      return found.map(({ value }) => value)
    },
    accruals: async (after, limit) => {
      const where = [['kind', '==', ACCRUED]] as const
      const orderBy = [['__name__', 'asc']] as const
      const startAfter = after === undefined ? {} : { startAfter: [accrualId(after)] }
      const found = await system.list(JOBS, { where, orderBy, limit, ...startAfter }, parseAccruals)
      return found.map(({ value }) => value)
    },
    accruedAtMs: async (tenantId) =>
      (await system.find(JOBS, accrualId(tenantId), parseAccruals))?.value.atMs,
    keepAccruals: (tenantId, kept) =>
      system.merge(JOBS, accrualId(tenantId), {
        ...{ kind: ACCRUED, tenantId, atMs: kept.atMs },
        mrr: kept.mrr === undefined ? null : { ...kept.mrr, minor: String(kept.mrr.minor) },
        accruals: JSON.stringify(kept.accruals, (_key, value) =>
          typeof value === 'bigint' ? String(value) : value,
        ),
      }),
  }
}

function accrualId(tenantId: string): string {
  return `${ACCRUED}_${tenantId}`
}
