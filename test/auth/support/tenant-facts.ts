import { type TenantFact, type TenantFactKind, tenantFactType } from '#shared/contracts/events/tenant-fact.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import type { TenantId } from '#shared/ids.ts'
import type { AuthStack } from './auth-stack.ts'

const STATE_AFTER: Partial<Record<TenantFactKind, TenantFact['state']>> = {
  requested: 'REQUESTED',
  activated: 'ACTIVE',
  'suspend-started': 'SUSPENDING',
  suspended: 'SUSPENDED',
  resumed: 'ACTIVE',
  'tier-changed': 'ACTIVE',
  'purge-started': 'PURGING',
}

/** Pushes one tenant fact as Pub/Sub would; answers the status of the push. */
export async function pushFact(
  stack: AuthStack,
  tenantId: string,
  kind: TenantFactKind,
  sequence: number | bigint,
  more: Partial<TenantFact> & { eventId?: string } = {},
): Promise<number> {
  const { eventId, ...data } = more
  const event = newEvent({
    id: eventId ?? `${tenantId}-${kind}-${sequence}`,
    source: '//energent.ai/tenant-events',
    type: tenantFactType(kind),
    tenantId: tenantId as TenantId,
    nowMs: stack.clock.now(),
    sequence: BigInt(sequence),
    data: {
      tenantId,
      state: STATE_AFTER[kind] ?? 'ACTIVE',
      tier: 'standard',
      deploymentModel: 'multi_tenant',
      cluster: 'energent-shared',
      namespace: `tenant-${tenantId}`,
      revision: 1,
      at: new Date(stack.clock.now()).toISOString(),
      ...data,
    },
  })
  return push(stack, 'tenant-facts', Buffer.from(JSON.stringify(event)), {
    type: event.type,
    tenantid: tenantId,
  })
}

/** Pushes any message on one of auth's subscriptions. */
export async function push(
  stack: AuthStack,
  topic: 'tenant-facts' | 'secret-rotation' | 'auth-events',
  data: Buffer,
  attributes: Record<string, string>,
  messageId = '1',
): Promise<number> {
  const subscription = `${topic}-to-auth-events`
  const response = await fetch(`${stack.eventsUrl}/events/${subscription}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      message: { data: data.toString('base64'), attributes, messageId },
      subscription: `projects/demo-test/subscriptions/${subscription}`,
    }),
  })
  await response.arrayBuffer()
  return response.status
}
