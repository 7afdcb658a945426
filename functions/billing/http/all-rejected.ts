import type { ApiReply } from '#shared/http/types.ts'
import { REFUSALS } from '#shared/refusals.ts'
import type { Rejection } from '../operations/record-usage.ts'

/** A problem that says of each event what is wrong with it. */
export function allRejected(rejected: readonly Rejection[], requestId: string): ApiReply {
  const { title } = REFUSALS['event.malformed']
  return {
    status: 400,
    headers: { 'content-type': 'application/problem+json' },
    json: {
      type: 'urn:energent:error:event.malformed',
      title,
      status: 400,
      code: 'event.malformed',
      detail: 'No event was accepted.',
      requestId,
      accepted: 0,
      rejected,
    },
  }
}
