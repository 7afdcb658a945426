import type { Config } from '#shared/config.ts'
import { type Platform, type PlatformParts, wirePlatform } from '#shared/wiring.ts'
import { firestoreLedger } from './adapters/ledger.ts'
import { sharedReads } from './adapters/shared-reads.ts'
import { firestoreSubscriptions } from './adapters/subscriptions.ts'
import { firestoreTenantDirectory } from './adapters/tenant-directory.ts'
import { firestoreTenantList } from './adapters/tenant-list.ts'
import { usageQuarantine } from './adapters/usage-quarantine.ts'
import { pubsubUsageQueue } from './adapters/usage-queue.ts'
import { ledgerUsageReader } from './adapters/usage-reader.ts'
import { firestoreWaitingUsage } from './adapters/waiting-usage.ts'
import { pubsubWorkQueue } from './adapters/work-queue.ts'
import type { BillingDeps } from './ports.ts'

/** Builds what billing needs; nothing connects before it is first used. */
export function wireBilling(
  config: Config,
  parts: PlatformParts = {},
): { readonly platform: Platform; readonly deps: BillingDeps } {
  const platform = wirePlatform(config, 'billing', parts)
  const { clock, ids, publisher, quarantine, system, tenants } = platform
  const ledger = firestoreLedger(tenants)
  const deps: BillingDeps = {
    ledger,
    usage: ledgerUsageReader(ledger, () => 1),
    work: pubsubWorkQueue(publisher),
    tenantList: firestoreTenantList(system),
    reads: sharedReads(),
    tenants: firestoreTenantDirectory({ tenants, system, clock }),
    waiting: firestoreWaitingUsage({ system, ids, clock }),
    quarantine: usageQuarantine(quarantine),
    queue: pubsubUsageQueue(publisher),
    subscriptions: firestoreSubscriptions({ tenants, publisher, clock }),
  }
  return { platform, deps }
}
