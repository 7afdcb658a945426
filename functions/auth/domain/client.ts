import { z } from 'zod'
import type { Scope } from '#shared/catalogue/scopes.ts'
import type { TenantId } from '#shared/ids.ts'
import { parser } from '#shared/json.ts'
import { type ClientId, parseClientId } from './client-id.ts'
import type { StoredSecret } from './client-secret.ts'
import { isScope } from './scope.ts'

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'

/** The grants of the token endpoint; there is no password and no implicit one (RFC 9700 §2.4, §2.1.2). */
export const GRANTS = ['client_credentials', 'authorization_code', 'refresh_token', TOKEN_EXCHANGE] as const
export type Grant = (typeof GRANTS)[number]

/** How a client proves itself; `none` is a public client, which PKCE and its redirect URIs stand for. */
export const AUTH_METHODS = ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'] as const
export type AuthMethod = (typeof AUTH_METHODS)[number]

/** A public key of a client, as it was admitted. */
export type ClientJwk = Readonly<Record<string, unknown>>

/** An application that may ask for tokens, as stored in `auth_clients/{clientId}`. */
export type Client = {
  readonly clientId: ClientId
  readonly tenantId: TenantId
  readonly name: string
  readonly status: 'active' | 'disabled'
  readonly authMethod: AuthMethod
  /** The keys of `private_key_jwt`: here or where they are published, never both. */
  readonly jwks: { readonly keys: readonly ClientJwk[] } | null
  readonly jwksUri: string | null
  readonly grants: readonly Grant[]
  readonly scopes: readonly Scope[]
  readonly roles: readonly string[]
  readonly secrets: readonly StoredSecret[]
  /** Where a code may be sent: compared byte for byte, but for the port of a loopback address. */
  readonly redirectUris: readonly string[]
  readonly postLogoutRedirectUris: readonly string[]
  /** Whether its tokens must be bound to a key (RFC 9449 §5.2). */
  readonly dpopRequired: boolean
  /**
   * The person who answers for it, or null for a client that an operator made in a tenant. Two clients
   * of one person are one person where two are needed.
   */
  readonly ownerUserId: string | null
  /** Tokens issued at or before this second are refused. */
  readonly notBefore: number
  /** Rises by one with each change; the ETag. */
  readonly revision: number
  readonly createdAt: number
}

const clientId = z.string().transform((value, context): ClientId => {
  const parsed = parseClientId(value)
  if (parsed.ok) return parsed.value.clientId
  context.addIssue({ code: 'custom', message: 'not a client id' })
  return z.NEVER
})

/**
 * Reads a stored client. A scope that the catalogue no longer has is gone, not an error; what clients
 * of earlier versions do not have stands for what they could do.
 */
export const parseClient = parser<Client>(
  z.object({
    clientId,
    tenantId: z.string().transform((value) => value as TenantId),
    name: z.string(),
    status: z.enum(['active', 'disabled']),
    authMethod: z.enum(AUTH_METHODS).default('client_secret_basic'),
    jwks: z
      .object({ keys: z.array(z.record(z.string(), z.unknown())) })
      .nullable()
      .default(null),
    jwksUri: z.string().nullable().default(null),
    grants: z.array(z.enum(GRANTS)),
    scopes: z.array(z.string()).transform((scopes) => scopes.filter(isScope)),
    roles: z.array(z.string()),
    secrets: z.array(
      z.object({
        id: z.string(),
        hmac: z.string(),
        pepperVersion: z.number().int(),
        createdAt: z.number().int().default(0),
        expiresAt: z.number().int().nullable(),
      }),
    ),
    redirectUris: z.array(z.string()).default([]),
    postLogoutRedirectUris: z.array(z.string()).default([]),
    dpopRequired: z.boolean().default(false),
    ownerUserId: z.string().nullable(),
    notBefore: z.number().int(),
    revision: z.number().int().default(1),
    createdAt: z.number().int(),
  }),
)

/** What a new client is but for who it is and what it may: a machine with a secret. */
export const MACHINE = {
  status: 'active',
  authMethod: 'client_secret_basic',
  jwks: null,
  jwksUri: null,
  redirectUris: [],
  postLogoutRedirectUris: [],
  dpopRequired: false,
  notBefore: 0,
  revision: 1,
} as const satisfies Partial<Client>
