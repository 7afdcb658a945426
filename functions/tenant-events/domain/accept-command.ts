import { ok, type Refusal, type Result } from '#shared/result.ts'
import { type Accepted, type AcceptOptions, type Asked, refusedIn } from './accepting.ts'
import type { Command, CommandName, CommandOrigin } from './command.ts'
import { changeTier } from './commands/change-tier.ts'
import { cancelOffboarding, offboard } from './commands/departure.ts'
import { holdByLaw, purge } from './commands/purge.ts'
import { resume, suspend } from './commands/suspension.ts'
import { exportData, reconcile, retry } from './commands/upkeep.ts'
import { type Draft, draftOf, say, withTenant } from './draft.ts'
import type { Operation } from './operation.ts'
import { STATE_TABLE } from './state-table.ts'
import type { Tenant } from './tenant.ts'
import type { Standing } from './work.ts'

export type { Accepted, AcceptOptions }

/**
 * What a command does to a tenant in the state it is in: the state table, cell by cell.
 *
 * Pure: the same tenant and the same command give the same answer. Whoever loses the race for the commit
 * asks again, about the tenant as it is then.
 */
export function acceptCommand(
  standing: Standing,
  command: Command,
  options: AcceptOptions,
): Result<Accepted> {
  const heard = hear(draftOf(standing.tenant, standing.operations), options.origin)
  if (heard === undefined) {
    return ok({ draft: draftOf(standing.tenant, standing.operations), operationId: null })
  }
  return decide(heard, command, options)
}

/** What a refused command of billing leaves behind: that it was heard, and the fact that it was refused. */
export function rejectCommand(standing: Standing, options: AcceptOptions): Draft {
  const draft = draftOf(standing.tenant, standing.operations)
  return say(hear(draft, options.origin) ?? draft, ['command-rejected'], undefined, options)
}

/** The draft with the command's number; undefined for a copy, or one that a later command has overtaken. */
function hear(draft: Draft, origin: CommandOrigin): Draft | undefined {
  if (origin.by === 'operator') return draft
  const { commandSeq } = draft.tenant
  const last = commandSeq[origin.by]
  if (last !== undefined && origin.commandSeq <= BigInt(last)) return undefined
  return withTenant(draft, { commandSeq: { ...commandSeq, [origin.by]: origin.commandSeq.toString() } })
}

function decide(draft: Draft, command: Command, options: AcceptOptions): Result<Accepted> {
  const { state } = draft.tenant
  const verdict = STATE_TABLE[state][command.name]
  if (verdict === 'reject') return refusedIn(state, command.name)
  const asked = <Name extends CommandName>(known: Extract<Command, { name: Name }>): Asked<Name> => ({
    draft,
    command: known,
    verdict,
    options,
  })
  switch (command.name) {
    case 'tier-change':
      return changeTier(asked(command))
    case 'suspend':
      return suspend(asked(command))
    case 'resume':
      return resume(asked(command))
    case 'offboard':
      return offboard(asked(command))
    case 'offboard-cancel':
      return cancelOffboarding(asked(command))
    case 'purge':
      return purge(asked(command))
    case 'export':
      return exportData(asked(command))
    case 'reconcile':
      return reconcile(asked(command))
    case 'legal-hold':
      return holdByLaw(asked(command))
    case 'retry':
      return again(draft, retry(asked(command)), command.operationId, options)
  }
}

/** A failed operation is ordered as it was; the table says whether it still may be. */
function again(
  draft: Draft,
  decided: Result<Accepted | 'again'>,
  operationId: string,
  options: AcceptOptions,
): Result<Accepted> {
  if (!decided.ok) return decided
  if (decided.value !== 'again') return ok(decided.value)
  const failed = draft.operations.get(operationId)
  const command = failed === undefined ? undefined : orderOf(failed)
  return command === undefined ? notRetried(draft.tenant) : decide(draft, command, options)
}

function notRetried({ state }: Tenant): Refusal {
  return refusedIn(state, 'retry', 'Such an operation is not retried. Order it anew.')
}

/** The command that an operation was ordered by. Those that never fail are not among them. */
function orderOf({ kind, request, desired }: Operation): Command | undefined {
  if (kind === 'tier-change') {
    return { name: kind, toTier: request.toTier ?? desired.tier, effective: request.effective ?? 'now' }
  }
  if (kind === 'resume') return { name: kind, reason: request.reason }
  if (kind === 'reconcile') return { name: kind, scope: request.scope }
  if (kind !== 'export') return undefined
  const scope = request.scope === 'config' || request.scope === 'files' ? request.scope : 'all'
  return { name: kind, scope }
}
