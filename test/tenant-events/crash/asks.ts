import { newEvent } from '#shared/contracts/new-event.ts'
import { silentLogger } from '#shared/log.ts'
import type { Command } from '../../../functions/tenant-events/domain/command.ts'
import type { TenantRequestBody } from '../../../functions/tenant-events/domain/tenant.ts'
import { lifecycleEvents } from '../../../functions/tenant-events/events.ts'
import { createTenant } from '../../../functions/tenant-events/operations/create-tenant.ts'
import { requestCommand } from '../../../functions/tenant-events/operations/request-command.ts'
import { ACME, aRequest, contextOf, NO_DEADLINE, TRACE } from '../world.ts'
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

/** Billing commands by event, and numbers what it says; who asks again says the same again. */
export function dunning(name: 'suspend' | 'resume', commandSeq: number): Ask {
  const order = { suspend: { mode: 'soft', reason: 'payment_failed' }, resume: {} }[name]
  return {
    name: `${name} by event`,
    when: 'quiet',
    send: (deps, claim) => {
      const type = `ai.energent.tenant.${name}-requested.v1`
      const handler = lifecycleEvents(deps).find((known) => known.type === type)
      if (handler === undefined) throw new TypeError(`nobody hears ${type}`)
      const nowMs = deps.clock.now()
      const event = newEvent({
        ...{ id: `dunning.${commandSeq}`, source: '//energent.ai/billing', type, tenantId: ACME, nowMs },
        ...{ commandSequence: BigInt(commandSeq), data: { tenantId: ACME, ...order } },
      })
      const data = { tenantId: ACME, ...order }
      return handler.receive({
        ...{ event: { ...event, data }, ctx: contextOf(ACME), claim },
        ...{ nowMs, trace: TRACE, signal: NO_DEADLINE, log: silentLogger },
      })
    },
  }
}
