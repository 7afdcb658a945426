import { withDeadline } from './deadline.ts'

/** Asks one dependency whether it works; rejects when it does not. */
export type HealthCheck = () => Promise<unknown>

export type Health = {
  readonly status: 'ok' | 'degraded'
  readonly checks: Readonly<Record<string, { status: 'ok' | 'failed' }>>
}

const CHECK_LIMIT_MS = 2_000

/** Asks all dependencies at once, each at most two seconds. Says which failed, never why: that is for the log. */
export async function checkHealth(checks: Readonly<Record<string, HealthCheck>>): Promise<Health> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => {
      try {
        await withDeadline(`health check ${name}`, CHECK_LIMIT_MS, check())
        return [name, { status: 'ok' as const }] as const
      } catch {
        return [name, { status: 'failed' as const }] as const
      }
    }),
  )
  const failed = results.some(([, result]) => result.status === 'failed')
  return { status: failed ? 'degraded' : 'ok', checks: Object.fromEntries(results) }
}
