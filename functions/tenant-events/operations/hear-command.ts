import type { ReceivedEvent } from '#shared/pubsub/types.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { Command } from '../domain/command.ts'
import type { LifecycleDeps } from '../ports.ts'
import { isPurged } from './is-purged.ts'
import { requestCommand } from './request-command.ts'

const BILLING = '//energent.ai/billing'

/** How long a command waits for its tenant: the request that makes it may be on its way. */
const PATIENCE_MS = 15 * 60_000

/**
 * Takes a command that came by event. Only billing sends any, and numbers them: a copy and a latecomer
 * carry a number already passed, and change nothing, however late they come.
 *
 * A tenant that is not there may come to be: the message comes again for a quarter of an hour. After that,
 * it is set aside; for a tenant that was purged there is nothing to set aside.
 */
export async function hearCommand(
  deps: Pick<LifecycleDeps, 'store' | 'ids' | 'world'>,
  received: ReceivedEvent<unknown>,
  command: Command,
): Promise<Result<unknown>> {
  const { ctx, claim, event, nowMs, trace } = received
  if (event.source !== BILLING) return refuse('event.malformed', `${event.source} commands no tenant`)
  if (event.commandseq === undefined) return refuse('event.malformed', 'a command needs a commandseq')
  const origin = { by: 'billing' as const, commandSeq: BigInt(event.commandseq) }
  const ordered = await requestCommand(deps, { ctx, command, origin, claim, nowMs, trace })
  if (ordered.ok || ordered.code !== 'resource.not_found') return ordered
  if (await isPurged(deps, ctx)) return ok('the tenant is purged')
  if (nowMs - Date.parse(event.time) < PATIENCE_MS) throw new Error(`${ctx.tenantId} is not there yet`)
  return ordered
}
