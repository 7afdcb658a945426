import { TENANT_FACT_KINDS, TENANT_FACTS } from '#shared/contracts/events/tenant-fact.ts'
import type { EventHandlers } from '#shared/pubsub/event-edge.ts'
import { type AnyEventHandler, on, type ReceivedPlain } from '#shared/pubsub/types.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { AuthDeps } from './deps.ts'
import { applyTenantFact } from './operations/apply-tenant-fact.ts'
import { rotateSecret } from './operations/rotate-secret.ts'

export function authEventHandlers(deps: AuthDeps): EventHandlers {
  return {
    events: [
      ...TENANT_FACT_KINDS.map((kind) =>
        on(TENANT_FACTS[kind], (received) => applyTenantFact(deps, kind, received)),
      ),
      revocationRequested,
    ],
    plain: { 'secret-rotation': { handlePlain: (received) => onSecretMessage(deps, received) } },
  }
}

/**
 * Not handled yet, and a request to revoke must never be acknowledged without effect: it is kept in
 * quarantine, where an operator sees it and can redrive it.
 */
const revocationRequested: AnyEventHandler = {
  type: 'ai.energent.auth.revocation-requested.v1',
  receive: async () => refuse('event.unknown_type', 'revocation by event is not supported yet'),
}

/**
 * Secret Manager's notifications: only `SECRET_ROTATE` of a secret whose versions are ours to make asks
 * for anything. All others, our own `SECRET_VERSION_ADD` among them, are acknowledged.
 */
async function onSecretMessage(deps: AuthDeps, received: ReceivedPlain): Promise<Result<unknown>> {
  const { eventType, secretId } = received.attributes
  const secretName = secretId?.split('/').at(-1) ?? ''
  if (eventType !== 'SECRET_ROTATE') return ok('ignored')
  return rotateSecret(deps, { ...received, secretName })
}
