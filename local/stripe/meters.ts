import { badParameter, badState, newId, stripeError } from './errors.ts'
import { DAY_SECONDS } from './intervals.ts'
import type { Context, StripeObject } from './objects.ts'
import { numberOf, textOf } from './params.ts'
import type { Routes } from './routes.ts'

/** `/v1/billing/meters` and their events. */
export const meterRoutes: Routes = {
  'POST /v1/billing/meters': {
    params:
      'display_name! event_name! default_aggregation!:any customer_mapping:any value_settings:any event_time_window',
    run: createMeter,
  },
  'GET /v1/billing/meters/:id': { params: '', run: ({ objects, id }) => objects.get('billing.meter', id) },
  'POST /v1/billing/meters/:id': {
    params: 'display_name',
    run: ({ objects, id, params }) =>
      objects.save({ ...objects.get('billing.meter', id), display_name: params['display_name'] }),
  },
  'POST /v1/billing/meters/:id/deactivate': {
    params: '',
    run: ({ objects, id }) => objects.save({ ...objects.get('billing.meter', id), status: 'inactive' }),
  },
  'POST /v1/billing/meter_events': {
    params: 'event_name! payload!:any identifier timestamp:int',
    run: recordEvent,
  },
  'POST /v1/billing/meter_event_adjustments': { params: 'event_name! type! cancel:any', run: adjustEvent },
  'GET /v1/billing/meters/:id/event_summaries': {
    params:
      'customer! start_time!:int end_time!:int value_grouping_window limit:int starting_after ending_before',
    run: summarise,
  },
}

type MeterEvent = {
  readonly eventName: string
  readonly customer: string
  readonly value: number
  readonly timestamp: number
  readonly received: number
}

function createMeter({ objects, params, now }: Context): StripeObject {
  const name = String(params['event_name'])
  if (objects.list('billing.meter').some((one) => one['event_name'] === name && one['status'] === 'active')) {
    throw badState(`An active meter already exists with event name ${name}`)
  }
  return objects.save({
    id: newId('mtr'),
    object: 'billing.meter',
    created: now,
    customer_mapping: params['customer_mapping'] ?? {
      event_payload_key: 'stripe_customer_id',
      type: 'by_id',
    },
    default_aggregation: params['default_aggregation'],
    display_name: params['display_name'],
    event_name: name,
    event_time_window: params['event_time_window'] ?? null,
    livemode: false,
    status: 'active',
    status_transitions: { deactivated_at: null },
    updated: now,
    value_settings: params['value_settings'] ?? { event_payload_key: 'value' },
  })
}

/**
 * Takes one event; its identifier is remembered for 24 hours and refused a second time.
 *
 * Only what Stripe checks at once is checked here: an unknown customer or meter is found later there,
 * and told by a thin event.
 */
function recordEvent(context: Context): object {
  const { params, journal, now } = context
  const eventName = String(params['event_name'])
  const identifier = textOf(params, 'identifier') ?? newId('evt')
  const timestamp = numberOf(params, 'timestamp') ?? now
  const payload = params['payload'] as Record<string, unknown>
  if (eventName.length > 100)
    throw badParameter('Invalid string: must be at most 100 characters', 'event_name')
  if (identifier.length > 100)
    throw badParameter('Invalid string: must be at most 100 characters', 'identifier')
  if (timestamp < now - 35 * DAY_SECONDS) {
    throw badParameter('The timestamp is too far in the past', 'timestamp', 'timestamp_too_far_in_past')
  }
  if (timestamp > now + 300) {
    throw badParameter('The timestamp is too far in the future', 'timestamp', 'timestamp_in_future')
  }
  const meter = context.objects.list('billing.meter').find((one) => one['event_name'] === eventName)
  const keyOf = (field: string, fallback: string): string =>
    (meter?.[field] as { event_payload_key?: string } | undefined)?.event_payload_key ?? fallback
  const value = payload[keyOf('value_settings', 'value')]
  if (value !== undefined && !/^-?\d+$/.test(String(value))) {
    throw badParameter(`Invalid value for meter event: ${value}`, 'payload', 'meter_event_invalid_value')
  }
  const before = journal.get(`meter/${identifier}`) as MeterEvent | undefined
  if (before !== undefined && now - before.received < DAY_SECONDS) {
    throw stripeError(400, {
      type: 'invalid_request_error',
      message: `An event already exists with identifier ${identifier}.`,
    })
  }
  const event: MeterEvent = {
    eventName,
    customer: String(payload[keyOf('customer_mapping', 'stripe_customer_id')] ?? ''),
    value: Number(value ?? 1),
    timestamp,
    received: now,
  }
  journal.set(`meter/${identifier}`, event)
  // An identifier used again after a day must not take the first event's value with it.
  journal.set(`metered/${identifier}/${now}`, event)
  return {
    object: 'billing.meter_event',
    created: now,
    event_name: eventName,
    identifier,
    livemode: false,
    payload,
    timestamp,
  }
}

function adjustEvent(context: Context): object {
  const { params, journal, now } = context
  const cancel = params['cancel'] as { identifier?: string } | undefined
  const identifier = cancel?.identifier ?? ''
  const event = journal.get(`meter/${identifier}`) as MeterEvent | undefined
  if (params['type'] !== 'cancel') throw badParameter('Invalid type', 'type')
  if (event === undefined || event.eventName !== params['event_name']) {
    throw badState(`No meter event found with identifier ${identifier}`, 'resource_missing')
  }
  if (now - event.received >= DAY_SECONDS)
    throw badState('Meter events can be cancelled within 24 hours only')
  journal.delete(`metered/${identifier}/${event.received}`)
  return {
    object: 'billing.meter_event_adjustment',
    cancel: { identifier },
    event_name: event.eventName,
    livemode: false,
    status: 'pending',
    type: 'cancel',
  }
}

function summarise(context: Context): object {
  const { params, objects, journal } = context
  const meter = objects.get('billing.meter', context.id)
  const start = numberOf(params, 'start_time') ?? 0
  const end = numberOf(params, 'end_time') ?? 0
  if (start % 60 !== 0 || end % 60 !== 0) {
    throw badParameter('start_time and end_time must align with minute boundaries', 'start_time')
  }
  const window = { hour: 3600, day: DAY_SECONDS }[String(params['value_grouping_window'])] ?? end - start
  const events = [...journal.entries()]
    .filter(([key]) => key.startsWith('metered/'))
    .map(([, event]) => event as MeterEvent)
    .filter((event) => event.eventName === meter['event_name'] && event.customer === params['customer'])
  const formula = String((meter['default_aggregation'] as { formula?: string }).formula ?? 'sum')
  const data: StripeObject[] = []
  for (let from = start; from < end && window > 0; from += window) {
    const inside = events.filter(
      ({ timestamp }) => timestamp >= from && timestamp < Math.min(from + window, end),
    )
    if (inside.length === 0) continue
    data.unshift({
      id: `mtrusg_${context.id}_${from}`,
      object: 'billing.meter_event_summary',
      aggregated_value: aggregate(formula, inside),
      end_time: Math.min(from + window, end),
      livemode: false,
      meter: meter.id,
      start_time: from,
    })
  }
  return { object: 'list', url: `/v1/billing/meters/${meter.id}/event_summaries`, has_more: false, data }
}

function aggregate(formula: string, events: readonly MeterEvent[]): number {
  if (formula === 'count') return events.length
  if (formula === 'last') return [...events].sort((a, b) => a.timestamp - b.timestamp).at(-1)?.value ?? 0
  return events.reduce((sum, event) => sum + event.value, 0)
}
