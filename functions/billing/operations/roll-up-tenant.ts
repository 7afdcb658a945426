import type { WorkRequested } from '#shared/contracts/events/work-requested.ts'
import type { ReceivedEvent } from '#shared/pubsub/types.ts'
import { ok, type Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { DAY_MS, periodOfHour, startOfUtcDay } from '../domain/spans.ts'
import type { BillingDeps, DayRollup, LiveHour, Reading } from '../ports.ts'
import { rollUpHour } from './fold-hour.ts'
import { locateCorrections } from './locate-corrections.ts'

type Deps = Pick<
  BillingDeps,
  'ledger' | 'corrections' | 'rollups' | 'live' | 'reads' | 'versionOf' | 'meters'
>

export type RolledUp = { readonly hours: number; readonly days: number }

/** A unit of the job: all hours of a tenant that are over and not as the ledger has them. */
export async function rollUpTenant(
  deps: Deps,
  received: ReceivedEvent<WorkRequested>,
): Promise<Result<RolledUp>> {
  const { ctx, nowMs, signal } = received
  return ok(await rollUp(deps, ctx, { reading: deps.reads.background(signal), nowMs }))
}

/**
 * Rolls up what has changed. Which hours that are, the live counters say: they are written with every batch,
 * and a roll-up that read as many batches has them all. So a mark that got lost, a roll-up that was
 * torn and two at the same time are all seen at the next run, and nothing is folded twice for nothing.
 *
 * With `open`, the hour that is not over yet too.
 */
export async function rollUp(
  deps: Deps,
  ctx: TenantContext,
  run: { readonly reading: Reading; readonly nowMs: number; readonly open?: boolean },
): Promise<RolledUp> {
  await deps.meters.refresh()
  await locateCorrections(deps, ctx, run)
  const rolledUp = { hours: 0, days: 0 }
  for (const day of await deps.live.dirtyDays(ctx)) {
    run.reading.check()
    const hours = await rollUpDay(deps, ctx, day, run)
    rolledUp.hours += hours
    rolledUp.days += 1
  }
  return rolledUp
}

async function rollUpDay(
  deps: Deps,
  ctx: TenantContext,
  day: string,
  run: { readonly reading: Reading; readonly nowMs: number; readonly open?: boolean },
): Promise<number> {
  const live = await deps.live.hours(ctx, day, day)
  const known = (await deps.rollups.days(ctx, day, day)).get(day)
  const stale = [...live].filter(
    ([hour, { batches }]) =>
      (run.open === true || periodOfHour(hour).toMs <= run.nowMs) && batches !== countOf(known, hour),
  )
  for (const [hour] of stale) {
    run.reading.check()
    await rollUpHour(deps, ctx, hour, run)
  }
  if (stale.length > 0) await deps.rollups.foldDay(ctx, day)
  if (startOfUtcDay(day) + DAY_MS <= run.nowMs) await clearDay(deps, ctx, day, live)
  return stale.length
}

/** A day is done when it is over and its fold knows of all batches. */
async function clearDay(
  deps: Deps,
  ctx: TenantContext,
  day: string,
  live: ReadonlyMap<string, LiveHour>,
): Promise<void> {
  const folded = (await deps.rollups.days(ctx, day, day)).get(day)
  const counts = new Map([...live.keys()].map((hour) => [hour, countOf(folded, hour)]))
  await deps.live.clear(ctx, day, counts)
}

function countOf(day: DayRollup | undefined, hour: string): number {
  return day?.hours[hour.slice(8)]?.batchCount ?? 0
}
