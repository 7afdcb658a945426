import { startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { readConfig } from '#shared/config.ts'
import { subscriptionRequested } from '#shared/contracts/events/subscription-requested.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { closeDatabase } from '#shared/firestore/database.ts'
import type { TenantId } from '#shared/ids.ts'
import { silentLogger } from '#shared/log.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { openAsDeployer } from '#shared/tenancy/operator.ts'
import { requestSubscription } from '../../functions/billing/operations/request-subscription.ts'
import type { BillingDeps } from '../../functions/billing/ports.ts'
import { wireBilling } from '../../functions/billing/wiring.ts'

export type BenchLedger = {
  readonly deps: BillingDeps
  readonly nowMs: () => number
  setNow(nowMs: number): void
  tenant(tenantId: string): Promise<TenantContext>
  /** RPCs and documents written since the last time. */
  take(): { readonly calls: number; readonly writes: number }
  close(): Promise<void>
}

/** Billing as it is wired, on an engine of its own that counts. */
export async function openLedger(startMs: number): Promise<BenchLedger> {
  let now = startMs
  const engine = await startFirestoreEngine({ now: () => now })
  const counted = { calls: 0, writes: 0 }
  engine.setFault(() => {
    counted.calls += 1
    return undefined
  })
  engine.onCommit(({ changes }) => {
    counted.writes += changes.length
  })
  const config = readConfig({
    GOOGLE_CLOUD_PROJECT: 'demo-bench',
    FUNCTION_TARGET: 'billingHandler',
    FUNCTION_URI: 'http://127.0.0.1:1',
    PUBLIC_BASE_URL: 'http://127.0.0.1:1',
    CALLER_CHECK: 'direct',
    FIRESTORE_EMULATOR_HOST: engine.host,
  })
  const { platform, deps } = wireBilling(config, {
    clock: { now: () => now },
    log: silentLogger,
    publisher: { publish: async () => 'unheard' },
  })
  return {
    deps,
    nowMs: () => now,
    setNow: (ms) => {
      now = ms
    },
    tenant: async (name) => {
      const tenantId = name as TenantId
      const ctx = openAsDeployer(tenantId, 'bench', 'bench', now + 366 * 24 * 3_600_000)
      await subscribe(deps, ctx, now)
      return ctx
    },
    take: () => {
      const taken = { ...counted }
      counted.calls = 0
      counted.writes = 0
      return taken
    },
    close: async () => {
      await closeDatabase(platform.database)
      await engine.close()
    },
  }
}

async function subscribe(deps: BillingDeps, ctx: TenantContext, nowMs: number): Promise<void> {
  const { tenantId } = ctx
  const trace = { traceId: '1'.repeat(32), spanId: '1'.repeat(16), sampled: false }
  const event = newEvent({
    id: `bench.${tenantId}`,
    source: '//energent.ai/tenant-events',
    type: subscriptionRequested.type,
    tenantId,
    nowMs,
    commandSequence: 1n,
    data: { tenantId, operationId: `bench-${tenantId}`, tier: 'standard' as const },
  })
  const claim = { id: `h${'b'.repeat(30)}${tenantId}`, kind: 'event' as const, digest: 'd', keepMs: 1_000 }
  const signal = new AbortController().signal
  const done = await requestSubscription(deps, {
    event,
    ctx,
    claim,
    nowMs,
    trace,
    signal,
    log: silentLogger,
  } as never)
  if (!done.ok) throw new Error(done.detail)
}
