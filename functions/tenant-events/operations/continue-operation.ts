import type { StepKey } from '#shared/catalogue/operation-steps.ts'
import { signalAfter } from '#shared/deadline.ts'
import { errorFields, type Logger } from '#shared/log.ts'
import { ok, type Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import { changesOf, type Draft, endsIn } from '../domain/draft.ts'
import { holds, type NotTaken, takeOver } from '../domain/lease.ts'
import { type Operation, plannedStep } from '../domain/operation.ts'
import { goOn, type Progress, type StepOutcome, settle } from '../domain/saga.ts'
import type { RunningOperation, Tenant } from '../domain/tenant.ts'
import type { Change, LifecycleDeps } from '../ports.ts'
import { adoptRevision } from './adopt-revision.ts'
import { isPurged } from './is-purged.ts'
import { resumeDue } from './resume-due.ts'
import { STEPS } from './steps.ts'

/** How an invocation left the operation. */
export type Continued = NotTaken | Exclude<Progress['next'], 'continue'> | 'superseded' | 'resumed'

export type ContinueRequest = {
  readonly ctx: TenantContext
  readonly operationId: string
  readonly trace: Trace
  /** Aborted when nobody waits for the invocation any more: no further step is begun. */
  readonly signal: AbortSignal
  readonly log: Logger
}

/** Less than the lease, with room for the commits on both sides: no two workers do one step at once. */
const STEP_LIMIT_MS = 40_000

/** What one worker holds between two commits. */
type Held = { readonly tenant: Tenant; readonly operation: Operation; readonly op: RunningOperation }

/**
 * Works on an operation until it ends, must wait, or the invocation's time is nearly over.
 *
 * Asking needs no claim: the lease lets one worker in, and an operation that is not due, not running
 * or being worked on is left alone, so any number of copies of the request does no harm. Each commit
 * records one step, begins the next and renews the lease; whoever finds another's fence stops without
 * a trace. A worker that dies is replaced when its lease is over, by the sweep.
 */
export async function continueOperation(
  deps: LifecycleDeps,
  request: ContinueRequest,
): Promise<Result<Continued>> {
  const continued = await workOn(deps, request)
  // Late, by a copy of an old message or after a long sleep, for a tenant that is gone: there is nothing to
  // do, and nothing to keep.
  if (!continued.ok && (await isPurged(deps, request.ctx))) return ok('not-running')
  return continued
}

async function workOn(deps: LifecycleDeps, request: ContinueRequest): Promise<Result<Continued>> {
  const startedMs = deps.elapsedMs()
  const taken = await begin(deps, request)
  if (!taken.ok) return taken
  let state = taken.value
  while (typeof state !== 'string') {
    const outcome = await tryStep(deps, request, state)
    const mayContinue = !request.signal.aborted && deps.elapsedMs() - startedMs < deps.budgetMs
    const settled = await record(deps, request, state, outcome, mayContinue)
    if (!settled.ok) return settled
    state = settled.value
  }
  return ok(state)
}

/** Takes the lease and writes the first intent, in one commit; or makes way for another operation. */
async function begin(deps: LifecycleDeps, request: ContinueRequest): Promise<Result<Held | Continued>> {
  const leaseBy = deps.ids.uuid(deps.clock.now())
  const { ctx, operationId, trace } = request
  const committed = await deps.store.change<Held | Continued | 'waits'>(
    ctx,
    undefined,
    operationId,
    (work) => {
      const nowMs = deps.clock.now()
      const { readTimeMs } = work
      const op = takeOver(work.tenant.op, { operationId, leaseBy }, readTimeMs, nowMs)
      if (op === 'not-running' && mayHaveADay(work.operation)) return ok({ value: 'waits' })
      if (typeof op === 'string') return ok({ value: op })
      const options = { operationId, nowMs, trace, readTimeMs, chance: 0, mayContinue: true }
      const progress = goOn(work, op, options)
      return ok({ ...changesIn(progress), audit: endsIn(progress.draft) })
    },
  )
  const begun = committedValue(committed)
  if (!begun.ok) return begun
  return begun.value === 'waits' ? resumeDue(deps, request) : ok(begun.value)
}

/** What nobody works on may have a day that has come: its own, or the end of a time of grace. */
function mayHaveADay({ kind, status }: Operation): boolean {
  return status === 'scheduled' || (kind === 'offboard' && status === 'succeeded')
}

/** Does the step the documents are at, or undoes it. What is thrown is a failure that may pass. */
async function tryStep(deps: LifecycleDeps, request: ContinueRequest, state: Held): Promise<StepOutcome> {
  const step = STEPS[state.op.step]
  const { desired, placement } = state.tenant
  const placedOn = placement?.cluster ?? deps.defaultCluster
  const cluster = deps.clusterNamed(placedOn, desired)
  // A tenant is never worked on in another cluster than its own, not even after a change of settings.
  if (cluster === undefined) return unreachable(placedOn)
  const work = {
    tenant: state.tenant,
    operation: state.operation,
    cluster,
    world: deps.world,
    ctx: request.ctx,
    defaultCluster: deps.defaultCluster,
    nowMs: deps.clock.now(),
    trace: request.trace,
    // Real time on purpose: the lease it must not outlast is counted in real time too.
    signal: signalAfter(STEP_LIMIT_MS),
    log: request.log.with({ operationId: request.operationId, step: state.op.step }),
  }
  try {
    const outcome = await (state.operation.status === 'compensating' ? step.undo(work) : step.run(work))
    return await adoptRevision(work, outcome)
  } catch (error) {
    work.log.error('step threw', errorFields(error))
    const text = error instanceof Error ? error.message : String(error)
    return { kind: 'failed', failure: { kind: 'transient', code: 'step.threw', text } }
  }
}

function unreachable(name: string): StepOutcome {
  const text = `no way to the cluster ${name}`
  return { kind: 'failed', failure: { kind: 'transient', code: 'placement.cluster_unknown', text } }
}

/** Writes down how the step ended, if this worker may still write. */
async function record(
  deps: LifecycleDeps,
  request: ContinueRequest,
  state: Held,
  outcome: StepOutcome,
  mayContinue: boolean,
): Promise<Result<Held | Continued>> {
  const { ctx, operationId, trace } = request
  const step = plannedStep(state.operation, state.op.step)
  const chance = deps.ids.bytes(2).readUInt16BE() / 65_536
  const nowMs = deps.clock.now()
  const { answers: seen } = state.operation
  const committed = await deps.store.change<Held | Continued>(ctx, undefined, operationId, (work) => {
    const { op } = work.tenant
    if (!holds(op, { operationId, fence: state.op.fence })) return ok({ value: 'superseded' })
    const { readTimeMs } = work
    const options = { operationId, nowMs, trace, readTimeMs, chance, mayContinue, seen }
    const progress = settle(work, op, step, outcome, options)
    return ok({ ...changesIn(progress), audit: auditOf(state, step.key, outcome, progress) })
  })
  log(request, state, outcome)
  return committedValue(committed)
}

function changesIn({ draft, next }: Progress): Change<Held | Continued> {
  const { burial } = draft
  const changes = changesOf(draft)
  const value = next === 'continue' ? heldBy({ ...draft, tenant: changes.tenant }) : next
  return { value, ...changes, ...(burial === null ? {} : { burial }) }
}

function heldBy({ tenant, operations }: Draft): Held {
  const { op } = tenant
  const operation = op === null ? undefined : operations.get(op.operationId)
  if (op === null || operation === undefined) throw new Error('what is worked on has a lease')
  return { tenant, operation, op }
}

function committedValue<T>(
  committed: Result<{ duplicate: false; value: T } | { duplicate: true }>,
): Result<T> {
  if (!committed.ok) return committed
  if (committed.value.duplicate) throw new Error('a commit without a claim has no duplicate')
  return ok(committed.value.value)
}

/** What changed for good; waiting and trying again change nothing. */
function auditOf(state: Held, step: StepKey, outcome: StepOutcome, { draft }: Progress) {
  const target = `operations/${state.op.operationId}`
  const undoing = state.operation.status === 'compensating'
  const after = draft.operations.get(state.op.operationId)
  const gaveUp = !undoing && after?.status !== 'running' && outcome.kind === 'failed'
  return [
    ...(outcome.kind === 'done'
      ? [{ action: undoing ? 'step.undone' : 'step.done', target: `${target}/${step}` }]
      : []),
    ...(gaveUp && outcome.kind === 'failed'
      ? [{ action: 'step.failed', target: `${target}/${step}`, outcome: outcome.failure.code }]
      : []),
    ...endsIn(draft),
  ]
}

function log(request: ContinueRequest, state: Held, outcome: StepOutcome): void {
  const { operationId, step, attempt, fence } = state.op
  const undoing = state.operation.status === 'compensating'
  const fields = { operationId, step, attempt, fence, undoing, outcome: outcome.kind }
  if (outcome.kind === 'failed') {
    const { kind, code } = outcome.failure
    request.log.warn('step', { ...fields, failure: kind, code })
  } else request.log.info('step', fields)
}
