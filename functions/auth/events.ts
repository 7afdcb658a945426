import { revocationRequested } from '#shared/contracts/events/revocation-requested.ts'
import { TENANT_FACT_KINDS, TENANT_FACTS } from '#shared/contracts/events/tenant-fact.ts'
import type { EventHandlers } from '#shared/pubsub/event-edge.ts'
import { on, type ReceivedPlain } from '#shared/pubsub/types.ts'
import { ok, type Result } from '#shared/result.ts'
import type { AuthDeps } from './deps.ts'
import { applyTenantFact } from './operations/apply-tenant-fact.ts'
import { revokeOnRequest } from './operations/revoke-on-request.ts'
import { rotateSecret } from './operations/rotate-secret.ts'

export function authEventHandlers(deps: AuthDeps): EventHandlers {
  return {
    events: [
      ...TENANT_FACT_KINDS.map((kind) =>
        on(TENANT_FACTS[kind], (received) => applyTenantFact(deps, kind, received)),
      ),
      on(revocationRequested, (received) => revokeOnRequest(deps, received)),
    ],
    plain: { 'secret-rotation': { handlePlain: (received) => onSecretMessage(deps, received) } },
  }
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
