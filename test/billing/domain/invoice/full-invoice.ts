import { correctionsOf } from '../../../../functions/billing/domain/apply-corrections.ts'
import type { Currency } from '../../../../functions/billing/domain/currency.ts'
import { foldingHour } from '../../../../functions/billing/domain/fold-hour.ts'
import type { Grant } from '../../../../functions/billing/domain/grant.ts'
import { dimensionsOf, usageOf } from '../../../../functions/billing/domain/invoice/assign-usage.ts'
import {
  type Draft,
  draftInvoice,
  type MeasuredPeriod,
} from '../../../../functions/billing/domain/invoice/draft-invoice.ts'
import { partsOf } from '../../../../functions/billing/domain/invoice/parts.ts'
import { finalizedStored } from '../../../../functions/billing/domain/invoice/settle.ts'
import type { StoredInvoice } from '../../../../functions/billing/domain/invoice/stored-invoice.ts'
import type { InvoicedPlan, Segment, TaxTable } from '../../../../functions/billing/domain/invoice/terms.ts'
import { quantitiesOf, type Slice } from '../../../../functions/billing/domain/quantities.ts'
import { hourOf } from '../../../../functions/billing/domain/spans.ts'
import { finish } from '../../../../functions/billing/domain/steps.ts'
import type { Subscription } from '../../../../functions/billing/domain/subscription.ts'
import { periodAt, segmentsOf } from '../../../../functions/billing/domain/subscription-phases.ts'
import { tallyEvents } from '../../../../functions/billing/domain/tally.ts'
import { restoreUsageEvent, type UsageEvent } from '../../../../functions/billing/domain/usage-event.ts'

/** From a subscription and events to invoices, by the functions that the service calls, without a store. */
export type History = {
  readonly subscription: Subscription
  readonly plan: InvoicedPlan
  readonly events: readonly UsageEvent[]
  /** Ids of events that were taken back. */
  readonly voided?: readonly string[]
  readonly grants?: readonly Grant[]
  readonly taxRates?: TaxTable['rates']
}

export function aSubscription(started: string, fields: Partial<Subscription> = {}): Subscription {
  return {
    subscriptionId: 'sub_acme',
    status: 'active',
    rev: 1,
    planId: 'plan',
    planVersion: 1,
    tier: 'basic',
    currency: 'USD',
    timeZone: 'UTC',
    periods: 'calendar',
    interval: 'month',
    anchorMs: Date.parse(started),
    startedAtMs: Date.parse(started),
    operationId: 'op_1',
    history: [],
    ...fields,
  }
}

export function anEvent(meter: string, time: string, value: string, id = `${meter} ${time}`): UsageEvent {
  const raw = {
    id,
    source: '//test',
    type: `ai.energent.usage.${meter}.v1`,
    subject: 'tenants/acme',
    time,
    data: { value, resource: 'r' },
  }
  return restoreUsageEvent(raw, 'collector')
}

/** The invoice of the period that contains an instant, after some others were closed. */
export function draftAt(history: History, time: string, closed: readonly StoredInvoice[] = []): Draft {
  const drafted = draftInvoice({
    ...{ tenantId: 'acme', revision: 1, invoices: closed },
    ...{ grants: history.grants ?? [], taxRates: history.taxRates ?? [] },
    measured: measured(history, Date.parse(time)),
    closed: new Map(closed.map((one) => [one.invoiceId, measured(history, one.period.fromMs)])),
  })
  if (!drafted.ok) throw new Error(drafted.detail)
  return drafted.value
}

export function closeAt(
  history: History,
  time: string,
  closed: readonly StoredInvoice[] = [],
): StoredInvoice {
  const { period } = measured(history, Date.parse(time))
  const made = { period, ingestedBeforeMs: period.toMs, nowMs: period.toMs }
  return finalizedStored(draftAt(history, time, closed), made)
}

function measured({ subscription, plan, events, voided = [] }: History, atMs: number): MeasuredPeriod {
  const period = periodAt(subscription, atMs)
  const segments = segmentsOf(subscription, period).map(
    ({ fromMs, toMs, share }): Segment => ({ period: { fromMs, toMs }, plan, share }),
  )
  const corrections = correctionsOf(
    voided.map((id) => ({
      ...{ kind: 'void' as const, source: '//v', id, key: `void ${id}`, digest: '', timeMs: 0 },
      targetKey: events.find((event) => event.id === id)?.key ?? id,
      ...{ targetDigest: undefined, receivedAtMs: 0, change: {}, raw: {} },
    })),
  )
  const hours = [...new Set(events.map(({ timeMs }) => hourOf(timeMs).fromMs))].sort((a, b) => a - b)
  const slices = hours.map((fromMs): Slice => {
    const folded = finish(foldingHour(events, hourOf(fromMs), corrections))
    const within = folded.events.filter(({ timeMs }) => timeMs >= period.fromMs && timeMs < period.toMs)
    const tallies = tallyEvents(within, () => 1)
    return { period: hourOf(fromMs), tallies, rollup: undefined, isDay: false }
  })
  const parts = partsOf(segments)
  const usage = parts.map((part) => {
    const rules = { meters: [part.price.meter], groupBy: dimensionsOf(part, segments), filter: {} }
    const asked = { ...rules, versionOf: () => 1, nowMs: part.period.toMs }
    return [part.key, usageOf(part, segments, quantitiesOf(asked, part.period, slices, []))] as const
  })
  return {
    ...{ period: { fromMs: period.fromMs, toMs: period.toMs }, segments, taxMode: 'per_rate' },
    ...{ currency: subscription.currency as Currency, timeZone: subscription.timeZone },
    ...{ subscriptionId: 'sub_acme', usage: new Map(usage), rollups: new Map() },
  }
}
