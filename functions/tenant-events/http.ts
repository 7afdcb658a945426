import type { HealthCheck } from '#shared/health.ts'
import type { HandlersOf } from '#shared/http/edge.ts'
import { healthHandler, metricsHandler, sweepHandler } from '#shared/http/standard.ts'
import type { PublicHandler } from '#shared/http/types.ts'
import { ok } from '#shared/result.ts'
import type { Platform } from '#shared/wiring.ts'
import type { ApiDeps } from './deps.ts'
import { commandHandlers } from './http/commands.ts'
import { deadLetterHandlers } from './http/dead-letters.ts'
import { historyHandlers } from './http/history.ts'
import { apiPages } from './http/paging.ts'
import { tenantHandlers } from './http/tenants.ts'
import { runSweep } from './operations/run-sweep.ts'
import { runTimers } from './operations/run-timers.ts'

/** Every route of the tenants API. */
export function tenantsApi(
  platform: Pick<Platform, 'clock' | 'config' | 'ids' | 'log' | 'metrics' | 'outbox'>,
  deps: ApiDeps,
  checks: Readonly<Record<string, HealthCheck>>,
): HandlersOf<'tenants-api'> {
  const metrics = metricsHandler(platform.metrics)
  const pages = apiPages(platform)
  const sweep: PublicHandler = (request) =>
    sweepHandler(platform.outbox, (signal) =>
      runSweep(deps, { nowMs: request.nowMs, log: request.log, signal }),
    )(request)
  return {
    ...tenantHandlers(deps, pages),
    ...commandHandlers(deps),
    ...historyHandlers(deps, pages),
    ...deadLetterHandlers(deps, pages),
    getTenantsHealth: healthHandler(checks, platform),
    getTenantsMetrics: (request) => metrics(request),
    runLifecycleSweep: sweep,
    runLifecycleTimers: async ({ nowMs, trace, log, signal }) =>
      ok({ status: 200, json: await runTimers(deps, { nowMs, trace, log, signal }) }),
  }
}
