import type { HandlersOf } from '#shared/http/edge.ts'
import { healthHandler, metricsHandler } from '#shared/http/standard.ts'
import { publishCheck } from '#shared/observability/dependency-checks.ts'
import type { Platform } from '#shared/wiring.ts'
import { catalogueHandlers } from './http/catalogue.ts'
import { entitlementHandlers } from './http/entitlements.ts'
import { exportHandlers } from './http/exports.ts'
import { grantHandlers } from './http/grants.ts'
import { invoiceHandlers } from './http/invoices.ts'
import { jobHandlers } from './http/jobs.ts'
import { billingPages } from './http/pages.ts'
import { subscriptionHandlers } from './http/subscription.ts'
import { usageHandlers } from './http/usage.ts'
import { usageJobHandlers } from './http/usage-jobs.ts'
import { workflowHandlers } from './http/workflows.ts'
import type { BillingDeps } from './ports.ts'

/** What `billingApiHandler` answers. */
export function billingApi(platform: Platform, deps: BillingDeps): HandlersOf<'billing-api'> {
  const pages = billingPages(platform)
  return {
    ...usageHandlers(platform, deps),
    ...usageJobHandlers(deps),
    ...invoiceHandlers(platform, deps),
    ...exportHandlers(deps),
    ...subscriptionHandlers(deps),
    ...grantHandlers(deps, pages),
    ...entitlementHandlers(deps),
    ...workflowHandlers(deps),
    ...catalogueHandlers(deps, pages),
    ...jobHandlers(platform, deps),
    getBillingHealth: healthHandler(
      {
        firestore: () => platform.system.ping(),
        pubsub: publishCheck(platform.publisher, 'billing-events'),
      },
      platform,
    ),
    getBillingMetrics: metricsHandler(platform.metrics),
  }
}
