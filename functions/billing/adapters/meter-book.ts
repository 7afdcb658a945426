import { z } from 'zod'
import { METER_IDS, type MeterId } from '#shared/catalogue/meters.ts'
import type { Clock } from '#shared/clock.ts'
import type { SystemFirestore } from '#shared/firestore/system.ts'
import type { Ids } from '#shared/ids.ts'
import { canonicalJson, parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import {
  FIRST_METERS,
  type MeterVersion,
  meterAt,
  parseMeterVersion,
  passesFilters,
} from '../domain/meter.ts'
import type { Kept, MeterBook } from '../ports/contracts.ts'

const METERS = 'meters'
const CACHE_MS = 60_000

const parseEntry = parser(z.object({ meterId: z.string(), latest: z.number().int() }))

type Deps = { readonly system: SystemFirestore; readonly ids: Ids; readonly clock: Clock }

/** Meters as documents, like plans. The few there are, are held together for a minute. */
export function firestoreMeterBook(deps: Deps): MeterBook {
  const { clock, system } = deps
  let held: readonly MeterVersion[] = FIRST_METERS
  let untilMs = Number.NEGATIVE_INFINITY
  let reading: Promise<void> | undefined
  const read = async (): Promise<void> => {
    const entries = await system.list(METERS, { limit: METER_IDS.length }, parseEntry)
    const later = await Promise.all(
      entries.flatMap(({ value: { meterId, latest } }) =>
        Array.from({ length: latest - 1 }, (_, index) =>
          system.find(versionsOf(meterId), String(index + 2), parseMeterVersion),
        ),
      ),
    )
    held = [...FIRST_METERS, ...later.flatMap((doc) => (doc === undefined ? [] : [doc.value]))]
    untilMs = clock.now() + CACHE_MS
  }
  const refresh = async (): Promise<void> => {
    if (clock.now() < untilMs) return
    reading ??= read().finally(() => {
      reading = undefined
    })
    await reading
  }
  return {
    refresh,
    versionOf: (meterId, atMs) => meterAt(held, meterId, atMs).version,
    counts: ({ meter, version, group }) => {
      const known = held.find((one) => one.meterId === meter && one.version === version)
      return known === undefined || passesFilters(known, group)
    },
    at: async (meterId, atMs) => {
      await refresh()
      return meterAt(held, meterId, atMs)
    },
    find: async (meterId, version) => {
      await refresh()
      return held.find((meter) => meter.meterId === meterId && meter.version === version)
    },
    versions: async (meterId) => {
      await refresh()
      return held.filter((meter) => meter.meterId === meterId)
    },
    add: async (meter, nowMs) => {
      const added = await addVersion(deps, meter, nowMs)
      untilMs = Number.NEGATIVE_INFINITY
      return added
    },
  }
}

async function addVersion(
  { system, ids }: Deps,
  meter: MeterVersion,
  nowMs: number,
): Promise<Result<Kept<MeterVersion>>> {
  const { meterId, version } = meter
  for (;;) {
    const entry = await system.find(METERS, meterId, parseEntry)
    const latest = entry?.value.latest ?? 1
    const before = await latestOf(system, meterId, latest)
    if (version === latest && canonicalJson(before) === canonicalJson(meter)) {
      return ok({ outcome: 'existed', value: meter })
    }
    if (version !== latest + 1) return refuse('meter.version_conflict', `the next version is ${latest + 1}`)
    if (meter.validFromMs <= before.validFromMs) {
      return refuse('meter.invalid', 'validFrom', 'validFrom: must be after the version before')
    }
    const fields = { meterId, latest: version }
    const first = FIRST_METERS.filter((one) => entry === undefined && one.meterId === meterId)
    const writes = [
      entry === undefined ? system.create(METERS, meterId, fields) : system.update(METERS, entry, fields),
      ...first.map((one) => system.create(versionsOf(meterId), '1', { ...one })),
      system.create(versionsOf(meterId), String(version), { ...meter }),
    ]
    const outcome = await system.commit(writes, ids.uuid(nowMs))
    if (outcome.kind === 'committed') return ok({ outcome: 'created', value: meter })
  }
}

async function latestOf(system: SystemFirestore, meterId: MeterId, latest: number): Promise<MeterVersion> {
  const found = await system.find(versionsOf(meterId), String(latest), parseMeterVersion)
  return found?.value ?? meterAt(FIRST_METERS, meterId, 0)
}

function versionsOf(meterId: string): string {
  return `${METERS}/${meterId}/versions`
}
