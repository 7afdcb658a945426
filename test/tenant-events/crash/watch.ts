import type { StepKey } from '#shared/catalogue/operation-steps.ts'
import type { Claim } from '#shared/firestore/claim.ts'
import type { Result } from '#shared/result.ts'
import { helpFor } from '../../../functions/tenant-events/domain/failure-codes.ts'
import { nextStep, type Operation, stepOf } from '../../../functions/tenant-events/domain/operation.ts'
import type { Tenant } from '../../../functions/tenant-events/domain/tenant.ts'
import { shownOf } from '../shown.ts'
import type { Kernel } from './kernel.ts'
import { type Point, pointOf } from './story.ts'
import type { Ground } from './world.ts'

/** Sees every commit, right after it. */
export type Watch = {
  commit(): void
  commits(): number
  each(listener: () => void): void
  /** Where the tenant stands now. */
  point(): Point
  /** Where it stood when each ask was accepted, or that it was refused. */
  readonly points: Point[]
  /** What was said about each operation that was stuck, when it was. */
  readonly stuck: readonly Stuck[]
  answered(at: number, answer: Result<unknown>): void
}

/** Why an operation does not go on, and what an operator is told to do about it. */
export type Stuck = { readonly step: string; readonly code: string; readonly help: string }

/** Checks what must hold after every commit, and keeps where each ask met the tenant. */
export function watchCommits(kernel: Kernel, ground: Ground, asks: readonly Claim[]): Watch {
  const { documents } = ground
  const listeners: (() => void)[] = []
  const points: Point[] = []
  const stuck = new Map<string, Stuck>()
  let commits = 0
  let before = new Map(documents.tenants)
  const pointNow = (): Point => {
    const [tenant] = documents.tenants.values()
    const operationId = tenant?.op?.operationId
    return pointOf(tenant, operationId === undefined ? undefined : documents.operations.get(operationId))
  }
  let point = pointNow()
  const noteStuck = (operation: Operation | undefined): void => {
    if (operation?.stuckAtMs == null || stuck.has(operation.operationId)) return
    stuck.set(operation.operationId, whyStuck(operation))
  }
  return {
    points,
    get stuck() {
      return [...stuck.values()]
    },
    commits: () => commits,
    each: (listener) => void listeners.push(listener),
    point: pointNow,
    commit: () => {
      commits += 1
      asks.forEach((claim, at) => {
        if (points[at] === undefined && documents.claims.has(claim.id)) points[at] = point
      })
      for (const [tenantId, tenant] of documents.tenants) {
        kernel.violations.push(...wrongBetween(before.get(tenantId), tenant, ground))
      }
      before = new Map(documents.tenants)
      for (const { op } of documents.tenants.values()) {
        if (op !== null) noteStuck(documents.operations.get(op.operationId))
      }
      const now = pointNow()
      if (now !== point) kernel.trace.note(kernel.time.now(), 'now', now)
      point = now
      for (const listener of listeners) listener()
    },
    answered: (at, answer) => {
      points[at] ??= answer.ok ? 'answered without a commit' : `refused ${answer.code}`
    },
  }
}

function whyStuck(operation: Operation): Stuck {
  const step = nextStep(operation)?.key ?? ''
  const { lastError, waitingFor } = stepOf(operation, step as StepKey)
  const code = lastError?.code ?? `waiting for ${waitingFor ?? 'nothing'}`
  return { step, code, help: lastError === null ? code : (helpFor(lastError.code)?.remedy ?? '') }
}

/** What no commit may do to a tenant, whatever it was for. */
function wrongBetween(before: Tenant | undefined, after: Tenant, { documents }: Ground): string[] {
  if (before === undefined || before === after) return []
  const wrong: string[] = []
  const grew = after.factSequence - before.factSequence
  const said = documents.outbox.filter(
    ({ topic, event }) => topic === 'tenant-facts' && BigInt(event.sequence ?? 0) > before.factSequence,
  )
  if (grew !== said.length) wrong.push(`${grew} facts counted, ${said.length} said`)
  if (after.revision < before.revision) wrong.push('the revision fell')
  if (after.specRevision < before.specRevision) wrong.push('the revision of the specification fell')
  if (after.state !== before.state && after.revision === before.revision) {
    wrong.push(`${before.state} became ${after.state} within one revision`)
  }
  if (after.revision === before.revision && shownOf(after) !== shownOf(before)) {
    wrong.push(`one revision shows ${shownOf(before)} and ${shownOf(after)}`)
  }
  const [was, is] = [before.op, after.op]
  if (was !== null && is !== null && was.operationId === is.operationId && is.fence < was.fence) {
    wrong.push(`the fence fell from ${was.fence} to ${is.fence}`)
  }
  const running = is === null ? undefined : documents.operations.get(is.operationId)
  if (is !== null && running === undefined) wrong.push(`the operation ${is.operationId} is not there`)
  return wrong
}
