import { METERS, type MeterId } from '#shared/catalogue/meters.ts'
import { hourKey } from './calendar.ts'
import { toScaled } from './rational.ts'
import { hourOf } from './spans.ts'
import type { UsageBatch } from './usage-batch.ts'

/** What one batch adds to one meter in one hour; quantities are whole numbers of the meter's smallest step. */
export type LiveMeter = {
  events: number
  sum?: number
  max?: number
  /** The sum is beyond what can be added exactly: the hour must be read from the ledger. */
  inexact?: true
}

/** What one batch adds to one UTC day, by hour `HH` and meter. */
export type LiveDay = {
  readonly day: string
  readonly hours: Readonly<Record<string, Readonly<Partial<Record<MeterId, LiveMeter>>>>>
}

/**
 * What a batch adds to the live counters: only what can be added without reading. Unique counts and
 * levels are left to the roll-ups, which have all events of an hour.
 */
export function liveDays(batch: UsageBatch): LiveDay[] {
  const days = new Map<string, Map<string, Map<MeterId, bigint[]>>>()
  for (const [fromMs, events] of Map.groupBy(batch.events, ({ timeMs }) => hourOf(timeMs).fromMs)) {
    const hour = hourKey(fromMs)
    const hours = entry(days, hour.slice(0, 8), () => new Map<string, Map<MeterId, bigint[]>>())
    const meters = entry(hours, hour.slice(8), () => new Map<MeterId, bigint[]>())
    for (const { meter, value } of events) {
      const values = entry(meters, meter, () => [])
      values.push(value === undefined ? 0n : toScaled(value, METERS[meter].scale))
    }
  }
  return [...days].map(([day, hours]) => ({
    day,
    hours: Object.fromEntries(
      [...hours].map(([hour, meters]) => [
        hour,
        Object.fromEntries([...meters].map(([meter, values]) => [meter, liveMeter(meter, values)])),
      ]),
    ),
  }))
}

/** Which of `shards` counters of a day a batch adds to: spread by chance, the same for a redelivery. */
export function shardOf(batchId: string, shards: number): number {
  return Buffer.from(batchId, 'base64url').readUInt32BE(0) % shards
}

function liveMeter(meter: MeterId, values: readonly bigint[]): LiveMeter {
  const { aggregation } = METERS[meter]
  if (aggregation === 'sum') {
    const sum = Number(values.reduce((left, right) => left + right, 0n))
    return Number.isSafeInteger(sum)
      ? { events: values.length, sum }
      : { events: values.length, inexact: true }
  }
  if (aggregation === 'max') {
    return {
      events: values.length,
      max: Number(values.toSorted((left, right) => (left > right ? -1 : 1))[0]),
    }
  }
  return { events: values.length }
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const existing = map.get(key)
  if (existing !== undefined) return existing
  const made = make()
  map.set(key, made)
  return made
}
