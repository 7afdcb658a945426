import type { Corrections } from './apply-corrections.ts'
import { formatInstant } from './calendar.ts'
import { VOID_TYPE } from './correction.ts'
import { deduplicate } from './deduplicate.ts'
import { type Contradiction, contradictions, type Said } from './find-conflicts.ts'
import { hourOf } from './spans.ts'

/** Finds ids that stand in more than one hour, in so little memory that a month of a tenant fits. */
export type HoursOfIds = {
  note(event: { readonly key: string; readonly timeMs: number }): void
  /** Whether an id may stand in several hours; sure only when it says no. */
  isSuspect(key: string): boolean
  readonly suspects: number
}

/** Hex digits of a key that are kept: 48 bits, one number without an object around it. */
const KEPT_DIGITS = 12

export function hoursOfIds(): HoursOfIds {
  const hours = new Map<number, number>()
  const suspects = new Set<number>()
  return {
    note: ({ key, timeMs }) => {
      const short = Number.parseInt(key.slice(0, KEPT_DIGITS), 16)
      const hour = hourOf(timeMs).fromMs
      const known = hours.get(short)
      if (known === undefined) hours.set(short, hour)
      else if (known !== hour) suspects.add(short)
    },
    isSuspect: (key) => suspects.has(Number.parseInt(key.slice(0, KEPT_DIGITS), 16)),
    get suspects() {
      return suspects.size
    },
  }
}

/**
 * Events of one id in several hours: each hour for itself sees one event, so only a look at all of them
 * shows the contradiction. Of what was said under the id the content that ranks first counts.
 */
export function crossHourConflicts(said: readonly Said[], corrections: Corrections): Contradiction[] {
  const standing = said.filter(
    ({ event }) => !corrections.isContentVoid(event) && !corrections.isVoid(event.key),
  )
  const byKey = Map.groupBy(standing, ({ event }) => event.key)
  const disputed = [...byKey.values()].filter(
    (all) => new Set(all.map(({ event }) => hourOf(event.timeMs).fromMs)).size > 1,
  )
  const all = disputed.flat()
  const { events, conflicts } = deduplicate(all.map(({ event }) => event))
  return contradictions(all, events, conflicts)
}

const SOURCE = '//energent.ai/billing/conflicts'

/** The voids that take back what lost: made from the conflict alone, so that each is made once. */
export function voidsOfLosers(conflict: Contradiction, tenantId: string): Record<string, unknown>[] {
  const { key, source, id } = conflict
  return conflict.sides
    .filter(({ counted }) => !counted)
    .map(({ digest, timeMs }) => ({
      specversion: '1.0',
      id: `${key.slice(0, 32)}-${digest.slice(0, 32)}`,
      source: SOURCE,
      type: VOID_TYPE,
      subject: `tenants/${tenantId}`,
      time: formatInstant(timeMs),
      data: { voids: { source, id, digest }, reason: 'the same id with another time' },
    }))
}
