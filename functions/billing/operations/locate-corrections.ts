import type { TenantContext } from '#shared/tenancy/context.ts'
import { type Corrections, correctionsOf } from '../domain/apply-corrections.ts'
import { dayKeysOf, hourKey } from '../domain/calendar.ts'
import { DAY_MS, startOfUtcDay } from '../domain/spans.ts'
import type { BillingDeps, Reading, Search } from '../ports.ts'

type Deps = Pick<BillingDeps, 'ledger' | 'corrections'>
type Run = { readonly reading: Reading; readonly nowMs: number }

/** How long the ledger is kept: nothing older can be corrected. */
const LEDGER_DAYS = 397
/** An id may stand in several hours until the period is closed: so far back all of them are looked for. */
const SURE_DAYS = 70
const STEP_DAYS = 2
/** Steps after which it is kept how far a search came. */
const KEPT_EVERY = 10

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
  const named = new Map([...search.targets].map((key) => [corrections.rootOf(key), key]))
  const left = new Set(search.left)
  const newestMs = run.nowMs + DAY_MS
  const beginMs = search.from === undefined ? newestMs : startOfUtcDay(search.from) - 1
  let steps = 0
  for (let toMs = beginMs; toMs > run.nowMs - LEDGER_DAYS * DAY_MS; toMs -= STEP_DAYS * DAY_MS) {
    run.reading.check()
    steps += 1
    if (left.size === 0 && toMs < run.nowMs - SURE_DAYS * DAY_MS) break
    const period = { fromMs: toMs - STEP_DAYS * DAY_MS + 1, toMs: toMs + 1 }
    const events = await deps.ledger.read(ctx, period, run.reading)
    if (!events.ok) throw new Error(`the ledger cannot be read: ${events.detail}`)
    const found = events.value.filter(({ key }) => named.has(key))
    const hours = found.flatMap(({ key, timeMs }) => [timeMs, ...corrections.timesGiven(key)].map(hourKey))
    await reopen(deps, ctx, search.name, [...new Set(hours)].sort(), run.nowMs)
    for (const { key } of found) left.delete(named.get(key) ?? key)
    if (steps % KEPT_EVERY === 0) {
      await deps.corrections.keepSearch(ctx, { ...search, left }, dayKeysOf(period)[0])
    }
  }
  await deps.corrections.keepSearch(ctx, { ...search, left }, undefined)
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
