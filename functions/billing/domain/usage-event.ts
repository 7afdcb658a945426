import { hash } from 'node:crypto'
import { z } from 'zod'
import { METERS, type Meter, type MeterId } from '#shared/catalogue/meters.ts'
import { type CloudEvent, parseCloudEvent, subjectOf } from '#shared/contracts/cloud-event.ts'
import { canonicalJson, parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { decimal, findDecimal, type Rational, rational } from './rational.ts'

/**
 * Who said it: `collector` for the platform's own, which publish on the topic, `tenant` for what came
 * through the API, where tenants report for themselves. It is no part of an event's identity.
 */
export const PRODUCERS = ['collector', 'tenant'] as const
export type Producer = (typeof PRODUCERS)[number]

/** One measured fact, checked, with what identifies it and all that any answer is made from. */
export type CountedEvent = {
  readonly producer: Producer
  readonly meter: MeterId
  readonly source: string
  readonly id: string
  /** When it happened, in milliseconds. */
  readonly timeMs: number
  /** The measured quantity in the meter's unit; undefined where the event itself is what counts. */
  readonly value: Rational | undefined
  readonly resource: string | undefined
  readonly dimensions: Readonly<Record<string, string>>
  /** Hex SHA-256 of source, NUL and id: what makes two events the same. */
  readonly key: string
  /** Hex SHA-256 of what the event says; the same key with another digest is a conflict. */
  readonly digest: string
  /** Whether it counts for nothing: a run that the platform failed, on the word of a collector. */
  readonly free: boolean
}

export type UsageEvent = CountedEvent & {
  /** The event as it came, kept in the ledger with all its extra members. */
  readonly raw: Readonly<Record<string, unknown>>
}

export type UsageRules = {
  /** The tenant the event must be about. */
  readonly tenantId: string
  readonly nowMs: number
  /** How far back an event may lie, in milliseconds. */
  readonly maxAgeMs: number
  /**
   * Who says it. A collector alone may correct sums by negative quantities, and say that a run failed
   * because of the platform.
   */
  readonly producer: Producer
}

const DAY_MS = 24 * 3_600_000
/** How old usage may be when a tenant sends it. */
export const MAX_AGE_MS = 35 * DAY_MS
/** Usage taken at the API waits in Pub/Sub, or among the dead letters, before it is applied. */
export const MAX_AGE_WHEN_APPLIED_MS = MAX_AGE_MS + 31 * DAY_MS
const MAX_AHEAD_MS = 5 * 60_000
/** A batch document holds many events; CloudEvents 1.0 asks carriers for no more than this. */
const MOST_BYTES = 64 * 1024

/** No control characters: a NUL cuts texts short in half of the world's tools. */
const text = (least: number, most: number) =>
  z
    .string()
    .min(least)
    .max(most)
    .regex(/^\P{Cc}*$/u, 'must not hold control characters')

const parseUsage = parser(
  z.looseObject({
    source: z.string().regex(/^[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]{1,200}$/, 'must be a URI reference'),
    data: z.looseObject({
      tenantId: z.string().optional(),
      value: z.union([z.string(), z.number()]).optional(),
      mode: z.enum(['level', 'delta']).optional(),
      dimensions: z.record(z.string().regex(/^[a-z][a-z0-9_]{0,31}$/), text(0, 64)).optional(),
      resource: text(1, 200).optional(),
    }),
  }),
  'event.malformed',
)

const USAGE_TYPE = /^ai\.energent\.usage\.([a-z0-9_]+)\.v1$/
const VALUE = /^-?\d{1,15}(?:\.(\d+))?$/

/** Checks one usage event as it came from outside: the envelope first, then what it says. */
export function parseUsageEvent(raw: unknown, rules: UsageRules): Result<UsageEvent> {
  const envelope = parseCloudEvent(raw)
  return envelope.ok ? checkUsageEvent(envelope.value, rules) : envelope
}

/** Checks what a CloudEvent says, and whether it may be so old or so new. */
export function checkUsageEvent(
  envelope: CloudEvent<Record<string, unknown>>,
  rules: UsageRules,
): Result<UsageEvent> {
  const event = checkUsageContent(envelope, rules)
  if (!event.ok) return event
  const fault = faultInTime(event.value, rules)
  return fault === undefined ? event : malformed(fault)
}

/** What is wrong with the time of an event for somebody whose clock says `nowMs`: others may see it otherwise. */
export function faultInTime(
  event: Pick<CountedEvent, 'timeMs'>,
  rules: Pick<UsageRules, 'nowMs' | 'maxAgeMs'>,
): string | undefined {
  if (event.timeMs > rules.nowMs + MAX_AHEAD_MS) return 'time: lies more than 5 minutes ahead'
  return event.timeMs < rules.nowMs - rules.maxAgeMs ? 'time: lies too far back' : undefined
}

/**
 * Checks what a CloudEvent says against the usage contract and its meter (billing.md §2, §3). The same
 * event gets the same verdict whenever and by whomever it is checked.
 *
 * An event about another tenant is refused as any malformed one is: the answer does not depend on
 * whether that tenant exists.
 */
export function checkUsageContent(
  envelope: CloudEvent<Record<string, unknown>>,
  rules: Pick<UsageRules, 'tenantId' | 'producer'>,
): Result<UsageEvent> {
  const own = subjectOf(rules.tenantId)
  if (envelope.subject !== own || ![undefined, rules.tenantId].includes(envelope.tenantid)) {
    return malformed(`subject: must be ${own}`)
  }
  if (!isStorable(envelope)) return malformed(`must be at most ${MOST_BYTES / 1024} KiB of finite JSON`)
  const shape = parseUsage(envelope)
  if (!shape.ok) return shape
  const event = { ...envelope, ...shape.value }
  if (![undefined, rules.tenantId].includes(event.data.tenantId)) return malformed(`subject: must be ${own}`)
  const meter = USAGE_TYPE.exec(event.type)?.[1]
  if (isCorrection(event)) {
    const fault = 'type: only the platform corrects usage'
    return refuse('usage.collector_only', fault, fault)
  }
  if (!isMeterId(meter)) return refuse('event.unknown_type', 'type: names no meter', 'type: names no meter')
  const timeMs = Date.parse(event.time)
  if (!Number.isFinite(timeMs)) return malformed('time: is no instant')
  const value = parseQuantity(METERS[meter], event.data, rules.producer === 'collector')
  if (!value.ok) return value
  const dimensions = event.data.dimensions ?? {}
  const unknown = Object.keys(dimensions).find(
    (key) => !(METERS[meter].dimensions as readonly string[]).includes(key),
  )
  if (unknown !== undefined)
    return malformed(
      `data.dimensions: ${meter} has no dimension ${unknown}`,
      'data.dimensions: an unknown one',
    )
  if (METERS[meter].needsResource && event.data.resource === undefined)
    return malformed('data.resource: is required')
  if (rules.producer === 'tenant' && isPlatformError(dimensions)) {
    const fault = `data.dimensions.outcome: only the platform reports ${PLATFORM_ERROR}`
    return refuse('usage.collector_only', fault, fault)
  }
  return ok(usageEventOf(event, meter, timeMs, value.value, rules.producer))
}

/** The types that change what another event says. */
export const VOID_TYPE = 'ai.energent.usage.void.v1'
export const REPLACE_TYPE = 'ai.energent.usage.replace.v1'

/** Whether an event is about another one, and measures nothing itself. */
export function isCorrection({ type }: { readonly type: string }): boolean {
  return type === VOID_TYPE || type === REPLACE_TYPE
}

/** An event read back from our own ledger, where it was put after it had been checked. */
export function restoreUsageEvent(raw: unknown, producer: Producer): UsageEvent {
  const event = raw as StoredEvent
  const meter = USAGE_TYPE.exec(event.type)?.[1]
  if (!isMeterId(meter)) throw new TypeError(`the ledger holds an event of type ${event.type}`)
  const { value } = event.data
  const quantity = value === undefined ? undefined : decimal(String(value))
  return usageEventOf(event, meter, Date.parse(event.time), quantity, producer)
}

type StoredEvent = {
  readonly id: string
  readonly source: string
  readonly type: string
  readonly subject: string
  readonly time: string
  readonly data: {
    readonly value?: string | number | undefined
    readonly resource?: string | undefined
    readonly dimensions?: Record<string, string> | undefined
  }
}

function usageEventOf(
  event: StoredEvent,
  meter: MeterId,
  timeMs: number,
  value: Rational | undefined,
  producer: Producer,
): UsageEvent {
  const said = { type: event.type, subject: event.subject, time: timeMs, data: event.data }
  const dimensions = event.data.dimensions ?? {}
  return {
    producer,
    meter,
    source: event.source,
    id: event.id,
    timeMs,
    value,
    resource: event.data.resource,
    dimensions,
    key: eventKey(event.source, event.id),
    digest: sha256(canonicalJson(said)),
    free: isFree(producer, dimensions),
    raw: event,
  }
}

const PLATFORM_ERROR = 'platform_error'

/** Whether a run counts for nothing: on the word of a collector that the platform failed it. */
export function isFree(producer: Producer, dimensions: Readonly<Record<string, string>>): boolean {
  return producer === 'collector' && isPlatformError(dimensions)
}

function isPlatformError(dimensions: Readonly<Record<string, string>>): boolean {
  return dimensions['outcome'] === PLATFORM_ERROR
}

/** Hex SHA-256 of source, NUL and id. */
export function eventKey(source: string, id: string): string {
  return sha256(`${source}\0${id}`)
}

/** Members nobody knows are kept, so they too must be what JSON can say: `1e400` parses to infinity. */
function isStorable(event: unknown): boolean {
  try {
    return Buffer.byteLength(canonicalJson(event)) <= MOST_BYTES
  } catch {
    return false
  }
}

/** The quantity that an event of a meter states; negative ones only as `corrections` of sums. */
export function parseQuantity(
  meter: Meter,
  data: { value?: string | number | undefined; mode?: 'level' | 'delta' | undefined },
  corrections: boolean,
): Result<Rational | undefined> {
  const gauge = meter.aggregation === 'level_hours' || meter.aggregation === 'max'
  if (data.mode !== undefined && !gauge) return malformed('data.mode: is for gauges only')
  if (data.mode === 'delta') return malformed('data.mode: this meter takes levels, not deltas')
  if (data.value === undefined) {
    return meter.aggregation === 'count' || meter.aggregation === 'unique_count'
      ? ok(undefined)
      : malformed('data.value: is required')
  }
  const value = readValue(data.value, meter.scale)
  if (value === undefined) {
    return malformed(`data.value: must be a decimal string with at most 15 digits and ${meter.scale} places`)
  }
  // A tenant that may send negative usage writes its own credit notes.
  if (value.n < 0n && !(corrections && meter.aggregation === 'sum'))
    return malformed('data.value: must not be negative')
  return ok(value)
}

function readValue(value: string | number, scale: number): Rational | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? rational(BigInt(value)) : undefined
  const parts = VALUE.exec(value)
  if (parts === null || (parts[1] ?? '').length > scale) return undefined
  return findDecimal(value)
}

function isMeterId(name: string | undefined): name is MeterId {
  return name !== undefined && Object.hasOwn(METERS, name)
}

function malformed(fault: string, detail = fault): Result<never> {
  return refuse('event.malformed', detail, fault)
}

/** Hex SHA-256 of a text. */
export function sha256(value: string): string {
  return hash('sha256', value, 'hex')
}
