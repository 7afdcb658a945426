import { type Random, randomOf } from './random.ts'

/** What can go wrong with one call of a port. */
export const CALL_FAULTS = [
  'unavailable',
  'aborted',
  'exhausted',
  'answer-lost',
  'deadline-after',
  'slow',
  'hang',
  'crash-before',
  'crash-after',
  'freeze',
] as const
export type CallFault = (typeof CALL_FAULTS)[number]

/** What can go wrong with one delivery of a message. */
export const DELIVERY_FAULTS = [
  'duplicate',
  'concurrent',
  'delayed',
  'ack-lost',
  'published-twice',
  'missed-tick',
] as const
export type DeliveryFault = (typeof DELIVERY_FAULTS)[number]

/** What goes wrong outside of single calls. */
export const WORLD_FAULTS = ['outage', 'skew', 'ack-overrun', 'dead-letter', 'client-retry'] as const
export type WorldFault = (typeof WORLD_FAULTS)[number]

export type Fault = CallFault | DeliveryFault | WorldFault

const BASE_RATES: Readonly<Record<CallFault | DeliveryFault, number>> = {
  unavailable: 0.02,
  aborted: 0.01,
  exhausted: 0.002,
  'answer-lost': 0.03,
  'deadline-after': 0.015,
  slow: 0.015,
  hang: 0.005,
  'crash-before': 0.008,
  'crash-after': 0.01,
  freeze: 0.008,
  duplicate: 0.06,
  concurrent: 0.12,
  delayed: 0.06,
  'ack-lost': 0.05,
  'published-twice': 0.05,
  'missed-tick': 0.1,
}

export type Outage = {
  readonly ports: ReadonlySet<string>
  readonly fromMs: number
  readonly toMs: number
  /** Whether calls take effect and only their answers are lost. */
  readonly ambiguous: boolean
}

export type FaultPlan = {
  readonly outage: Outage | undefined
  /** After so many tries a message is a dead letter. */
  readonly mostAttempts: number
  /** What goes wrong with this call, if anything. */
  callFault(port: string, nowMs: number): CallFault | undefined
  deliveryFault(fault: DeliveryFault, nowMs: number): boolean
  /** How far an instance's clock is off, in milliseconds. */
  skewMs(): number
}

export type Phases = {
  readonly startMs: number
  /** From here on everything goes wrong five times less often. */
  readonly calmMs: number
  /** From here on nothing goes wrong. */
  readonly healedMs: number
}

/**
 * The faults of one seed, as a swarm: each class is off in four seeds of ten, and otherwise as frequent
 * as chance has it; every second seed has an outage of some ports, half of those ambiguous.
 *
 * A mix that differs from seed to seed finds what an even rate of everything never does: a class that
 * is rare hides behind those that are not.
 */
export function faultPlan(seed: number, phases: Phases, ports: readonly string[]): FaultPlan {
  const plan = randomOf(seed, 'plan')
  const rates = new Map(
    Object.entries(BASE_RATES).map(([fault, rate]) => {
      const factor = 0.2 + plan.next() * 5.8
      return [fault, plan.chance(0.4) ? 0 : Math.min(0.5, rate * factor)]
    }),
  )
  const outage = plan.chance(0.5) ? outageOf(plan, phases, ports) : undefined
  const mostAttempts = plan.pick([5, 5, 20, 100])
  const skewed = plan.chance(0.5)
  const chances = new Map(ports.map((port) => [port, randomOf(seed, `calls of ${port}`)]))
  const deliveries = randomOf(seed, 'deliveries')
  const skews = randomOf(seed, 'skews')
  const rateOf = (fault: string, nowMs: number): number => {
    const rate = rates.get(fault) ?? 0
    if (nowMs >= phases.healedMs) return 0
    return nowMs >= phases.calmMs ? rate / 5 : rate
  }
  return {
    outage,
    mostAttempts,
    callFault: (port, nowMs) => {
      const chance = chances.get(port)?.next() ?? 1
      if (outage?.ports.has(port) && nowMs >= outage.fromMs && nowMs < outage.toMs) {
        return outage.ambiguous && chance < 0.5 ? 'deadline-after' : 'unavailable'
      }
      let bound = 0
      for (const fault of CALL_FAULTS) {
        bound += rateOf(fault, nowMs)
        if (chance < bound) return fault
      }
      return undefined
    },
    deliveryFault: (fault, nowMs) => deliveries.chance(rateOf(fault, nowMs)),
    skewMs: () => (skewed ? skews.between(-240_000, 240_000) : 0),
  }
}

function outageOf(plan: Random, phases: Phases, ports: readonly string[]): Outage {
  const fromMs = phases.startMs + plan.between(0, phases.calmMs - phases.startMs)
  const lengthMs = Math.round(1_000 * 3_600 ** plan.next())
  return {
    ports: new Set(ports.filter(() => plan.chance(0.5))),
    fromMs,
    toMs: Math.min(fromMs + lengthMs, phases.healedMs),
    ambiguous: plan.chance(0.5),
  }
}
