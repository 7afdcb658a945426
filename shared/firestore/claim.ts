import { hashedId } from '../ids.ts'

/**
 * What makes an effect happen once: a document created in the same commit as the effect.
 *
 * `digest` is over the content, so that the same id with other content is noticed.
 */
export type Claim = {
  readonly id: string
  readonly kind: 'event' | 'request'
  readonly digest: string
  readonly keepMs: number
}

const DAY_MS = 24 * 3_600_000

/** The claim of an event: its source and id, never the transport's message id (contracts §2). */
export function eventClaim(event: { readonly source: string; readonly id: string }, digest: string): Claim {
  return { id: hashedId(event.source, event.id), kind: 'event', digest, keepMs: 30 * DAY_MS }
}

/** The claim of a request that carries `Idempotency-Key`: kept a day under subject, route and key. */
export function requestClaim(subject: string, operationId: string, key: string, digest: string): Claim {
  return { id: hashedId('request', subject, operationId, key), kind: 'request', digest, keepMs: DAY_MS }
}
