import { z } from 'zod'
import type { Scope } from '#shared/catalogue/scopes.ts'
import type { TenantId } from '#shared/ids.ts'
import { parser } from '#shared/json.ts'
import { type ClientId, parseClientId } from './client-id.ts'
import type { StoredSecret } from './client-secret.ts'
import { isScope } from './scope.ts'

export const GRANTS = ['client_credentials'] as const
export type Grant = (typeof GRANTS)[number]

/** A machine that may ask for tokens, as stored in `auth_clients/{clientId}`. */
export type Client = {
  readonly clientId: ClientId
  readonly tenantId: TenantId
  readonly name: string
  readonly status: 'active' | 'disabled'
  readonly grants: readonly Grant[]
  readonly scopes: readonly Scope[]
  readonly roles: readonly string[]
  readonly secrets: readonly StoredSecret[]
  /**
   * The person who answers for it, or null for a client that an operator made in a tenant. Two clients
   * of one person are one person where two are needed.
   */
  readonly ownerUserId: string | null
  /** Tokens issued at or before this second are refused. */
  readonly notBefore: number
  readonly createdAt: number
}

const clientId = z.string().transform((value, context): ClientId => {
  const parsed = parseClientId(value)
  if (parsed.ok) return parsed.value.clientId
  context.addIssue({ code: 'custom', message: 'not a client id' })
  return z.NEVER
})

/** Reads a stored client. A scope that the catalogue no longer has is gone, not an error. */
export const parseClient = parser<Client>(
  z.object({
    clientId,
    tenantId: z.string().transform((value) => value as TenantId),
    name: z.string(),
    status: z.enum(['active', 'disabled']),
    grants: z.array(z.enum(GRANTS)),
    scopes: z.array(z.string()).transform((scopes) => scopes.filter(isScope)),
    roles: z.array(z.string()),
    secrets: z.array(
      z.object({
        id: z.string(),
        hmac: z.string(),
        pepperVersion: z.number().int(),
        expiresAt: z.number().int().nullable(),
      }),
    ),
    ownerUserId: z.string().nullable(),
    notBefore: z.number().int(),
    createdAt: z.number().int(),
  }),
)
