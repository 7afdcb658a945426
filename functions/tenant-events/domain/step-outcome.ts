import type { TenantFactKind } from '#shared/contracts/events/tenant-fact.ts'
import type { Burial } from './burial.ts'
import type { OutgoingEvent } from './facts.ts'
import type { Evidence, Failure } from './operation.ts'
import type { Tenant } from './tenant.ts'

/** What a step can wait for; nobody waits in a function. */
export type Awaited = 'billing' | 'auth' | 'slots' | 'cluster' | 'cloud' | 'volume' | 'key' | 'storage'

/** How a step's try ended. `change` and `facts` become true in the commit that records it. */
export type StepOutcome =
  | {
      readonly kind: 'done'
      readonly evidence?: Evidence
      readonly change?: (tenant: Tenant) => Tenant
      readonly facts?: readonly TenantFactKind[]
      readonly events?: readonly OutgoingEvent[]
      /**
       * The next step has its day: until then the operation is scheduled, and the tenant is free for
       * others. A time that has passed changes nothing.
       */
      readonly scheduleAtMs?: number
      /** With the last step of a purge alone. */
      readonly burial?: Burial
    }
  | {
      readonly kind: 'waiting'
      readonly waitingFor: Awaited
      /** When it is worth looking again; the usual back-off unless given. An answer wakes it before. */
      readonly dueAtMs?: number
      /** Nothing is waited for: the step has done as much as one try may, and goes on from its evidence. */
      readonly again?: true
      readonly evidence?: Evidence
      readonly events?: readonly OutgoingEvent[]
      readonly facts?: readonly TenantFactKind[]
      readonly change?: (tenant: Tenant) => Tenant
    }
  | { readonly kind: 'failed'; readonly failure: Failure }
