import { type Random, randomOf } from '#shared/testing/random.ts'

/**
 * What becomes of one call of a port.
 *
 * A crash ends the process, and with it everything else it was doing. `refused` and `lost` are errors the
 * caller hears of: without the effect, and after it. `late` gives up before the effect happens. `frozen`
 * lets the process sleep through its leases before it hears the answer. The last three are answers of a
 * server that does not do what it is asked: 429, 500 and 409.
 */
export type Fate =
  | 'answered'
  | 'crash-before'
  | 'crash-after'
  | 'refused'
  | 'lost'
  | 'late'
  | 'frozen'
  | 'throttled'
  | 'broken'
  | 'conflict'

/** What becomes of one message, beside coming once and soon. */
export type DeliveryFault = 'duplicated' | 'delayed' | 'unpublished' | 'unacknowledged'

export type Fault = Exclude<Fate, 'answered'> | DeliveryFault | 'missed-sweep' | 'skewed'

/** Where chance, or somebody's finger, puts the faults of one run. */
export type Faults = {
  call(port: string, what: string, nowMs: number): Fate
  delivery(fault: DeliveryFault): boolean
  /** True when a tick of the scheduler does not come. */
  missedSweep(): boolean
  /** How far the clock of a process is off, in milliseconds. */
  skewMs(): number
  /** How many processes share the work. */
  readonly processes: number
  /** Nothing goes wrong any more. */
  heal(): void
}

const CALM: Faults = {
  call: () => 'answered',
  delivery: () => false,
  missedSweep: () => false,
  skewMs: () => 0,
  processes: 1,
  heal: () => {},
}

/** Nothing goes wrong. */
export function noFaults(): Faults {
  return CALM
}

/** One fault at the `at`-th call of any port, counted from 1. */
export function oneFault(at: number, fate: Fate): Faults & { readonly reached: () => boolean } {
  let calls = 0
  return {
    ...CALM,
    processes: 2,
    call: () => {
      calls += 1
      return calls === at ? fate : 'answered'
    },
    reached: () => calls >= at,
  }
}

/** What can become of a call, beside its answer. */
export const FATES: readonly Exclude<Fate, 'answered'>[] = [
  'crash-before',
  'crash-after',
  'refused',
  'lost',
  'late',
  'frozen',
  'throttled',
  'broken',
  'conflict',
]

/** What an API server that is unwell does with every call. */
export const ILLNESSES = ['refused', 'throttled', 'broken', 'conflict', 'late', 'lost'] as const
export type Illness = (typeof ILLNESSES)[number]

/** The `at`-th call of one port, counted from 1, and all of its calls in the `forMs` after it. */
export function outage(
  port: string,
  at: number,
  illness: Illness,
  forMs: number,
): Faults & { readonly reached: () => boolean } {
  let calls = 0
  let beganMs: number | undefined
  return {
    ...CALM,
    call: (called, _what, nowMs) => {
      if (called !== port) return 'answered'
      calls += 1
      if (calls === at) beganMs = nowMs
      return beganMs !== undefined && nowMs < beganMs + forMs ? illness : 'answered'
    },
    reached: () => beganMs !== undefined,
  }
}

/**
 * Faults from one seed. Each seed draws how likely each kind is, some of them not at all: a run in which
 * everything goes wrong at once never reaches the faults that need some luck to be reached.
 */
export function seededFaults(seed: number, count: (fault: Fault) => void): Faults {
  const random = randomOf(seed, 'faults')
  const level = random.pick([0.01, 0.03, 0.06, 0.12])
  const likely = new Map(FATES.map((fate) => [fate, random.chance(0.6) ? level * random.next() : 0]))
  const delivery = new Map<DeliveryFault, number>([
    ['duplicated', random.chance(0.8) ? random.next() * 0.6 : 0],
    ['delayed', random.chance(0.6) ? random.next() * 0.4 : 0],
    ['unpublished', random.chance(0.5) ? random.next() * 0.3 : 0],
    ['unacknowledged', random.chance(0.5) ? random.next() * 0.3 : 0],
  ])
  const missed = random.chance(0.4) ? 0.3 : 0
  const skewed = random.chance(0.5)
  let healed = false
  const seen = (fault: Fault, happens: boolean): boolean => {
    if (happens) count(fault)
    return happens
  }
  return {
    processes: random.between(1, 3),
    call: () => {
      if (healed) return 'answered'
      let at = random.next()
      for (const [fate, probability] of likely) {
        at -= probability
        if (at < 0) {
          count(fate)
          return fate
        }
      }
      return 'answered'
    },
    delivery: (fault) => !healed && seen(fault, random.chance(delivery.get(fault) ?? 0)),
    missedSweep: () => !healed && seen('missed-sweep', random.chance(missed)),
    skewMs: () => (seen('skewed', skewed && random.chance(0.5)) ? skewOf(random) : 0),
    heal: () => {
      healed = true
    },
  }
}

/** Most clocks are off by little; one that is off by minutes must do no harm either. */
function skewOf(random: Random): number {
  return (
    random.pick([1, -1]) * (random.chance(0.7) ? random.between(1, 1_500) : random.between(1_500, 240_000))
  )
}
