import type { Clock } from './clock.ts'
import { withDeadline } from './deadline.ts'
import { errorFields, type Logger } from './log.ts'

/** Asks one dependency whether it works; rejects when it does not. */
export type HealthCheck = () => Promise<unknown>

export type DependencyHealth = {
  readonly status: 'ok' | 'failed'
  /** How long it took to answer, or to be given up, in milliseconds of real time. */
  readonly durationMs: number
  /** When this instance last found it working, in ISO 8601; null if it never did. */
  readonly lastSuccess: string | null
}

export type Health = {
  /** `degraded` when any dependency failed: every one that is checked is needed. */
  readonly status: 'ok' | 'degraded'
  readonly checkedAt: string
  readonly checks: Readonly<Record<string, DependencyHealth>>
}

export type HealthOptions = {
  readonly clock: Clock
  /** Hears why a check failed; the answer never says. */
  readonly log: Logger
}

const CHECK_LIMIT_MS = 2_000
const KEPT_MS = 1_000

/**
 * Says how an instance's dependencies are, all asked at once and each for at most two seconds.
 *
 * An answer serves everybody who asks within a second, and a dependency is never asked again before it
 * has answered: however often health is asked for, the dependencies do not notice.
 */
export function createHealth(
  checks: Readonly<Record<string, HealthCheck>>,
  options: HealthOptions,
): () => Promise<Health> {
  const probes = Object.entries(checks).map(([name, check]) => [name, probeOf(name, check, options)] as const)
  let kept: { readonly atMs: number; readonly health: Promise<Health> } | undefined
  return () => {
    const nowMs = options.clock.now()
    const age = kept === undefined ? KEPT_MS : nowMs - kept.atMs
    // A clock that was set back must not keep an answer for ever.
    if (kept !== undefined && age >= 0 && age < KEPT_MS) return kept.health
    kept = { atMs: nowMs, health: checkAll(probes, nowMs) }
    return kept.health
  }
}

type Probe = (nowMs: number) => Promise<DependencyHealth>

async function checkAll(probes: readonly (readonly [string, Probe])[], nowMs: number): Promise<Health> {
  const results = await Promise.all(
    probes.map(async ([name, probe]): Promise<[string, DependencyHealth]> => [name, await probe(nowMs)]),
  )
  const failed = results.some(([, result]) => result.status === 'failed')
  return {
    status: failed ? 'degraded' : 'ok',
    checkedAt: new Date(nowMs).toISOString(),
    checks: Object.fromEntries(results),
  }
}

function probeOf(name: string, check: HealthCheck, { log }: HealthOptions): Probe {
  let lastSuccess: string | null = null
  let underWay: Promise<unknown> | undefined
  const ask = (): Promise<unknown> => {
    if (underWay !== undefined) return underWay
    const asked = (async () => check())().finally(() => {
      underWay = undefined
    })
    underWay = asked
    return asked
  }
  return async (nowMs) => {
    const startedMs = performance.now()
    const elapsedMs = (): number => Math.round((performance.now() - startedMs) * 10) / 10
    try {
      await withDeadline(`health check ${name}`, CHECK_LIMIT_MS, ask())
      lastSuccess = new Date(nowMs).toISOString()
      return { status: 'ok', durationMs: elapsedMs(), lastSuccess }
    } catch (error) {
      const durationMs = elapsedMs()
      log.warn('dependency failed', { dependency: name, durationMs, ...errorFields(error) })
      return { status: 'failed', durationMs, lastSuccess }
    }
  }
}
