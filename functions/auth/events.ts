import { EXPORT_REQUESTED } from '#shared/contracts/events/export-requested.ts'
import { revocationRequested } from '#shared/contracts/events/revocation-requested.ts'
import {
  TENANT_FACT_KINDS,
  TENANT_FACTS,
  type TenantFact,
  type TenantFactKind,
} from '#shared/contracts/events/tenant-fact.ts'
import type { EventHandlers } from '#shared/pubsub/event-edge.ts'
import { on, type ReceivedEvent, type ReceivedPlain } from '#shared/pubsub/types.ts'
import { ok, type Result } from '#shared/result.ts'
import type { AuthDeps } from './deps.ts'
import { applyTenantFact } from './operations/apply-tenant-fact.ts'
import { eraseTenant } from './operations/erase-tenant.ts'
import { exportTenant } from './operations/export-tenant.ts'
import { revokeOnRequest } from './operations/revoke-on-request.ts'
import { rotateSecret } from './operations/rotate-secret.ts'

export function authEventHandlers(deps: AuthDeps): EventHandlers {
  return {
    events: [
      ...TENANT_FACT_KINDS.map((kind) =>
        on(TENANT_FACTS[kind], (received) => onTenantFact(deps, kind, received)),
      ),
      on(revocationRequested, (received) => revokeOnRequest(deps, received)),
      on(EXPORT_REQUESTED.auth, (received) => exportTenant(deps, received)),
    ],
    plain: { 'secret-rotation': { handlePlain: (received) => onSecretMessage(deps, received) } },
  }
}

/** A fact of a purge is applied like any other, and then nothing of the tenant is kept. */
async function onTenantFact(
  deps: AuthDeps,
  kind: TenantFactKind,
  received: ReceivedEvent<TenantFact>,
): Promise<Result<unknown>> {
  // The tombstone is there before the fact leaves; a fact without one only says what it says.
  if (GONE.includes(kind) && (await deps.platform.tombstones.has(received.ctx.tenantId))) {
    await deps.erasure.forget(received.ctx, received.nowMs)
    return ok('forgotten')
  }
  const applied = await applyTenantFact(deps, kind, received)
  if (!applied.ok || !ENDS.includes(kind)) return applied
  return eraseTenant(deps, received)
}

/** What a tenant's end is told by, when all that kept it is gone. */
const GONE: readonly TenantFactKind[] = ['purged', 'deletion-certificate-issued']

/** `purged` too: what was written while the purge ran goes with it. */
const ENDS: readonly TenantFactKind[] = ['purge-started', 'purged']

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
