import type { Command } from '../../../functions/tenant-events/domain/command.ts'
import type { TenantRequestBody } from '../../../functions/tenant-events/domain/tenant.ts'
import { createTenant } from '../../../functions/tenant-events/operations/create-tenant.ts'
import { requestCommand } from '../../../functions/tenant-events/operations/request-command.ts'
import { ACME, aRequest, contextOf, TRACE } from '../world.ts'
import type { Ask } from './story.ts'

/** Somebody asks for the tenant. */
export function create(fields: Partial<TenantRequestBody> = {}): Ask {
  return {
    name: 'create',
    when: 'quiet',
    send: (deps, claim) =>
      createTenant(deps, {
        ...{ ctx: contextOf(ACME), body: aRequest(fields), claim },
        ...{ nowMs: deps.clock.now(), trace: TRACE },
      }),
  }
}

/** Somebody commands over HTTP, once all is quiet. */
export function command(wanted: Command): Ask {
  return {
    name: wanted.name,
    when: 'quiet',
    send: (deps, claim) =>
      requestCommand(deps, {
        ...{ ctx: contextOf(ACME), command: wanted, origin: { by: 'operator' as const }, claim },
        ...{ nowMs: deps.clock.now(), trace: TRACE },
      }),
  }
}

/** The same while what was asked for before is under way. */
export function meanwhile(ask: Ask): Ask {
  return { ...ask, when: 'meanwhile' }
}
