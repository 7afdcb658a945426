import { z } from 'zod'
import { type Parse, parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { formatInstant } from '../domain/calendar.ts'
import { type Currency, isStatable, type Money, money } from '../domain/currency.ts'
import { monthOf, type RevenueRow } from '../domain/invoice/revenue.ts'
import { parseInstant } from '../domain/usage-query.ts'
import type { TenantAccruals } from '../ports/invoices.ts'
import type { BillingDeps } from '../ports.ts'

const GROUPS = ['tier', 'meter', 'tenant', 'currency'] as const
type GroupBy = (typeof GROUPS)[number]
const DAY_MS = 24 * 3_600_000
const LONGEST_MS = 400 * DAY_MS
const PAGE = 300
/** More rows than this are an export's business, not an answer's. */
const MOST_ROWS = 30_000

const parseQuery: Parse<{ from?: string | undefined; to?: string | undefined; groupBy: GroupBy }> = parser(
  z.strictObject({
    from: z.string().optional(),
    to: z.string().optional(),
    groupBy: z.enum(GROUPS).default('currency'),
  }),
)

type Sums = Record<'charged' | 'credits' | 'sla' | 'billed' | 'tax' | 'recurring' | 'mrr' | 'accrued', bigint>
type Group = { readonly key: string; readonly currency: Currency; sums: Sums; invoices: Set<string> }

/**
 * What was billed in a range, over all tenants, by the instant at which invoices were finalized or taken
 * back; from the beginning of the month to now unless it says otherwise. Currencies are never added up: each group has a row for each.
 *
 * `accrued` is what was used and is not invoiced yet, and `mrr` what is subscribed is worth in a month, both
 * before credit and tax: whatever the range, as of when they were last worked out for each tenant, of which
 * `accruedSince` is the oldest. `fees` is what the invoices of the range charged in fees.
 */
export async function reportRevenue(
  deps: Pick<BillingDeps, 'revenue'>,
  request: {
    readonly query: Readonly<Record<string, string>>
    readonly nowMs: number
    readonly signal: AbortSignal
  },
): Promise<Result<Record<string, unknown>>> {
  const query = parseQuery(request.query)
  if (!query.ok) return query
  const { groupBy, from, to } = query.value
  const month = `${monthOf(request.nowMs)}-01T00:00:00Z`
  const fromMs = parseInstant(from ?? month)
  const toMs = to === undefined ? request.nowMs : parseInstant(to)
  if (fromMs === undefined || toMs === undefined || fromMs >= toMs || toMs - fromMs > LONGEST_MS) {
    const hint = 'from and to: RFC 3339 instants, from before to, 400 days apart at most'
    return refuse('usage.range_invalid', 'revenue range', hint)
  }
  const rows = await rowsBetween(deps, fromMs, toMs, request.signal)
  if (!rows.ok) return rows
  const accruals = await allAccruals(deps, request.signal)
  if (!accruals.ok) return accruals
  const groups = groupsOf(rows.value, accruals.value, groupBy)
  const tooLarge = groups.flatMap(({ sums }) => Object.values(sums)).find((minor) => !isStatable(minor))
  if (tooLarge !== undefined) return refuse('invoice.out_of_range', `${tooLarge} minor units`)
  return ok({
    from: formatInstant(fromMs),
    to: formatInstant(toMs),
    groupBy,
    data: groups.map(groupJson(groupBy)),
    accruedSince: formatInstant(
      accruals.value.reduce((oldest, { atMs }) => Math.min(oldest, atMs), request.nowMs),
    ),
    // Whether what we billed was compared with what was collected: nothing collects yet.
    reconciled: false,
    asOf: formatInstant(request.nowMs),
  })
}

async function rowsBetween(
  deps: Pick<BillingDeps, 'revenue'>,
  fromMs: number,
  toMs: number,
  signal: AbortSignal,
): Promise<Result<readonly RevenueRow[]>> {
  const rows: RevenueRow[] = []
  for (const month of monthsBetween(fromMs, toMs)) {
    let after: string | undefined
    for (;;) {
      signal.throwIfAborted()
      const page = await deps.revenue.rows(month, after, PAGE)
      rows.push(...page.filter(({ atMs }) => atMs >= fromMs && atMs < toMs))
      if (rows.length > MOST_ROWS) {
        return refuse('usage.range_invalid', `more than ${MOST_ROWS} invoices`, 'Ask for a shorter range.')
      }
      after = page.at(-1)?.rowId
      if (page.length < PAGE) break
    }
  }
  return ok(rows)
}

async function allAccruals(
  deps: Pick<BillingDeps, 'revenue'>,
  signal: AbortSignal,
): Promise<Result<readonly TenantAccruals[]>> {
  const all: TenantAccruals[] = []
  for (;;) {
    signal.throwIfAborted()
    const page = await deps.revenue.accruals(all.at(-1)?.tenantId, PAGE)
    all.push(...page)
    if (page.length < PAGE) return ok(all)
    if (all.length > MOST_ROWS) {
      return refuse('usage.range_invalid', `more than ${MOST_ROWS} tenants`, 'There are too many tenants.')
    }
  }
}

function monthsBetween(fromMs: number, toMs: number): string[] {
  const months = new Set<string>()
  for (let ms = fromMs; ms < toMs; ms += DAY_MS) months.add(monthOf(ms))
  return [...months.add(monthOf(toMs - 1))]
}

function groupsOf(
  rows: readonly RevenueRow[],
  accruals: readonly TenantAccruals[],
  groupBy: GroupBy,
): Group[] {
  const groups = new Map<string, Group>()
  const groupOf = (key: string, currency: Currency): Group => {
    const id = `${key}\0${currency}`
    const group = groups.get(id) ?? { key, currency, sums: noSums(), invoices: new Set() }
    groups.set(id, group)
    return group
  }
  const add = (key: string, row: RevenueRow, sums: Partial<Sums>): void => {
    const group = groupOf(key, row.currency as Currency)
    for (const [name, minor] of Object.entries(sums) as [keyof Sums, bigint][]) group.sums[name] += minor
    group.invoices.add(row.rowId.replace(/_(?:billed|back)$/, ''))
  }
  for (const row of rows) {
    if (groupBy === 'meter') {
      for (const [meter, charged] of Object.entries(row.byMeter)) add(meter, row, { charged })
    } else {
      add(keyOf(groupBy, row), row, row.amounts)
    }
  }
  for (const { tenantId, accruals: ofTenant, mrr } of accruals) {
    if (mrr !== undefined && groupBy !== 'meter') {
      groupOf(keyOf(groupBy, { ...mrr, tenantId }), mrr.currency).sums.mrr += mrr.minor
    }
    for (const { tier, currency, charged, byMeter } of ofTenant) {
      const parts =
        groupBy === 'meter'
          ? Object.entries(byMeter)
          : [[keyOf(groupBy, { tenantId, tier, currency }), charged] as const]
      for (const [name, minor] of parts) groupOf(name, currency).sums.accrued += minor
    }
  }
  return [...groups].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, group]) => group)
}

function keyOf(
  groupBy: Exclude<GroupBy, 'meter'>,
  of: { readonly tenantId: string; readonly tier: string; readonly currency: string },
): string {
  return { tenant: of.tenantId, tier: of.tier, currency: of.currency }[groupBy]
}

function groupJson(groupBy: GroupBy): (group: Group) => Record<string, unknown> {
  return ({ key, currency, sums, invoices }) => {
    const amount = (name: keyof Sums): Money => money(sums[name], currency)
    if (groupBy === 'meter')
      return {
        ...{ meter: key, currency, charged: amount('charged') },
        ...{ accrued: amount('accrued'), invoices: invoices.size },
      }
    return {
      [groupBy]: key,
      currency,
      charged: amount('charged'),
      credits: amount('credits'),
      sla: amount('sla'),
      billed: amount('billed'),
      tax: amount('tax'),
      fees: amount('recurring'),
      mrr: amount('mrr'),
      accrued: amount('accrued'),
      invoices: invoices.size,
    }
  }
}

function noSums(): Sums {
  return { charged: 0n, credits: 0n, sla: 0n, billed: 0n, tax: 0n, recurring: 0n, mrr: 0n, accrued: 0n }
}
