import {
  CLOUD_EVENT_BATCH_TYPE,
  CLOUD_EVENT_TYPE,
  type CloudEvent,
  parseCloudEvent,
  subjectOf,
} from '../contracts/cloud-event.ts'
import { parseTenantId } from '../ids.ts'
import { asRecord } from '../json.ts'
import { ok, type Result, refuse } from '../result.ts'
import { prove, type VerifiedEvent } from '../tenancy/proofs.ts'

const CONTENT_TYPES = new Set([CLOUD_EVENT_TYPE, CLOUD_EVENT_BATCH_TYPE, 'application/json'])

export type Verified = {
  readonly event: CloudEvent<Record<string, unknown>>
  readonly proof: VerifiedEvent
}

/**
 * Proves which tenant an event is about: `subject`, `tenantid` and `data.tenantId` must agree, and so
 * must the message's attributes. Only for events whose pusher and subscription were checked before.
 *
 * A message does not say who published it; a disagreement is treated as an attack, not a slip.
 */
export function verifyEvent(raw: unknown, attributes: Readonly<Record<string, string>>): Result<Verified> {
  const parsed = parseCloudEvent(raw)
  if (!parsed.ok) return parsed
  const event = parsed.value
  const tenantId = parseTenantId(event.subject.startsWith('tenants/') ? event.subject.slice(8) : undefined)
  if (!tenantId.ok) return refuse('event.malformed', 'subject is not tenants/{tenantId}')
  const named = [event.tenantid, asRecord(event.data)?.['tenantId'], attributes['tenantid']]
  const other = named.find((name) => name !== undefined && name !== tenantId.value)
  if (other !== undefined) return refuse('event.tenant_mismatch', `not all name ${subjectOf(tenantId.value)}`)
  const contentType = attributes['content-type']
  if (contentType !== undefined && !CONTENT_TYPES.has(contentType)) {
    return refuse('event.malformed', 'attribute content-type is not that of an event')
  }
  if (attributes['type'] !== undefined && attributes['type'] !== event.type) {
    return refuse('event.malformed', 'attribute type differs from the event')
  }
  return ok({ event, proof: prove.event({ tenantId: tenantId.value, eventId: event.id, type: event.type }) })
}
