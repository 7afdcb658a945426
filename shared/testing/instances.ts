import type { Clock } from '../clock.ts'
import type { Ids } from '../ids.ts'
import type { Random } from './random.ts'
import type { VirtualTime } from './virtual-time.ts'

/** One process of a function: its own clock, its own chance, and a memory that a crash takes with it. */
export type Instance = {
  readonly name: string
  readonly clock: Clock
  readonly ids: Ids
  alive(): boolean
}

/** The processes of a simulation: how they live, stand still and die. */
export type Instances = {
  /** `skewMs` is how far its clock is off at a moment. */
  start(name: string, chance: Random, skewMs: () => number): Instance
  /** Runs what the process itself does: not at all when it is dead, and later when it is frozen. */
  within(instance: Instance, run: () => void): void
  /** Its connections break, and whatever it was doing ends there. */
  crash(instance: Instance): void
  freeze(instance: Instance, untilMs: number): void
  frozenUntilMs(instance: Instance): number
  /** Hears of the process's end, unless taken back first; the returned function says whether it still could be. */
  onCrash(instance: Instance, cut: () => void): () => boolean
}

type Life = { alive: boolean; frozenUntilMs: number; readonly cuts: Set<() => void> }

/** `latency` is how long it takes until others notice a crash. */
export function createInstances(time: VirtualTime, latency: Random): Instances {
  const lives = new Map<Instance, Life>()
  const lifeOf = (instance: Instance): Life => {
    const life = lives.get(instance)
    if (life === undefined) throw new TypeError('not an instance of this simulation')
    return life
  }
  const within = (instance: Instance, run: () => void): void => {
    const { alive, frozenUntilMs } = lifeOf(instance)
    if (!alive) return
    const waitMs = frozenUntilMs - time.now()
    if (waitMs > 0) time.after(waitMs, () => within(instance, run))
    else run()
  }
  return {
    start: (name, chance, skewMs) => {
      const life: Life = { alive: true, frozenUntilMs: 0, cuts: new Set() }
      const instance: Instance = {
        name,
        clock: { now: () => time.now() + skewMs() },
        ids: idsOf(chance),
        alive: () => life.alive,
      }
      lives.set(instance, life)
      return instance
    },
    within,
    crash: (instance) => {
      const life = lifeOf(instance)
      life.alive = false
      for (const cut of life.cuts) time.after(latency.between(1, 20), cut)
      life.cuts.clear()
    },
    freeze: (instance, untilMs) => {
      lifeOf(instance).frozenUntilMs = untilMs
    },
    frozenUntilMs: (instance) => lifeOf(instance).frozenUntilMs,
    onCrash: (instance, cut) => {
      const { cuts } = lifeOf(instance)
      cuts.add(cut)
      return () => cuts.delete(cut)
    },
  }
}

/** Ids of one instance: version 7 as production's are, of seeded chance. */
function idsOf(chance: Random): Ids {
  return {
    uuid: (nowMs) => {
      const time = nowMs.toString(16).padStart(12, '0')
      const hex = chance.bytes(10).toString('hex')
      const clock = `7${hex.slice(1, 4)}-${'89ab'.charAt(Number.parseInt(hex.charAt(4), 16) & 3)}${hex.slice(5, 8)}`
      return `${time.slice(0, 8)}-${time.slice(8, 12)}-${clock}-${hex.slice(8, 20)}`
    },
    bytes: (count) => chance.bytes(count),
  }
}
