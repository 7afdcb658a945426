import type { Store } from '#local/engine/firestore/store.ts'
import { METER_IDS } from '#shared/catalogue/meters.ts'
import { toScaled } from '../../functions/billing/domain/rational.ts'
import type { BillingDeps } from '../../functions/billing/ports.ts'
import { contextOf } from '../shared/support/store.ts'
import { DATABASE } from '../simulation/ground/firestore-client.ts'
import { NOW, TENANTS } from './deliveries.ts'

/** What was sent: how many different good and bad events, and by tenant, meter and hour what they come to. */
export type Truth = {
  events: number
  bad: number
  readonly hours: Map<string, { readonly events: number; readonly value: bigint }>
}

export type Counted = {
  /** Events that were sent and do not count, and such as count more than once. */
  readonly lost: number
  readonly double: number
  /** Hours whose quantity is another than what was sent. */
  readonly wrongHours: number
  /** Events in quarantine: the bad ones, each once. */
  readonly setAside: number
  /** Whether the roll-ups have all batches that there are, so that answers are exact. */
  readonly exact: boolean
}

const DAY_MS = 24 * 3_600_000
const HOUR_MS = 3_600_000

/** Compares what usage answers, from roll-ups alone, with what was sent. */
export async function countEvents(store: Store, deps: BillingDeps, truth: Truth): Promise<Counted> {
  const counted = { lost: 0, double: 0, wrongHours: 0, exact: true }
  const fromMs = NOW - DAY_MS
  const hours = Array.from({ length: 24 }, (_none, at) => ({
    fromMs: fromMs + at * HOUR_MS,
    toMs: fromMs + (at + 1) * HOUR_MS,
  }))
  const found = new Set<string>()
  for (const tenant of TENANTS) {
    const query = { meters: METER_IDS, fromMs, toMs: NOW, nowMs: NOW + HOUR_MS, windows: hours }
    const answer = await deps.usage.quantities(contextOf(tenant), query)
    if (!answer.ok) throw new Error(answer.detail)
    counted.exact &&= !answer.value.provisional
    for (const row of answer.value.rows) {
      const name = `${tenant} ${row.meterId} ${row.period.fromMs}`
      found.add(name)
      const expected = truth.hours.get(name) ?? { events: 0, value: 0n }
      counted.lost += Math.max(0, expected.events - row.events)
      counted.double += Math.max(0, row.events - expected.events)
      const value = row.value === undefined ? 0n : toScaled(row.value, 0)
      if (value !== expected.value) counted.wrongHours += 1
    }
  }
  for (const [name, { events }] of truth.hours) if (!found.has(name)) counted.lost += events
  return { ...counted, setAside: setAside(store) }
}

function setAside(store: Store): number {
  let events = 0
  for (const { path } of store.tree(DATABASE).documents()) {
    if (path.startsWith('billing_quarantine/')) events += 1
  }
  return events
}
