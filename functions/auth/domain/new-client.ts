import { z } from 'zod'
import { TENANT_ROLE_NAMES, type TenantRole } from '#shared/catalogue/scopes.ts'
import { TIER_LIMITS } from '#shared/catalogue/tiers.ts'
import { parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { ACCESS_BY_STATE } from '#shared/tokens/tenant-access.ts'
import { type Client, MACHINE } from './client.ts'
import {
  authMethodMember,
  type ClientSettings,
  checkSettings,
  parseScopes,
  SETTINGS_MEMBERS,
  usualGrants,
} from './client-settings.ts'
import type { TenantAuthState } from './tenant-state.ts'

/** What a caller wants of a new client; whatever is left out is as in `MACHINE`. */
export type NewClient = {
  readonly name: string | undefined
  /** Which of its tenant's people it stands for where a role counts: they give it no scope. */
  readonly roles?: readonly TenantRole[]
} & Pick<ClientSettings, 'scopes' | 'grants'> &
  Partial<Omit<ClientSettings, 'name' | 'status' | 'scopes' | 'grants'>>

const { name, scopes, ...others } = SETTINGS_MEMBERS
const parseBody = parser(
  z.strictObject({
    name: name.optional(),
    scopes,
    authMethod: authMethodMember.default('client_secret_basic'),
    roles: z.array(z.enum(TENANT_ROLE_NAMES)).max(TENANT_ROLE_NAMES.length).optional(),
    ...z.object(others).partial().shape,
  }),
)

/** Reads the body of a request for a client. */
export function parseNewClient(raw: unknown): Result<NewClient> {
  const body = parseBody(raw)
  if (!body.ok) return body
  const { authMethod } = body.value
  const known = parseScopes(body.value.scopes)
  if (!known.ok) return known
  const given = Object.fromEntries(Object.entries(body.value).filter(([, value]) => value !== undefined))
  const grants = [...new Set(body.value.grants ?? usualGrants(authMethod))]
  const wanted: NewClient = { ...given, name: body.value.name, authMethod, scopes: known.value, grants }
  const settings = checkSettings(settingsOf(wanted, 'name'))
  return settings.ok ? ok(wanted) : settings
}

/** The settings of a client that is made as `wanted`. */
export function settingsOf(wanted: NewClient, usualName: string): ClientSettings {
  return { ...MACHINE, ...wanted, name: wanted.name ?? usualName, status: 'active' }
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

/** A client as it is shown: everything but what its secrets are. */
export type ClientView = ReturnType<typeof viewOf>

export function viewOf(client: Client) {
  const { clientId, tenantId, revision, secrets, createdAt } = client
  const { name, status, authMethod, jwks, jwksUri, grants, roles, scopes } = client
  const { redirectUris, postLogoutRedirectUris, dpopRequired } = client
  return {
    ...{ clientId, tenantId, name, status, authMethod, scopes, roles, grants },
    ...{ redirectUris, postLogoutRedirectUris, dpopRequired },
    ...(jwks === null ? {} : { jwks }),
    ...(jwksUri === null ? {} : { jwksUri }),
    secrets: secrets.map((secret) => ({
      secretId: secret.id,
      createdAt: new Date(secret.createdAt).toISOString(),
      expiresAt: secret.expiresAt === null ? null : new Date(secret.expiresAt).toISOString(),
    })),
    revision,
    createdAt: new Date(createdAt).toISOString(),
  }
}
