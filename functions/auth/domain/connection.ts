import { z } from 'zod'
import { type Branded, type Ids, isDocumentId } from '#shared/ids.ts'
import { parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { Sealed } from './personal-data.ts'

/** `con_[a-z0-9]{4,32}`: unique within its tenant, and part of its callback address. */
export type ConnectionId = Branded<'ConnectionId'>

const CONNECTION_ID = /^con_[a-z0-9]{4,32}$/
const ALPHABET = '0123456789abcdefghijklmnopqrstuv'

/**
 * Algorithms an ID token may be signed with: asymmetric ones alone. The names are those of RFC 7518,
 * 8037 and 9864.
 */
export const ID_TOKEN_ALGS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const
export type IdTokenAlg = (typeof ID_TOKEN_ALGS)[number]

/** What the provider's discovery document says, as far as we use it. */
export type IdpMetadata = {
  readonly issuer: string
  readonly authorizationEndpoint: string
  readonly tokenEndpoint: string
  readonly jwksUri: string
  readonly userinfoEndpoint: string | null
  readonly signingAlgs: readonly IdTokenAlg[]
  readonly tokenAuthMethods: readonly string[]
  /** Whether its answers say who sends them (RFC 9207); then one without is refused. */
  readonly answersNameIssuer: boolean
  /** When it was read, in milliseconds. */
  readonly readAt: number
}

/** Which claims say what; names of members of the ID token or of userinfo. */
export type ClaimMap = { readonly email: string; readonly name: string; readonly groups: string }

export type GroupRole = { readonly group: string; readonly role: string }

/** One identity provider of a tenant, as stored in `auth_connections/{connectionId}`. */
export type Connection = {
  readonly connectionId: ConnectionId
  /**
   * What was deleted is kept without its secret: another connection under the same id would be another
   * provider, and its subjects would be taken for the people of the first.
   */
  readonly status: 'active' | 'disabled' | 'deleted'
  readonly issuer: string
  readonly clientId: string
  /** Sealed with the tenant's data key; null for a public client, which PKCE alone protects. */
  readonly clientSecretSealed: Sealed | null
  readonly metadata: IdpMetadata
  readonly algs: readonly IdTokenAlg[]
  readonly scopes: readonly string[]
  readonly claimMap: ClaimMap
  /** Groups of the provider and the roles they give: never `owner`, never one of the platform. */
  readonly groupRoles: readonly GroupRole[]
  /** Roles of everybody who comes through it. */
  readonly defaultRoles: readonly string[]
  /** Whether people nobody invited or provisioned may come in. */
  readonly admits: 'everyone' | 'invited'
  /** The organisation at a provider that serves many: `tid` of Microsoft, `hd` of Google. */
  readonly tid: string | null
  readonly hd: string | null
  /** Proven domains whose people sign in here. */
  readonly domains: readonly string[]
  /** Rises by one with each change; the ETag. */
  readonly revision: number
  readonly createdAt: number
  readonly updatedAt: number
}

export function parseConnectionId(value: unknown): Result<ConnectionId> {
  if (typeof value === 'string' && CONNECTION_ID.test(value)) return ok(value as ConnectionId)
  return refuse('resource.not_found', 'not a connection id')
}

export function newConnectionId(ids: Pick<Ids, 'bytes'>): ConnectionId {
  const suffix = [...ids.bytes(20)].map((byte) => ALPHABET.charAt(byte & 31)).join('')
  return `con_${suffix}` as ConnectionId
}

const text = z.string()
const alg = z.enum(ID_TOKEN_ALGS)

/** Reads a stored connection. */
export const parseConnection = parser<Connection>(
  z.object({
    connectionId: text.refine(isDocumentId).transform((value) => value as ConnectionId),
    status: z.enum(['active', 'disabled', 'deleted']),
    issuer: text,
    clientId: text,
    clientSecretSealed: text.transform((value) => value as Sealed).nullable(),
    metadata: z.object({
      issuer: text,
      authorizationEndpoint: text,
      tokenEndpoint: text,
      jwksUri: text,
      userinfoEndpoint: text.nullable(),
      signingAlgs: z.array(alg),
      tokenAuthMethods: z.array(text),
      answersNameIssuer: z.boolean(),
      readAt: z.number().int(),
    }),
    algs: z.array(alg),
    scopes: z.array(text),
    claimMap: z.object({ email: text, name: text, groups: text }),
    groupRoles: z.array(z.object({ group: text, role: text })),
    defaultRoles: z.array(text),
    admits: z.enum(['everyone', 'invited']),
    tid: text.nullable(),
    hd: text.nullable(),
    domains: z.array(text),
    revision: z.number().int(),
    createdAt: z.number().int(),
    updatedAt: z.number().int(),
  }),
)

/** A connection as it is shown: everything but its secret. */
export type ConnectionView = Omit<
  Connection,
  'clientSecretSealed' | 'metadata' | 'createdAt' | 'updatedAt'
> & {
  readonly hasClientSecret: boolean
  /** What to register at the provider. */
  readonly callbackUri: string
  readonly backchannelLogoutUri: string
  readonly createdAt: string
  readonly updatedAt: string
}

export function viewOfConnection(connection: Connection, tenantId: string, issuer: string): ConnectionView {
  const { clientSecretSealed, metadata: _metadata, createdAt, updatedAt, ...shown } = connection
  return {
    ...shown,
    hasClientSecret: clientSecretSealed !== null,
    callbackUri: callbackUriOf(issuer, tenantId, connection.connectionId),
    backchannelLogoutUri: `${issuer}/sso/${tenantId}/${connection.connectionId}/backchannel-logout`,
    createdAt: new Date(createdAt).toISOString(),
    updatedAt: new Date(updatedAt).toISOString(),
  }
}

/** One path for each connection: what a provider sends there can only be about its own users (RFC 9700 §4.4.2). */
export function callbackUriOf(issuer: string, tenantId: string, connectionId: string): string {
  return `${issuer}/sso/${tenantId}/${connectionId}/callback`
}
