import { METERS } from '#shared/catalogue/meters.ts'
import type { Change, ReceivedCorrection } from './correction.ts'
import { type CountedEvent, isFree, parseQuantity } from './usage-event.ts'

/** All corrections of a tenant, by what they come to: the same whatever the order they are read in. */
export type Corrections = {
  /** Of a content that only it was voided: it contradicted another under the same id. */
  isContentVoid(event: Pick<CountedEvent, 'key' | 'digest'>): boolean
  isVoid(key: string): boolean
  /** What is said of the event now. */
  replacement(key: string): Change | undefined
  /** The event that a correction of `key` is about in the end: of a replacement, what that replaced. */
  rootOf(key: string): string
  /** The times that an event was ever given: hours that may hold it or have held it. */
  timesGiven(key: string): readonly number[]
}

export const NO_CORRECTIONS: Corrections = correctionsOf([])

/**
 * Sorts out what corrections come to. Each counts from when it was first received:
 *
 * - a void is for good, whenever it comes: of an event not there yet it waits, a second one changes nothing,
 *   and no replacement brings the event back;
 * - of several replacements the one received last holds, at one instant the one of the later time, then key;
 * - a replacement can be voided like an event, and then what was before it holds; a void cannot.
 */
export function correctionsOf(received: readonly ReceivedCorrection[]): Corrections {
  const first = firstOfEach(received)
  const voids = first.filter(({ kind }) => kind === 'void')
  const voided = new Set(voids.flatMap((one) => (one.targetDigest === undefined ? [one.targetKey] : [])))
  const contents = new Set(
    voids.flatMap((one) => (one.targetDigest === undefined ? [] : [one.targetKey + one.targetDigest])),
  )
  const replaces = first.filter(({ kind }) => kind === 'replace').sort(byReceipt)
  const byKey = new Map(replaces.map((one) => [one.key, one]))
  const changes = new Map<string, Change>()
  const times = new Map<string, number[]>()
  for (const one of replaces) {
    const key = rootTarget(one, byKey)
    if (key === undefined) continue
    if (one.change.timeMs !== undefined) times.set(key, [...(times.get(key) ?? []), one.change.timeMs])
    if (voided.has(one.key)) continue
    changes.set(key, { ...changes.get(key), ...one.change })
  }
  return {
    isContentVoid: ({ key, digest }) => contents.has(key + digest),
    isVoid: (key) => voided.has(key),
    replacement: (key) => changes.get(key),
    rootOf: (key) => {
      const replace = byKey.get(key)
      return (replace === undefined ? undefined : rootTarget(replace, byKey)) ?? key
    },
    timesGiven: (key) => times.get(key) ?? [],
  }
}

/**
 * The event as it stands after its corrections; undefined when it was voided. A replacement that its meter
 * does not take leaves the event as it was.
 */
export function corrected<E extends CountedEvent>(event: E, corrections: Corrections): E | undefined {
  if (corrections.isVoid(event.key)) return undefined
  const change = corrections.replacement(event.key)
  return change === undefined ? event : (replaced(event, change) ?? event)
}

/** When an event counts: its own time, or the one that it was given. */
export function countedAtMs(event: CountedEvent, corrections: Corrections): number {
  return corrected(event, corrections)?.timeMs ?? event.timeMs
}

function replaced<E extends CountedEvent>(event: E, change: Change): E | undefined {
  const meter = METERS[event.meter]
  const dimensions = change.dimensions ?? event.dimensions
  if (Object.keys(dimensions).some((name) => !(meter.dimensions as readonly string[]).includes(name))) {
    return undefined
  }
  const value =
    change.value === undefined
      ? { ok: true as const, value: event.value }
      : parseQuantity(meter, { value: change.value }, true)
  if (!value.ok) return undefined
  return {
    ...event,
    value: value.value,
    dimensions,
    resource: change.resource ?? event.resource,
    timeMs: change.timeMs ?? event.timeMs,
    free: isFree('collector', dimensions),
  }
}

/** Copies, and what contradicts itself under one id: the first received counts, of one instant the lower digest. */
function firstOfEach(received: readonly ReceivedCorrection[]): ReceivedCorrection[] {
  const first = new Map<string, ReceivedCorrection>()
  for (const one of received) {
    const known = first.get(one.key)
    if (known === undefined || earlier(one, known)) first.set(one.key, one)
  }
  return [...first.values()]
}

function earlier(left: ReceivedCorrection, right: ReceivedCorrection): boolean {
  if (left.receivedAtMs !== right.receivedAtMs) return left.receivedAtMs < right.receivedAtMs
  return left.digest < right.digest
}

function byReceipt(left: ReceivedCorrection, right: ReceivedCorrection): number {
  return (
    left.receivedAtMs - right.receivedAtMs || left.timeMs - right.timeMs || (left.key < right.key ? -1 : 1)
  )
}

/** The event that a replacement of a replacement is about in the end; undefined for a circle. */
function rootTarget(
  one: ReceivedCorrection,
  byKey: ReadonlyMap<string, ReceivedCorrection>,
): string | undefined {
  const seen = new Set<string>()
  let key = one.targetKey
  for (let next = byKey.get(key); next !== undefined; next = byKey.get(key)) {
    if (seen.has(key)) return undefined
    seen.add(key)
    key = next.targetKey
  }
  return key
}
