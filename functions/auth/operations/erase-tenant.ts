import type { TenantFact } from '#shared/contracts/events/tenant-fact.ts'
import { DependencyFailed } from '#shared/deadline.ts'
import type { ReceivedEvent } from '#shared/pubsub/types.ts'
import { ok, type Result } from '#shared/result.ts'
import type { ErasureStore } from '../ports/erasure.ts'
import type { PersonalData } from '../ports/people.ts'

export type EraseTenantDeps = {
  readonly erasure: ErasureStore
  readonly personalData: Pick<PersonalData, 'destroy'>
}

/** Commits of one delivery: as many as fit well into the time a message has. */
const MOST_STEPS = 100

/**
 * Erases what auth keeps of a tenant whose purge began, and answers with counts, once for each purge.
 *
 * The key of its personal data goes first, so that whatever is written late can be read by nobody. State
 * and audit stay. A tenant that is not leaving, by the facts applied so far, loses nothing.
 * Throws when there is more than one delivery can do: the message comes again and goes on.
 */
export async function eraseTenant(
  deps: EraseTenantDeps,
  received: ReceivedEvent<TenantFact>,
): Promise<Result<unknown>> {
  const { ctx, event, nowMs, trace } = received
  if (!(await deps.erasure.isLeaving(ctx))) return ok('not leaving')
  await deps.personalData.destroy(ctx, nowMs)
  const { operationId } = event.data
  for (let step = 0; step < MOST_STEPS; step += 1) {
    if (await deps.erasure.step(ctx, { operationId, nowMs, trace })) return ok('erased')
  }
  throw new DependencyFailed('there is more to erase; the message comes again')
}
