import type { HandlersOf } from '#shared/http/edge.ts'
import { sweepHandler } from '#shared/http/standard.ts'
import type { Platform } from '#shared/wiring.ts'
import { enqueueRollups } from '../operations/enqueue-rollups.ts'
import { requestDueWork } from '../operations/request-due-work.ts'
import type { BillingDeps } from '../ports.ts'
import { answerWith } from './answer.ts'

/** What Cloud Scheduler calls: each only asks for work, in units on `billing-work`. */
export function jobHandlers(
  platform: Platform,
  deps: BillingDeps,
): Pick<HandlersOf<'billing-api'>, 'runBillingSweep' | 'runBillingRollups'> {
  return {
    runBillingSweep: (request) => sweepHandler(platform.outbox, () => requestDueWork(deps, request))(request),
    runBillingRollups: async (request) => answerWith(await enqueueRollups(deps, request)),
  }
}
