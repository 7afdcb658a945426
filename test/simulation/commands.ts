import type { Tier } from '#shared/catalogue/tiers.ts'
import type { CloudEvent } from '#shared/contracts/cloud-event.ts'
import { subscriptionCancelRequested } from '#shared/contracts/events/subscription-cancel-requested.ts'
import { subscriptionRequested } from '#shared/contracts/events/subscription-requested.ts'
import { tenantFactType } from '#shared/contracts/events/tenant-fact.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import type { TopicName } from '#shared/contracts/topics.ts'
import { outboxRow } from '#shared/firestore/outbox.ts'
import type { TenantId } from '#shared/ids.ts'

/** The operation that is cancelled. */
const REGRETTED = 'op_regret'
const OTHERS = ['op_second', 'op_third', 'op_fourth'] as const

/** Two commands of one operation, whose numbers say which is the later; and the requests of other operations. */
export function regret(tenant: string, nowMs: number, otherTier: Tier) {
  const tenantId = tenant as TenantId
  const command = (operationId: string, type: string, sequence: bigint, tier?: Tier) => {
    const data = { tenantId, operationId, ...(tier === undefined ? {} : { tier }) }
    const id = `${operationId}.${sequence}`
    const source = '//energent.ai/tenant-events'
    const event = newEvent({ type, data, id, source, tenantId, nowMs, commandSequence: sequence })
    return messageOf('billing-commands', event, nowMs)
  }
  return [
    command(REGRETTED, subscriptionRequested.type, 1n, 'standard'),
    command(REGRETTED, subscriptionCancelRequested.type, 2n),
    ...OTHERS.map((other) => command(other, subscriptionRequested.type, 1n, otherTier)),
  ] as const
}

/** That a tenant is gone, for good. */
export function ghostFact(tenant: string, nowMs: number) {
  const tenantId = tenant as TenantId
  const event = newEvent({
    id: `${tenant}.9.0`,
    source: '//energent.ai/tenant-events',
    type: tenantFactType('purged'),
    tenantId,
    nowMs,
    sequence: 9n,
    data: {
      ...{ tenantId, state: 'PURGED', tier: 'standard', deploymentModel: 'multi_tenant' },
      ...{ cluster: 'energent-shared', namespace: `tenant-${tenant}`, revision: 9 },
      at: new Date(nowMs).toISOString(),
    },
  })
  return messageOf('tenant-facts', event, nowMs)
}

function messageOf(topic: TopicName, event: CloudEvent, nowMs: number) {
  const row = outboxRow({ topic, event }, String(event.tenantid), 0, nowMs)
  return {
    topic: row.topic,
    data: Buffer.from(row.body),
    attributes: row.attributes,
    orderingKey: row.orderingKey,
  }
}
