import { type Branded, base62, type Ids, parseTenantId, type TenantId } from '#shared/ids.ts'
import { ok, type Result, refuse } from '#shared/result.ts'

/** `cid_{tenantId}_{16 base62}`: the tenant is read from the id, so finding a client is one read. */
export type ClientId = Branded<'ClientId'>

const SUFFIX_LENGTH = 16
const CLIENT_ID = /^cid_([a-z][a-z0-9-]{1,38}[a-z0-9])_([0-9A-Za-z]{16})$/

/** A new id in a tenant. It cannot equal a user's subject, which starts with `usr_` (RFC 9700 §4.15). */
export function newClientId(ids: Ids, tenantId: TenantId): ClientId {
  return `cid_${tenantId}_${base62(ids, SUFFIX_LENGTH)}` as ClientId
}

/** Takes a client id byte for byte and says whose it is; whatever else is answered as an unknown client. */
export function parseClientId(value: unknown): Result<{ clientId: ClientId; tenantId: TenantId }> {
  const match = typeof value === 'string' ? CLIENT_ID.exec(value) : null
  const tenantId = parseTenantId(match?.[1])
  if (match === null || !tenantId.ok) return refuse('client.invalid', 'not a client id')
  return ok({ clientId: match[0] as ClientId, tenantId: tenantId.value })
}
