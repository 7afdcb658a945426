import { createHmac } from 'node:crypto'
import { lockout } from '#shared/contracts/events/lockout.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import type { Ids } from '#shared/ids.ts'
import { errorFields, type Logger } from '#shared/log.ts'
import { ok } from '#shared/result.ts'
import { openByCredential } from '#shared/tenancy/credential.ts'
import type { TellableLockout } from '../ports/failures.ts'
import type { PepperStore } from '../ports.ts'

export type TellLockoutDeps = {
  readonly tenants: TenantFirestore
  readonly peppers: Pick<PepperStore, 'current'>
  readonly ids: Ids
  readonly log: Logger
}

/**
 * Tells that wrong proofs for a client are turned away: a fact and an entry in the tenant's audit.
 *
 * Nobody was proven, so the context says `attempt`; the tenant is the one the client was found in. Of
 * the address only a keyed hash leaves, the same for the same place. The request does not wait for it.
 */
export function tellLockout(deps: TellLockoutDeps, lockout: TellableLockout): void {
  commitLockout(deps, lockout).catch((error: unknown) =>
    deps.log.warn('lock-out not told', { tenantId: lockout.tenantId, ...errorFields(error) }),
  )
}

async function commitLockout(
  deps: TellLockoutDeps,
  { tenantId, clientId, place, failures, nowMs }: TellableLockout,
): Promise<void> {
  const { pepper } = await deps.peppers.current()
  const addressHash = createHmac('sha256', pepper).update(place).digest('base64url').slice(0, 16)
  const event = newEvent({
    id: `lockout:${deps.ids.uuid(nowMs)}`,
    source: '//energent.ai/auth',
    type: lockout.type,
    tenantId,
    nowMs,
    data: {
      tenantId,
      credential: 'client' as const,
      id: clientId,
      addressHash,
      failures: failures.count,
      until: new Date(failures.lockedUntilMs).toISOString(),
    },
  })
  const ctx = openByCredential(tenantId, 'attempt', clientId)
  await deps.tenants.optimistic(ctx, undefined, async () =>
    ok({
      value: undefined,
      writes: [],
      events: [{ topic: 'auth-facts', event }],
      audit: [{ action: 'auth.client.locked_out', target: clientId, outcome: `from ${addressHash}` }],
    }),
  )
}
