import type { TenantContext } from '#shared/tenancy/context.ts'
import { mayHold } from '../domain/key-index.ts'
import type { BillingDeps, LiveHour, Reading } from '../ports.ts'

/** Days whose indexes are read at the same time. */
const PARALLEL = 8

export type Places = {
  /** Hours whose index has the beginning of one of the keys, newest first. */
  readonly likely: readonly string[]
  /** Hours that have no index of all their batches, newest first. */
  readonly unknown: readonly string[]
}

/** In which of some hours events of these keys may stand, by what roll-ups say without reading one event. */
export async function hoursOfKeys(
  deps: Pick<BillingDeps, 'rollups'>,
  ctx: TenantContext,
  keys: readonly string[],
  hours: ReadonlyMap<string, LiveHour>,
  reading: Reading,
): Promise<Places> {
  const places = { likely: [] as string[], unknown: [] as string[] }
  const days = [...Map.groupBy(hours.keys(), (hour) => hour.slice(0, 8))]
  for (let at = 0; at < days.length; at += PARALLEL) {
    reading.check()
    await Promise.all(
      days.slice(at, at + PARALLEL).map(async ([day, ofDay]) => {
        const keyed = await deps.rollups.keys(ctx, day)
        for (const hour of ofDay) {
          const { keys: index, batchCount } = keyed.get(hour) ?? {}
          if (index === undefined || batchCount !== hours.get(hour)?.batches) places.unknown.push(hour)
          else if (keys.some((key) => mayHold(index, key))) places.likely.push(hour)
        }
      }),
    )
  }
  return { likely: places.likely.sort().reverse(), unknown: places.unknown.sort().reverse() }
}
