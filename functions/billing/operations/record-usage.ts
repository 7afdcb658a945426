import { CLOUD_EVENT_BATCH_TYPE, CLOUD_EVENT_TYPE } from '#shared/contracts/cloud-event.ts'
import { checkJson } from '#shared/json.ts'
import type { RefusalCode } from '#shared/refusals.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { Trace } from '#shared/trace.ts'
import { deduplicate } from '../domain/deduplicate.ts'
import { batchIdOf } from '../domain/usage-batch.ts'
import { MAX_AGE_MS, parseUsageEvent, type UsageEvent } from '../domain/usage-event.ts'
import type { BillingDeps } from '../ports.ts'
import { parseUsageJson } from './parse-usage-json.ts'

const MOST_EVENTS = 500

export type Rejection = { readonly index: number; readonly code: RefusalCode; readonly detail: string }

export type RecordedUsage = {
  /** How many elements were taken; copies of one event are taken too, and count once. */
  readonly accepted: number
  readonly rejected: readonly Rejection[]
  /** Null when nothing was taken. */
  readonly batchId: string | null
}

/**
 * Takes usage reported by a tenant: checks every event alone, and answers once one message with all
 * good ones is durable. A bad event never takes its neighbours with it, and sending the same events
 * again changes nothing.
 */
export async function recordUsage(
  deps: Pick<BillingDeps, 'queue'>,
  request: {
    readonly tenantId: string
    readonly body: Uint8Array
    readonly contentType: string | undefined
    readonly nowMs: number
    readonly trace: Trace
  },
): Promise<Result<RecordedUsage>> {
  const elements = parseElements(request.body, request.contentType)
  if (!elements.ok) return elements
  const { tenantId, nowMs } = request
  const rules = { tenantId, nowMs, maxAgeMs: MAX_AGE_MS, producer: 'tenant' as const }
  const rejected: Rejection[] = []
  const parsed: { index: number; event: UsageEvent }[] = []
  elements.value.forEach((raw, index) => {
    const event = parseUsageEvent(raw, rules)
    if (event.ok) parsed.push({ index, event: event.value })
    else rejected.push({ index, code: event.code, detail: event.hint ?? 'is not accepted' })
  })
  const { events } = deduplicate(parsed.map(({ event }) => event))
  const kept = new Set(events.map((event) => event.key + event.digest))
  for (const { index, event } of parsed) {
    if (kept.has(event.key + event.digest)) continue
    rejected.push({ index, code: 'usage.conflict', detail: 'id: another event of this request has it too' })
  }
  rejected.sort((left, right) => left.index - right.index)
  const accepted = elements.value.length - rejected.length
  if (accepted === 0) return ok({ accepted, rejected, batchId: null })
  await deps.queue.publish(tenantId, events, request.trace)
  return ok({ accepted, rejected, batchId: batchIdOf(events) })
}

/** The media type says whether one event or an array must come; plain JSON may be either. */
function parseElements(body: Uint8Array, contentType: string | undefined): Result<readonly unknown[]> {
  const parsed = parseUsageJson(body)
  const json = parsed.ok ? checkJson(parsed.value) : parsed
  if (!json.ok) return json
  const mediaType = contentType?.split(';', 1)[0]?.trim().toLowerCase()
  const isArray = Array.isArray(json.value)
  if ((mediaType === CLOUD_EVENT_TYPE && isArray) || (mediaType === CLOUD_EVENT_BATCH_TYPE && !isArray)) {
    const hint = `With ${mediaType} the body must be ${isArray ? 'one event' : 'an array of events'}.`
    return refuse('request.malformed', hint, hint)
  }
  const elements: readonly unknown[] = Array.isArray(json.value) ? json.value : [json.value]
  if (elements.length === 0) return refuse('request.malformed', 'no events', 'Send at least one event.')
  if (elements.length > MOST_EVENTS) {
    return refuse(
      'request.too_large',
      `${elements.length} events`,
      `Send at most ${MOST_EVENTS} events at once.`,
    )
  }
  return ok(elements)
}
