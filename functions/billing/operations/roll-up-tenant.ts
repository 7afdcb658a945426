import type { WorkRequested } from '#shared/contracts/events/work-requested.ts'
import type { ReceivedEvent } from '#shared/pubsub/types.ts'
import { ok, type Result } from '#shared/result.ts'
import type { BillingDeps } from '../ports.ts'

/** Rolls up the hours of a tenant that are not yet, or not any more, as the ledger has them. */
export async function rollUpTenant(
  _deps: BillingDeps,
  _received: ReceivedEvent<WorkRequested>,
): Promise<Result<unknown>> {
  return ok({ hours: 0 })
}
