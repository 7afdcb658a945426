import type { WorkKind, WorkRequested } from '#shared/contracts/events/work-requested.ts'
import type { ReceivedEvent } from '#shared/pubsub/types.ts'
import { type Result, refuse } from '#shared/result.ts'
import { applyUsageJob } from './operations/apply-usage-job.ts'
import { closePeriods } from './operations/close-periods.ts'
import { eraseTenant } from './operations/erase-tenant.ts'
import { rollUpTenant } from './operations/roll-up-tenant.ts'
import { drain } from './operations/use-slots.ts'
import { writeExport } from './operations/write-export.ts'
import type { BillingDeps } from './ports.ts'

type Unit = (deps: BillingDeps, received: ReceivedEvent<WorkRequested>) => Promise<Result<unknown>>

/**
 * What each kind of unit does. A unit may come more than once and at the same time as itself: what it
 * writes is conditional, and what it stops at before its deadline it asks for again, with a cursor.
 */
const UNITS: Readonly<Partial<Record<WorkKind, Unit>>> = {
  rollup: rollUpTenant,
  close: closePeriods,
  export: writeExport,
  backfill: applyUsageJob,
  drain,
  erase: eraseTenant,
}

/** Does one unit of billing's own work. */
export async function doWork(
  deps: BillingDeps,
  received: ReceivedEvent<WorkRequested>,
): Promise<Result<unknown>> {
  const { kind, tenantId } = received.event.data
  const unit = UNITS[kind]
  if (unit === undefined) return refuse('event.unknown_type', `no unit of work is called ${kind}`)
  if (tenantId !== received.ctx.tenantId) return refuse('event.malformed', 'work for another tenant')
  return unit(deps, received)
}
