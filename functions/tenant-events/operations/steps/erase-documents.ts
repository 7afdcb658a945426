import { announce, type OutgoingEvent } from '../../domain/facts.ts'
import { type Evidence, stepOf } from '../../domain/operation.ts'
import type { StepOutcome } from '../../domain/saga.ts'
import type { DocumentCounts } from '../../ports/purge.ts'
import { goOnSoon } from './go-on.ts'
import { nothingToUndo, type Step, type StepWork } from './step.ts'

/** Commits of one try: as many as fit well into the time a step has. */
const MOST_ROUNDS = 40

/**
 * By these auth and billing know that the tenant is gone, until the fact of its end takes them too: no more
 * of each than they need for it.
 */
const MARKERS: DocumentCounts = { auth_state: 2, auth_shred: 1, billing_tenant: 2 }

/**
 * G07, second half: erases what lifecycle itself keeps, then counts what anybody still has below the tenant
 * and is not satisfied until that is nothing.
 */
export const eraseDocuments: Step = {
  run: async (work) => {
    const { evidence, more } = await eraseOwn(work, stepOf(work.operation, 'erase-documents').evidence)
    return more ? goOnSoon(evidence) : nothingLeft(work, evidence)
  },
  undo: nothingToUndo,
}

/** Erases what lifecycle keeps, adding to what was counted; `more` when that was too much for one try. */
export async function eraseOwn(
  { ctx, operation, world }: StepWork,
  before: Evidence,
): Promise<{ readonly evidence: Evidence; readonly more: boolean }> {
  let evidence = before
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const erased = await world.documents.eraseSome(ctx, operation.operationId)
    if (Object.keys(erased).length === 0) return { evidence, more: false }
    evidence = added(evidence, erased)
  }
  return { evidence, more: true }
}

/** Done with what was counted, when nothing is left below the tenant; otherwise what is, and where. */
export async function nothingLeft(work: StepWork, evidence: Evidence): Promise<StepOutcome> {
  const left = await work.world.documents.countLeft(work.ctx, work.operation.operationId)
  const beyond = Object.entries(left).filter(([kind, count]) => count > (MARKERS[kind] ?? 0))
  if (beyond.length === 0) return { kind: 'done', evidence: { ...evidence, left: '0' } }
  const text = beyond.map(([kind, count]) => `${kind} ${count}`).join(', ')
  work.log.warn('documents left of a purged tenant', { detail: text })
  const owner = (['auth', 'billing'] as const).find((group) => beyond[0]?.[0].startsWith(`${group}_`))
  if (owner !== undefined) {
    return { kind: 'waiting', waitingFor: owner, evidence: { left: text }, events: askAgain(work) }
  }
  return { kind: 'failed', failure: { kind: 'transient', code: 'purge.documents_left', text } }
}

/**
 * A message that came late may have made a document anew after its group had answered: the fact that asked
 * it to erase is told again, under the number that it heard last, so that it takes no fact's place.
 */
function askAgain({ nowMs, operation, tenant, trace }: StepWork): readonly OutgoingEvent[] {
  const { operationId } = operation
  const { events } = announce(tenant, ['purge-started'], { operationId, nowMs, trace })
  const id = `${operationId}.erase-again.${tenant.op?.fence ?? 0}.${tenant.op?.attempt ?? 0}`
  const sequence = `${tenant.factSequence}`
  return events.map(({ topic, event }) => ({ topic, event: { ...event, id, sequence } }))
}

function added(before: Evidence, erased: DocumentCounts): Evidence {
  const sums = Object.entries(erased).map(([kind, count]) => [kind, `${Number(before[kind] ?? 0) + count}`])
  return { ...before, ...Object.fromEntries(sums) }
}
