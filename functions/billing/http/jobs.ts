import type { HandlersOf } from '#shared/http/edge.ts'
import { sweepHandler } from '#shared/http/standard.ts'
import type { Platform } from '#shared/wiring.ts'
import { enqueueCloses } from '../operations/enqueue-closes.ts'
import { enqueueRollups } from '../operations/enqueue-rollups.ts'
import { requestDueWork } from '../operations/request-due-work.ts'
import type { BillingDeps } from '../ports.ts'
import { answerWith } from './answer.ts'

/** What Cloud Scheduler calls: each only asks for work, in units on `billing-work`. */
export function jobHandlers(
  platform: Platform,
  deps: BillingDeps,
): Pick<HandlersOf<'billing-api'>, 'runBillingSweep' | 'runBillingRollups' | 'runBillingClose'> {
  return {
    runBillingSweep: (request) => sweepHandler(platform.outbox, () => requestDueWork(deps, request))(request),
    runBillingRollups: async (request) => answerWith(await enqueueRollups(deps, request)),
    runBillingClose: async (request) => answerWith(await enqueueCloses(deps, request)),
  }
}
