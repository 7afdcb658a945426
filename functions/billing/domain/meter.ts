import { z } from 'zod'
import { METER_IDS, METERS, type Meter, type MeterId } from '#shared/catalogue/meters.ts'
import { parser } from '#shared/json.ts'
import { STALENESS_MS } from './meter-usage.ts'

/** One immutable version of a meter's definition (billing.md §3). */
export type MeterVersion = {
  readonly meterId: MeterId
  readonly version: number
  /** Events from this instant on are measured by it, in milliseconds. */
  readonly validFromMs: number
  readonly aggregation: Meter['aggregation']
  /** The member of an event's data that is aggregated; null where events are counted. */
  readonly field: 'value' | 'resource' | null
  readonly scale: number
  readonly unit: string
  readonly dimensions: readonly string[]
  /** What counts: AND over the dimensions, OR within each; nothing is left out where empty. */
  readonly filters: Readonly<Record<string, readonly string[]>>
  /** Whether a level holds on from the period before. */
  readonly carryOver: boolean
  /** For how long a level holds without a new sample; null where nothing holds. */
  readonly stalenessSeconds: number | null
}

/** What quantities of a meter are in. The catalogue's unit is of one sample; a level over time is in units times hours. */
export function quantityUnit(meterId: MeterId): string {
  const { aggregation, unit } = METERS[meterId]
  return aggregation === 'level_hours' ? `${unit} hour` : unit
}

/** The versions every meter begins with. */
export const FIRST_METERS: readonly MeterVersion[] = METER_IDS.map((meterId) => {
  const { aggregation, scale, unit, dimensions } = METERS[meterId]
  const isLevel = aggregation === 'level_hours'
  return {
    meterId,
    version: 1,
    validFromMs: 0,
    aggregation,
    field: aggregation === 'count' ? null : aggregation === 'unique_count' ? 'resource' : 'value',
    scale,
    unit,
    dimensions: [...dimensions],
    filters: {},
    carryOver: isLevel,
    stalenessSeconds: isLevel ? STALENESS_MS / 1000 : null,
  }
})

const shape = {
  meterId: z.enum(METER_IDS as [MeterId, ...MeterId[]]),
  version: z.number().int().min(1),
  aggregation: z.enum(['count', 'sum', 'level_hours', 'unique_count', 'max']),
  field: z.enum(['value', 'resource']).nullable(),
  scale: z.number().int().min(0).max(6),
  unit: z.string().min(1).max(80),
  dimensions: z.array(z.string()).max(8),
  filters: z.record(z.string(), z.array(z.string().max(64)).min(1).max(100)),
  carryOver: z.boolean(),
  stalenessSeconds: z.number().int().nullable(),
}

export const parseMeterVersion = parser<MeterVersion>(z.object({ ...shape, validFromMs: z.number().int() }))

/** What an operator says of a meter; a version's number may be left out. */
export type WantedMeter = Omit<MeterVersion, 'version' | 'validFromMs'> & {
  readonly version?: number | undefined
  readonly validFrom: string
}

export const parseWantedMeter = parser<WantedMeter>(
  z.strictObject({
    ...shape,
    version: shape.version.optional(),
    validFrom: z.iso.datetime({ offset: true }),
  }),
)

/**
 * Why a definition cannot measure the meter's events, or undefined where it can.
 *
 * What events mean and how they add up is the platform's and stays: closed hours of all versions are
 * folded alike. A version says how it is called, what its filters let count, and which plans refer to it.
 */
export function faultInMeter(wanted: Omit<MeterVersion, 'version' | 'validFromMs'>): string | undefined {
  const first = FIRST_METERS.find(({ meterId }) => meterId === wanted.meterId)
  if (first === undefined) return 'meterId: there is no such meter'
  for (const name of ['aggregation', 'field', 'scale', 'carryOver', 'stalenessSeconds'] as const) {
    if (wanted[name] !== first[name]) return `${name}: must be ${JSON.stringify(first[name])}`
  }
  const stray = wanted.dimensions.find((name) => !first.dimensions.includes(name))
  if (stray !== undefined) return `dimensions: events have no ${stray}`
  const foreign = Object.keys(wanted.filters).find((name) => !first.dimensions.includes(name))
  return foreign === undefined ? undefined : `filters: events have no ${foreign}`
}

/** Whether a version counts what is in a group: it has one of the values in each dimension that is filtered. */
export function passesFilters(
  { filters }: Pick<MeterVersion, 'filters'>,
  group: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(filters).every(([name, values]) => values.includes(group[name] ?? ''))
}

/** The version that holds at an instant. */
export function meterAt(versions: readonly MeterVersion[], meterId: MeterId, atMs: number): MeterVersion {
  const found = versions
    .filter((version) => version.meterId === meterId && version.validFromMs <= atMs)
    .reduce<MeterVersion | undefined>(
      (newest, version) => (newest === undefined || version.version > newest.version ? version : newest),
      undefined,
    )
  const first = FIRST_METERS.find((version) => version.meterId === meterId)
  if (found === undefined && first === undefined) throw new RangeError(`no meter ${meterId}`)
  return found ?? (first as MeterVersion)
}
