import type { Outbox } from '../firestore/outbox.ts'
import { createHealth, type HealthCheck, type HealthOptions } from '../health.ts'
import type { Metrics } from '../metrics.ts'
import { ok } from '../result.ts'
import type { PublicHandler } from './types.ts'

/** `GET /health…`: 200 when every dependency answers, 503 with the failed ones named otherwise. */
export function healthHandler(
  checks: Readonly<Record<string, HealthCheck>>,
  options: HealthOptions,
): PublicHandler {
  const check = createHealth(checks, options)
  return async () => {
    const health = await check()
    return ok({ status: health.status === 'ok' ? 200 : 503, json: health })
  }
}

/** `GET /metrics…`: this instance's counters in Prometheus text. */
export function metricsHandler(metrics: Metrics): PublicHandler {
  return async () =>
    ok({
      status: 200,
      headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
      text: metrics.render(),
    })
}

/**
 * `POST /internal/sweep/run`: publishes what waits in the outbox, then does the group's own sweeping.
 *
 * Once the request's deadline has passed nothing new is begun: the next run does what is left.
 */
export function sweepHandler(
  outbox: Outbox,
  also: (signal: AbortSignal) => Promise<Readonly<Record<string, number>>> = async () => ({}),
): PublicHandler {
  return async ({ signal }) => {
    const swept = await outbox.sweep(signal)
    return ok({ status: 200, json: { ...swept, ...(await also(signal)) } })
  }
}
