import type { TenantFactKind } from '#shared/contracts/events/tenant-fact.ts'
import type { Burial } from './burial.ts'
import { announce, type Occasion, type OutgoingEvent } from './facts.ts'
import type { Operation } from './operation.ts'
import type { Tenant } from './tenant.ts'
import { operatorTenantView } from './views.ts'
import type { Timer } from './work.ts'

/** When a decision is made, and on whose behalf. */
export type Moment = Omit<Occasion, 'operationId'>

/**
 * A decision in the making: the tenant and its operations as they will be, and what is said and set by it.
 * Each function of the lifecycle takes one and returns the next; whoever has the last one commits it.
 */
export type Draft = {
  /** The tenant that was read. */
  readonly found: Tenant
  readonly tenant: Tenant
  readonly operations: ReadonlyMap<string, Operation>
  /** Those that are new or different from what was read. */
  readonly changed: ReadonlySet<string>
  readonly events: readonly OutgoingEvent[]
  readonly timers: readonly Timer[]
  /** Operations that came to their end by this. */
  readonly ended: readonly Operation[]
  readonly burial: Burial | null
}

export function draftOf(tenant: Tenant, operations: readonly Operation[]): Draft {
  return {
    found: tenant,
    tenant,
    operations: new Map(operations.map((operation) => [operation.operationId, operation])),
    changed: new Set(),
    events: [],
    timers: [],
    ended: [],
    burial: null,
  }
}

/** What the decision changes. What a read shows otherwise than before has another revision, and so an ETag. */
export function changesOf(draft: Draft): {
  readonly tenant: Tenant
  readonly operations: readonly Operation[]
  readonly events: readonly OutgoingEvent[]
  readonly timers: readonly Timer[]
} {
  const { events, found, timers } = draft
  const { revision } = draft.tenant
  const unseen = revision === found.revision && looksDifferent(found, draft.tenant)
  const tenant = unseen ? { ...draft.tenant, revision: revision + 1 } : draft.tenant
  const operations = [...draft.changed].flatMap((id) => draft.operations.get(id) ?? [])
  return { tenant, operations, events, timers }
}

/** The running step apart: it changes too often, and whoever reads meanwhile is always answered in full. */
function looksDifferent(before: Tenant, after: Tenant): boolean {
  return before !== after && shown(before) !== shown(after)
}

function shown(tenant: Tenant): string {
  const { operation, ...rest } = operatorTenantView(tenant)
  return JSON.stringify({ ...rest, operation: operation?.operationId })
}

export function withTenant(draft: Draft, fields: Partial<Tenant>): Draft {
  return { ...draft, tenant: { ...draft.tenant, ...fields } }
}

export function withOperation(draft: Draft, operation: Operation): Draft {
  return {
    ...draft,
    operations: new Map(draft.operations).set(operation.operationId, operation),
    changed: new Set(draft.changed).add(operation.operationId),
  }
}

export function withEvents(draft: Draft, events: readonly OutgoingEvent[]): Draft {
  return events.length === 0 ? draft : { ...draft, events: [...draft.events, ...events] }
}

/** Says facts about the tenant as the draft has it, on behalf of an operation. */
export function say(
  draft: Draft,
  kinds: readonly TenantFactKind[],
  operationId: string | undefined,
  moment: Moment,
): Draft {
  const announced = announce(draft.tenant, kinds, { ...moment, operationId })
  return withEvents({ ...draft, tenant: announced.tenant }, announced.events)
}

/** The operation that runs. */
export function runningIn({ tenant, operations }: Draft): Operation | undefined {
  return tenant.op === null ? undefined : operations.get(tenant.op.operationId)
}

/** The operation of this kind that waits: at most one does. */
export function waitingIn({ tenant, operations }: Draft, kind: Operation['kind']): Operation | undefined {
  const entry = tenant.queue.find((waiting) => waiting.kind === kind)
  return entry === undefined ? undefined : operations.get(entry.operationId)
}

/** The draft with an operation at the end of the queue, in place of any other of its kind. */
export function enqueue(draft: Draft, operation: Operation, notBeforeMs: number | null = null): Draft {
  const { operationId, kind } = operation
  const queue = [...draft.tenant.queue.filter((entry) => entry.operationId !== operationId)]
  return withTenant(withOperation(draft, operation), {
    queue: [...queue, { operationId, kind, notBeforeMs }],
  })
}

/** The ends of operations, as the audit has them. */
export function endsIn({ ended }: Draft): { action: string; target: string; outcome: string }[] {
  return ended.map(({ operationId, status }) => ({
    action: 'operation.ended',
    target: `operations/${operationId}`,
    outcome: status,
  }))
}
