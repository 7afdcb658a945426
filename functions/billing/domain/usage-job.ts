import { hashedId } from '#shared/ids.ts'
import { canonicalJson } from '#shared/json.ts'
import { VOID_TYPE } from './correction.ts'
import { eventKey } from './usage-event.ts'

export const USAGE_JOB_KINDS = ['backfill', 'void'] as const
export type UsageJobKind = (typeof USAGE_JOB_KINDS)[number]

/** Usage, or corrections of it, that an operator handed in: stored first, done by a unit of work. */
export type UsageJob = {
  readonly jobId: string
  readonly kind: UsageJobKind
  readonly reason: string
  /** When it was asked for first: what counts as the time of receipt of all its events. */
  readonly requestedAtMs: number
  readonly status: 'pending' | 'done'
  /** CloudEvents, checked when they were taken. */
  readonly events: readonly unknown[]
}

/** One event that is named to be taken back. */
export type VoidTarget = { readonly source: string; readonly id: string }

/**
 * What the same request is known by however often it is sent: its kind, its tenant, its reason and the
 * events in it, in any order.
 */
export function usageJobId(
  kind: UsageJobKind,
  tenantId: string,
  reason: string,
  events: readonly unknown[],
): string {
  return hashedId('usage job', kind, tenantId, reason, ...events.map(canonicalJson).sort())
}

/** Where corrections that operators ask for come from. */
const SOURCE = '//energent.ai/billing/corrections'

/**
 * The event that takes another one back. Its id is made from what it takes back: to ask twice is to say
 * the same again, whenever and for whatever reason.
 */
export function voidEventOf(target: VoidTarget, tenantId: string, reason: string, nowMs: number) {
  return {
    specversion: '1.0',
    id: `void-${eventKey(target.source, target.id)}`,
    source: SOURCE,
    type: VOID_TYPE,
    subject: `tenants/${tenantId}`,
    time: new Date(nowMs).toISOString(),
    data: { voids: { source: target.source, id: target.id }, reason },
  }
}

const BACKFILL_MONTHS = 13

/** The earliest time that usage may still be handed in for: thirteen months back, by the UTC calendar. */
export function backfillFloorMs(nowMs: number): number {
  const floor = new Date(nowMs)
  const day = floor.getUTCDate()
  floor.setUTCDate(1)
  floor.setUTCMonth(floor.getUTCMonth() - BACKFILL_MONTHS)
  const lastDay = new Date(Date.UTC(floor.getUTCFullYear(), floor.getUTCMonth() + 1, 0)).getUTCDate()
  floor.setUTCDate(Math.min(day, lastDay))
  return floor.getTime()
}
