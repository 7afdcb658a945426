import type { Claim } from '#shared/firestore/claim.ts'
import type { AuditEntry } from '#shared/firestore/tenant-store.ts'
import { ulid } from '#shared/ids.ts'
import { ok, type Refusal, type Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import { type Accepted, type AcceptOptions, acceptCommand, rejectCommand } from '../domain/accept-command.ts'
import type { Command, CommandOrigin } from '../domain/command.ts'
import { changesOf, type Draft, endsIn } from '../domain/draft.ts'
import { type TenantView, tenantView } from '../domain/views.ts'
import type { Standing } from '../domain/work.ts'
import type { Change, LifecycleDeps } from '../ports.ts'

export type CommandRequest = {
  readonly ctx: TenantContext
  readonly command: Command
  readonly origin: CommandOrigin
  /** From `Idempotency-Key`, or of the event. */
  readonly claim: Claim | undefined
  readonly nowMs: number
  readonly trace: Trace
  /** Whether the caller has seen the tenant as it is (`If-Match`). */
  readonly hasSeen?: (revision: number) => Result<void>
}

/** `operationId` is null for what needs none: a legal hold, and the first approval of a purge. */
export type Ordered = { readonly operationId: string | null; readonly tenant: TenantView }

/**
 * Takes a command: what it changes, its operation, the audit, the facts and the first continuation are one
 * commit. A command that has been carried out already is answered like the one that did it.
 *
 * Over HTTP what the state does not have is refused. An event has nobody to tell: its refusal is a fact.
 */
export async function requestCommand(
  deps: Pick<LifecycleDeps, 'store' | 'ids'>,
  request: CommandRequest,
): Promise<Result<Ordered>> {
  const { ctx, claim, command, nowMs, origin, trace } = request
  const options = { nowMs, trace, origin, operationId: `op_${ulid(deps.ids, nowMs)}` }
  const named = command.name === 'retry' ? command.operationId : undefined
  const committed = await deps.store.changeStanding<Ordered>(ctx, claim, named, (standing) => {
    const seen = request.hasSeen?.(standing.tenant.revision) ?? ok(undefined)
    if (!seen.ok) return seen
    const accepted = acceptCommand(standing, command, options)
    if (accepted.ok) return ok(changeOf(standing, command, accepted.value))
    if (origin.by === 'operator' || accepted.code !== 'tenant.state_conflict') return accepted
    return ok(rejectionOf(standing, command, options, accepted))
  })
  if (!committed.ok) return committed
  // The answer was stored by this very function, as text.
  return ok(committed.value.duplicate ? (committed.value.answer as Ordered) : committed.value.value)
}

function changeOf(standing: Standing, command: Command, { draft, operationId }: Accepted): Change<Ordered> {
  const audit = [{ action: `tenant.${command.name}`, target: targetOf(operationId) }, ...endsIn(draft)]
  return committing(standing, draft, operationId, audit)
}

function rejectionOf(
  standing: Standing,
  command: Command,
  options: AcceptOptions,
  { code }: Refusal,
): Change<Ordered> {
  const audit = [{ action: `tenant.${command.name}`, target: targetOf(null), outcome: code }]
  return committing(standing, rejectCommand(standing, options), null, audit)
}

/** A command that changes nothing is not written down: it may come as often as it likes. */
function committing(
  { tenant }: Standing,
  draft: Draft,
  operationId: string | null,
  audit: readonly AuditEntry[],
): Change<Ordered> {
  const changes = changesOf(draft)
  const value = { operationId, tenant: tenantView(changes.tenant) }
  if (draft.tenant === tenant && draft.changed.size === 0) return { value }
  return { value, ...changes, audit }
}

function targetOf(operationId: string | null): string {
  return operationId === null ? 'tenant' : `operations/${operationId}`
}
