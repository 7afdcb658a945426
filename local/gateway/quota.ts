import type { GatewaySpec, Operation } from './spec.ts'
import type { QuotaLimit } from './spec-quota.ts'

/** Returns the text of the 429, or nothing when the units are granted and counted. */
export type QuotaCheck = (operation: Operation, consumer: string) => string | undefined

const WINDOW_MS = 60_000

/**
 * Counts metric units per limit, consumer project and minute of `now`; a request is counted for all its
 * metrics or for none. `lenient` lets the first request over a limit through, as ESPv2's cached
 * allocation did; the runtime of 2026 fails closed, and so does the default here.
 */
export function createQuota(spec: GatewaySpec, now: () => number, lenient: boolean): QuotaCheck {
  let minute = -1
  const used = new Map<string, number>()
  const passed = new Set<string>()
  return (operation, consumer) => {
    const current = Math.floor(now() / WINDOW_MS)
    if (current !== minute) {
      minute = current
      used.clear()
      passed.clear()
    }
    const charges = operation.metricCosts.flatMap(({ metric, cost }) =>
      spec.quotaLimits
        .filter((limit) => limit.metric === metric)
        .map((limit) => ({ limit, cost, counter: `${limit.name} ${consumer}` })),
    )
    const over = charges.find(({ limit, cost, counter }) => (used.get(counter) ?? 0) + cost > limit.perMinute)
    if (over && !(lenient && !passed.has(over.counter)))
      return exhausted(over.limit, spec.serviceName, consumer)
    if (over) passed.add(over.counter)
    for (const { cost, counter } of charges) used.set(counter, (used.get(counter) ?? 0) + cost)
    return undefined
  }
}

function exhausted(limit: QuotaLimit, service: string, consumer: string): string {
  return (
    `RESOURCE_EXHAUSTED: Quota exceeded for quota metric '${limit.metricLabel}' and limit '${limit.label}' ` +
    `of service '${service}' for consumer 'project_number:${consumer}'.`
  )
}
