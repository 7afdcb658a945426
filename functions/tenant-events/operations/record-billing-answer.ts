import type { Claim } from '#shared/firestore/claim.ts'
import { ok, type Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import { keepBillingAnswer } from '../domain/billing-answer.ts'
import type { SubscriptionAnswer } from '../domain/operation.ts'
import type { LifecycleDeps } from '../ports.ts'

export type RecordBillingAnswer = {
  readonly ctx: TenantContext
  readonly claim: Claim
  readonly operationId: string
  readonly answer: SubscriptionAnswer
  readonly nowMs: number
  readonly trace: Trace
}

/** Keeps what billing answered to an operation, once, and lets the operation go on. */
export async function recordBillingAnswer(
  deps: Pick<LifecycleDeps, 'store'>,
  request: RecordBillingAnswer,
): Promise<Result<unknown>> {
  const { ctx, claim, operationId, answer, nowMs, trace } = request
  return deps.store.change(ctx, claim, operationId, (work) => {
    const kept = keepBillingAnswer(work, { subscription: answer }, { operationId, nowMs, trace })
    return ok({
      value: answer.kind,
      ...(kept.operation === work.operation ? {} : { operations: [kept.operation] }),
      ...(kept.tenant === work.tenant ? {} : { tenant: kept.tenant }),
      events: kept.events,
    })
  })
}
