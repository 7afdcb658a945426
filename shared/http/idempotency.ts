import { type Claim, requestClaim } from '../firestore/claim.ts'
import { digestOf } from '../json.ts'
import { ok, type Result, refuse } from '../result.ts'
import type { TenantRequest } from './types.ts'

/** Visible ASCII, as the API spec has it. */
const KEY = /^[\x21-\x7E]{1,255}$/

/**
 * The claim of a request that carries `Idempotency-Key`; none without one.
 *
 * It belongs to who asks, the route and the tenant in its path, and is kept for a day. `content` is
 * what the caller asked for, parsed: the same key with other content is refused when the claim meets
 * the commit of the effect. Refuses a key that is none.
 */
export function claimOf(
  request: Pick<TenantRequest, 'header' | 'operationId' | 'params' | 'token'>,
  content: unknown,
): Result<Claim | undefined> {
  const key = request.header('idempotency-key')
  if (key === undefined) return ok(undefined)
  if (!KEY.test(key)) {
    const hint = 'Idempotency-Key is 1 to 255 visible ASCII characters.'
    return refuse('request.malformed', 'idempotency key', hint)
  }
  const { operationId, params, token } = request
  const route = params['tenantId'] === undefined ? operationId : `${operationId}/${params['tenantId']}`
  return ok(requestClaim(token.claims.subject, route, key, digestOf(content)))
}
