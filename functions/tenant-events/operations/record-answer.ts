import type { Claim } from '#shared/firestore/claim.ts'
import { ok, type Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import { changesOf } from '../domain/draft.ts'
import { type Answer, keepAnswer } from '../domain/keep-answer.ts'
import type { LifecycleDeps } from '../ports.ts'
import { isPurged } from './is-purged.ts'

export type RecordAnswer = {
  readonly ctx: TenantContext
  readonly claim: Claim
  readonly operationId: string
  readonly answer: Answer
  readonly nowMs: number
  readonly trace: Trace
}

/**
 * Keeps what billing or auth answered to an operation, once, and lets the operation go on. An answer to an
 * operation that is gone with its tenant is nobody's any more.
 */
export async function recordAnswer(
  deps: Pick<LifecycleDeps, 'store' | 'world'>,
  request: RecordAnswer,
): Promise<Result<unknown>> {
  const { ctx, claim, operationId, answer, nowMs, trace } = request
  const kept = await deps.store.change(ctx, claim, operationId, (work) => {
    const draft = keepAnswer(work, answer, { nowMs, trace })
    const value = answer.kind
    if (draft.changed.size === 0) return ok({ value })
    const { tenant, operations, events } = changesOf(draft)
    return ok({ value, ...(tenant === work.tenant ? {} : { tenant }), operations, events })
  })
  return kept.ok || !(await isPurged(deps, ctx)) ? kept : ok('the tenant is purged')
}
