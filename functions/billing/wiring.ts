import type { Config } from '#shared/config.ts'
import { metadataTokens } from '#shared/metadata-token.ts'
import { cloudObjectStore } from '#shared/object-store.ts'
import { type Platform, type PlatformParts, wirePlatform } from '#shared/wiring.ts'
import { firestoreCorrections } from './adapters/corrections.ts'
import { firestoreDueWork } from './adapters/due-work.ts'
import { firestoreErasure } from './adapters/erasure-store.ts'
import { firestoreExports } from './adapters/exports.ts'
import { firestoreGrants } from './adapters/grants.ts'
import { firestoreInvoices } from './adapters/invoices.ts'
import { firestoreLedger } from './adapters/ledger.ts'
import { firestoreLiveCounters } from './adapters/live-counters.ts'
import { firestoreMeterBook } from './adapters/meter-book.ts'
import { closedPeriods } from './adapters/period-locks.ts'
import { firestorePlanBook } from './adapters/plan-book.ts'
import { firestoreRevenue } from './adapters/revenue.ts'
import { firestoreRollups } from './adapters/rollups.ts'
import { sharedReads } from './adapters/shared-reads.ts'
import { firestoreSubscriptions } from './adapters/subscriptions.ts'
import { firestoreTenantDirectory } from './adapters/tenant-directory.ts'
import { firestoreTenantList } from './adapters/tenant-list.ts'
import { firestoreUsageJobs } from './adapters/usage-jobs.ts'
import { usageQuarantine } from './adapters/usage-quarantine.ts'
import { pubsubUsageQueue } from './adapters/usage-queue.ts'
import { usageReader } from './adapters/usage-reader.ts'
import { firestoreWaitingUsage } from './adapters/waiting-usage.ts'
import { pubsubWorkQueue } from './adapters/work-queue.ts'
import { firestoreWorkflowSlots } from './adapters/workflow-slots.ts'
import type { BillingDeps } from './ports.ts'

/** Builds what billing needs; nothing connects before it is first used. */
export function wireBilling(
  config: Config,
  parts: PlatformParts = {},
): { readonly platform: Platform; readonly deps: BillingDeps } {
  const platform = wirePlatform(config, 'billing', parts)
  const { clock, ids, publisher, quarantine, system, tenants, tombstones } = platform
  const meters = firestoreMeterBook({ system, ids, clock })
  const plans = firestorePlanBook({ system, ids, clock })
  const invoices = firestoreInvoices(tenants)
  const counted = {
    ledger: firestoreLedger(tenants),
    corrections: firestoreCorrections(tenants),
    rollups: firestoreRollups(tenants),
    live: firestoreLiveCounters(tenants),
    versionOf: meters.versionOf,
    counts: meters.counts,
  }
  const deps: BillingDeps = {
    ...counted,
    meters,
    plans,
    grants: firestoreGrants(tenants),
    slots: firestoreWorkflowSlots(tenants),
    due: firestoreDueWork({ system, ids, clock }),
    erasure: firestoreErasure({ tenants, system, ids }),
    tombstones,
    ownDocuments: tenants,
    invoices,
    revenue: firestoreRevenue(system),
    exports: firestoreExports(tenants),
    objects: objectsOf(config, clock),
    taxRates: config.TAX_RATES ?? [],
    usage: usageReader({ ...counted, refreshVersions: meters.refresh }),
    work: pubsubWorkQueue(publisher),
    tenantList: firestoreTenantList(system),
    reads: sharedReads(),
    tenants: firestoreTenantDirectory({ tenants, system, clock }),
    waiting: firestoreWaitingUsage({ system, ids, clock }),
    quarantine: usageQuarantine(quarantine),
    queue: pubsubUsageQueue(publisher),
    subscriptions: firestoreSubscriptions({ tenants, publisher, clock }),
    usageJobs: firestoreUsageJobs(tenants),
    periodLocks: closedPeriods(invoices, plans),
  }
  return { platform, deps }
}

/** Exports go to the operator's bucket; without one there are none. */
function objectsOf(config: Config, clock: Platform['clock']): BillingDeps['objects'] {
  const { STORAGE_BUCKET: bucket, STORAGE_API_URL: apiUrl, GCE_METADATA_HOST: host } = config
  if (bucket === undefined) return undefined
  return cloudObjectStore({ apiUrl, bucket, tokens: metadataTokens(host, clock) })
}
