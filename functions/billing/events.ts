import { EXPORT_REQUESTED } from '#shared/contracts/events/export-requested.ts'
import { slotsFreezeRequested } from '#shared/contracts/events/slots-freeze-requested.ts'
import { subscriptionCancelRequested } from '#shared/contracts/events/subscription-cancel-requested.ts'
import { subscriptionRequested } from '#shared/contracts/events/subscription-requested.ts'
import { TENANT_FACTS } from '#shared/contracts/events/tenant-fact.ts'
import { tierChargeRequested } from '#shared/contracts/events/tier-charge-requested.ts'
import { workRequested } from '#shared/contracts/events/work-requested.ts'
import type { EventHandlers } from '#shared/pubsub/event-edge.ts'
import { on } from '#shared/pubsub/types.ts'
import { applyTenantFact } from './operations/apply-tenant-fact.ts'
import { cancelSubscription } from './operations/cancel-subscription.ts'
import { chargeTier } from './operations/charge-tier.ts'
import { exportTenant } from './operations/export-tenant.ts'
import { ingestUsage } from './operations/ingest-usage.ts'
import { parseUsageJson } from './operations/parse-usage-json.ts'
import { requestSubscription } from './operations/request-subscription.ts'
import { freeze } from './operations/use-slots.ts'
import type { BillingDeps } from './ports.ts'
import { doWork } from './work.ts'

/** What `billingHandler` hears: usage, commands, facts about tenants, and billing's own work. */
export function billingEvents(deps: BillingDeps): EventHandlers {
  return {
    batches: {
      'billing-events': {
        parseBytes: parseUsageJson,
        handleBatch: (received) => ingestUsage(deps, received),
      },
    },
    events: [
      on(subscriptionRequested, (received) => requestSubscription(deps, received)),
      on(subscriptionCancelRequested, (received) => cancelSubscription(deps, received)),
      on(tierChargeRequested, (received) => chargeTier(deps, received)),
      on(slotsFreezeRequested, (received) => freeze(deps, received)),
      on(EXPORT_REQUESTED.billing, (received) => exportTenant(deps, received)),
      on(workRequested, (received) => doWork(deps, received)),
      ...Object.values(TENANT_FACTS).map((fact) => on(fact, (received) => applyTenantFact(deps, received))),
    ],
  }
}
