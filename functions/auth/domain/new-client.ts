import { z } from 'zod'
import type { Scope } from '#shared/catalogue/scopes.ts'
import { TIER_LIMITS } from '#shared/catalogue/tiers.ts'
import { parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { ACCESS_BY_STATE } from '#shared/tokens/tenant-access.ts'
import { type Client, GRANTS, type Grant } from './client.ts'
import { isScope } from './scope.ts'
import type { TenantAuthState } from './tenant-state.ts'

/** What a caller wants of a new client. */
export type NewClient = {
  readonly name: string | undefined
  readonly scopes: readonly Scope[]
  readonly grants: readonly Grant[]
}

/** A client as it is shown: everything but its secrets. */
export type ClientView = {
  readonly clientId: string
  readonly tenantId: string
  readonly name: string
  readonly scopes: readonly string[]
  readonly grants: readonly string[]
  readonly createdAt: string
}

const parseBody = parser(
  z.strictObject({
    name: z
      .string()
      .regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{1,100}$/u, 'must be 1 to 100 printable characters')
      .optional(),
    scopes: z.array(z.string()).min(1).max(64),
    grants: z.array(z.enum(GRANTS)).min(1).max(GRANTS.length).optional(),
  }),
)

/** Reads the body of a request for a client. A scope nobody has is `scope.invalid`, as at the token endpoint. */
export function parseNewClient(raw: unknown): Result<NewClient> {
  const body = parseBody(raw)
  if (!body.ok) return body
  const scopes = [...new Set(body.value.scopes)].sort()
  const known = scopes.filter(isScope)
  if (known.length !== scopes.length) {
    return refuse('scope.invalid', 'unknown scope', 'A scope is not known.')
  }
  return ok({ name: body.value.name, scopes: known, grants: body.value.grants ?? ['client_credentials'] })
}

/**
 * Whether a tenant in this state may have one client more.
 *
 * A tenant that auth has not heard of is a tenant that does not exist; so is one that is not yet, or
 * no longer, anybody's.
 */
export function checkRoomForClient(
  state: TenantAuthState | undefined,
  clientCount: number,
): Result<TenantAuthState> {
  if (state === undefined) return refuse('resource.not_found', 'auth knows no such tenant')
  if (ACCESS_BY_STATE[state.status].kind === 'none') {
    return refuse('tenant.state_conflict', `tenant is ${state.status}`, 'The tenant is not active.')
  }
  const { maxClients } = TIER_LIMITS[state.tier]
  if (clientCount >= maxClients) {
    return refuse(
      'client.limit_reached',
      `${clientCount} of ${maxClients}`,
      `The tier allows ${maxClients} clients.`,
    )
  }
  return ok(state)
}

export function viewOf(client: Client): ClientView {
  return {
    clientId: client.clientId,
    tenantId: client.tenantId,
    name: client.name,
    scopes: client.scopes,
    grants: client.grants,
    createdAt: new Date(client.createdAt).toISOString(),
  }
}
