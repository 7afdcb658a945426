import type { CloudEvent } from '#shared/contracts/cloud-event.ts'
import {
  namespaceOf,
  type TenantFact,
  type TenantFactKind,
  tenantFactType,
} from '#shared/contracts/events/tenant-fact.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import type { TopicName } from '#shared/contracts/topics.ts'
import type { Trace } from '#shared/trace.ts'
import type { Tenant } from './tenant.ts'

export const SOURCE = '//energent.ai/tenant-events'

/** An event that leaves with a commit. */
export type OutgoingEvent = { readonly topic: TopicName; readonly event: CloudEvent }

/** What a decision is made about, and when. */
export type Occasion = {
  readonly operationId: string
  readonly nowMs: number
  readonly trace?: Trace
}

/** A fact need not be about an operation. */
type Saying = Omit<Occasion, 'operationId'> & { readonly operationId?: string | undefined }

/**
 * Says facts about a tenant as it now is.
 *
 * All facts of one call share the next revision; each takes the next number of the tenant's own
 * sequence, by which listeners put them in order. Ids follow from revision and position, so that
 * publishing again publishes the same event.
 */
export function announce(
  tenant: Tenant,
  kinds: readonly TenantFactKind[],
  occasion: Saying,
): { tenant: Tenant; events: OutgoingEvent[] } {
  if (kinds.length === 0) return { tenant, events: [] }
  const revision = tenant.revision + 1
  const next = { ...tenant, revision, factSequence: tenant.factSequence + kinds.length }
  const events = kinds.map((kind, at) => ({
    topic: 'tenant-facts' as const,
    event: newEvent({
      id: `${tenant.tenantId}.${revision}.${at}`,
      source: SOURCE,
      type: tenantFactType(kind),
      tenantId: tenant.tenantId,
      nowMs: occasion.nowMs,
      sequence: BigInt(tenant.factSequence + at + 1),
      ...(occasion.operationId === undefined ? {} : { correlationId: occasion.operationId }),
      ...(occasion.trace === undefined ? {} : { trace: occasion.trace }),
      data: projectionOf(next, occasion),
    }),
  }))
  return { tenant: next, events }
}

/**
 * The facts among events as a tenant's audit keeps them, so that one read of it tells the tenant's life:
 * `fact.{kind}` about `facts/{revision}.{n}`, and the state it told of.
 */
export function factsForAudit(
  events: readonly OutgoingEvent[],
): { action: string; target: string; outcome: string }[] {
  return events
    .filter(({ topic }) => topic === 'tenant-facts')
    .map(({ event }) => {
      const [kind] = event.type.replace('ai.energent.tenant.', '').split('.')
      const [, revision, at] = event.id.split('.')
      const { state } = event.data as TenantFact
      return { action: `fact.${kind}`, target: `facts/${revision}.${at}`, outcome: state }
    })
}

/** The whole projection a listener needs. The cluster is empty until one is allocated. */
function projectionOf(tenant: Tenant, occasion: Saying): TenantFact {
  return {
    tenantId: tenant.tenantId,
    state: tenant.state,
    tier: tenant.observed.tier ?? tenant.desired.tier,
    deploymentModel: tenant.desired.deploymentModel,
    cluster: tenant.placement?.cluster ?? '',
    namespace: tenant.placement?.namespace ?? namespaceOf(tenant.tenantId),
    ...(occasion.operationId === undefined ? {} : { operationId: occasion.operationId }),
    revision: tenant.revision,
    at: new Date(occasion.nowMs).toISOString(),
  }
}
