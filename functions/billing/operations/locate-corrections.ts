import type { TenantContext } from '#shared/tenancy/context.ts'
import { type Corrections, correctionsOf } from '../domain/apply-corrections.ts'
import { dayKey, hourKey } from '../domain/calendar.ts'
import { DAY_MS, startOfUtcDay } from '../domain/spans.ts'
import type { CountedEvent } from '../domain/usage-event.ts'
import type { BillingDeps, Reading, Search } from '../ports.ts'

type Deps = Pick<BillingDeps, 'ledger' | 'corrections' | 'live'>
type Run = { readonly reading: Reading; readonly nowMs: number }

/** How long the ledger is kept: nothing older can be corrected. */
const LEDGER_DAYS = 397
/** An id may stand in several hours until the period is closed: so far back all of them are looked for. */
const SURE_DAYS = 70
/** Days whose live counters are looked at together, and after which it is kept how far a search came. */
const STEP_DAYS = 31

/**
 * Looks for the events that new corrections are about, from today backwards, and reopens their hours. What
 * is not there yet needs no search: its hour is folded when it comes. Goes on where it stopped.
 */
export async function locateCorrections(deps: Deps, ctx: TenantContext, run: Run): Promise<number> {
  const searches = await deps.corrections.searches(ctx)
  if (searches.length === 0) return 0
  const corrections = correctionsOf(await deps.corrections.all(ctx))
  for (const search of searches) await locate(deps, ctx, search, corrections, run)
  return searches.length
}

async function locate(
  deps: Deps,
  ctx: TenantContext,
  search: Search,
  corrections: Corrections,
  run: Run,
): Promise<void> {
  // What takes back a replacement is about the event that was replaced.
  const named = new Map([...search.targets].map((key) => [corrections.rootOf(key), key]))
  const left = new Set(search.left)
  const floorMs = run.nowMs - LEDGER_DAYS * DAY_MS
  let toMs = search.from === undefined ? run.nowMs + DAY_MS : startOfUtcDay(search.from)
  while (toMs > floorMs && (left.size > 0 || toMs > run.nowMs - SURE_DAYS * DAY_MS)) {
    const fromMs = startOfUtcDay(dayKey(toMs - STEP_DAYS * DAY_MS))
    const found = await findIn(deps, ctx, { fromMs, toMs }, new Set(named.keys()), run)
    const hours = found.flatMap(({ key, timeMs }) => [timeMs, ...corrections.timesGiven(key)].map(hourKey))
    await reopen(deps, ctx, search.name, [...new Set(hours)].sort(), run.nowMs)
    for (const { key } of found) left.delete(named.get(key) ?? key)
    await deps.corrections.keepSearch(ctx, { ...search, left }, dayKey(fromMs))
    toMs = fromMs
  }
  await deps.corrections.keepSearch(ctx, { ...search, left }, undefined)
}

/** The events of these keys in some days, the newest day first; days in which nothing came are not read. */
async function findIn(
  deps: Deps,
  ctx: TenantContext,
  period: { readonly fromMs: number; readonly toMs: number },
  keys: ReadonlySet<string>,
  { reading }: Run,
): Promise<readonly CountedEvent[]> {
  const live = await deps.live.hours(ctx, dayKey(period.fromMs), dayKey(period.toMs - 1))
  const days = [...new Set([...live.keys()].map((hour) => hour.slice(0, 8)))].sort().reverse()
  const found: CountedEvent[] = []
  for (const day of days) {
    reading.check()
    const read = await deps.ledger.days(ctx, [day], reading)
    if (!read.ok) throw new Error(`the ledger cannot be read: ${read.detail}`)
    for (const { events } of read.value.get(day) ?? []) {
      found.push(...events.filter(({ key }) => keys.has(key)))
    }
  }
  return found
}

/** One empty batch for each hour: the same search again makes the same ones. */
async function reopen(
  deps: Deps,
  ctx: TenantContext,
  search: string,
  hours: readonly string[],
  nowMs: number,
): Promise<void> {
  for (const hour of hours) await deps.corrections.touch(ctx, `${search} ${hour}`, [hour], nowMs)
}
