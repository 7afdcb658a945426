import { z } from 'zod'
import { MAX_CONNECTIONS, type Tier } from '#shared/catalogue/tiers.ts'
import { parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import {
  type ClaimMap,
  type Connection,
  type GroupRole,
  ID_TOKEN_ALGS,
  type IdpMetadata,
  type IdTokenAlg,
} from './connection.ts'
import { type DomainName, parseDomainName } from './email-domain.ts'
import { isRoleName } from './role.ts'

/** What a tenant says of its identity provider; of a change, only what is to change. */
export type ConnectionSettings = {
  readonly connectionId?: string | undefined
  readonly issuer?: string | undefined
  readonly clientId?: string | undefined
  /** Null makes it a public client; undefined leaves the secret as it is. */
  readonly clientSecret?: string | null | undefined
  readonly algs?: readonly IdTokenAlg[] | undefined
  readonly scopes?: readonly string[] | undefined
  readonly claimMap?: { readonly [Name in keyof ClaimMap]?: string | undefined } | undefined
  readonly groupRoles?: readonly GroupRole[] | undefined
  readonly defaultRoles?: readonly string[] | undefined
  readonly admits?: 'everyone' | 'invited' | undefined
  readonly tid?: string | null | undefined
  readonly hd?: string | null | undefined
  readonly domains?: readonly DomainName[] | undefined
  readonly status?: 'active' | 'disabled' | undefined
}

export const DEFAULT_CLAIM_MAP: ClaimMap = { email: 'email', name: 'name', groups: 'groups' }
export const DEFAULT_SCOPES = ['openid', 'email', 'profile'] as const
/** RS256 is what every provider can (OpenID Connect Core §15.1); the rest is taken where it offers it. */
export const DEFAULT_ALGS: readonly IdTokenAlg[] = ID_TOKEN_ALGS

const visible = (most: number) =>
  z.string().regex(new RegExp(`^[\\x21-\\x7E]{1,${most}}$`), 'must be visible ASCII')
const printable = (most: number) =>
  z.string().regex(new RegExp(`^[^\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]{1,${most}}$`, 'u'), 'must be printable')
const claimName = z
  .string()
  .regex(/^[\x21-\x7E]{1,100}$/)
  .refine((name) => !['__proto__', 'constructor', 'prototype'].includes(name))
const domain = z.string().transform((value, context): DomainName => {
  const parsed = parseDomainName(value)
  if (parsed.ok) return parsed.value
  context.addIssue({ code: 'custom', message: 'not a domain of your own' })
  return z.NEVER
})

const givenRole = z.string().refine(isGivenRole, 'not a role that a provider can give')

const SETTINGS = z.strictObject({
  connectionId: z
    .string()
    .regex(/^con_[a-z0-9]{4,32}$/)
    .optional(),
  issuer: z.string().max(512).optional(),
  clientId: printable(255).optional(),
  clientSecret: visible(1024).nullable().optional(),
  algs: z.array(z.enum(ID_TOKEN_ALGS)).min(1).max(ID_TOKEN_ALGS.length).optional(),
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5B\x5D-\x7E]{1,100}$/))
    .max(20)
    .optional(),
  claimMap: z
    .strictObject({ email: claimName.optional(), name: claimName.optional(), groups: claimName.optional() })
    .optional(),
  groupRoles: z
    .array(z.strictObject({ group: printable(255), role: givenRole }))
    .max(100)
    .optional(),
  defaultRoles: z.array(givenRole).max(10).optional(),
  admits: z.enum(['everyone', 'invited']).optional(),
  tid: visible(100).nullable().optional(),
  hd: visible(253).nullable().optional(),
  domains: z.array(domain).max(20).optional(),
  status: z.enum(['active', 'disabled']).optional(),
})

const parseBody = parser<ConnectionSettings>(SETTINGS)

/** An owner is made by people alone: else whoever may edit a connection could make themselves one. */
function isGivenRole(name: string): boolean {
  return isRoleName(name) && name !== 'owner'
}

/** Reads the body of a request that makes a connection: issuer and client id are a must. */
export function parseNewConnection(
  raw: unknown,
): Result<ConnectionSettings & { readonly issuer: string; readonly clientId: string }> {
  const body = parseBody(raw)
  if (!body.ok) return body
  const { issuer, clientId } = body.value
  if (issuer === undefined) return refuse('request.malformed', 'issuer', 'issuer: is missing')
  if (clientId === undefined) return refuse('request.malformed', 'clientId', 'clientId: is missing')
  return ok({ ...normalized(body.value), issuer, clientId })
}

/**
 * Reads the body of a change. The id never changes, nor does the issuer: subjects are only unique
 * within one, and somebody else's `sub` would then be one of our users.
 */
export function parseConnectionChange(raw: unknown): Result<ConnectionSettings> {
  const body = parseBody(raw)
  if (!body.ok) return body
  if (body.value.connectionId !== undefined || body.value.issuer !== undefined) {
    const hint = 'connectionId and issuer never change; make another connection.'
    return refuse('request.malformed', 'issuer or id in a change', hint)
  }
  return ok(normalized(body.value))
}

function normalized(settings: ConnectionSettings): ConnectionSettings {
  const { domains, algs, scopes } = settings
  return {
    ...settings,
    ...(domains === undefined ? {} : { domains: [...new Set(domains)].sort() }),
    ...(algs === undefined ? {} : { algs: [...new Set(algs)] }),
    ...(scopes === undefined ? {} : { scopes: [...new Set(['openid', ...scopes])] }),
  }
}

/** Issuers that serve many organisations under one name: without `hd` or `tid` anybody's account would do. */
const SHARED_ISSUERS: readonly (readonly [issuer: RegExp, needs: 'hd' | 'tid'])[] = [
  [/^https:\/\/accounts\.google\.com\/?$/, 'hd'],
  [/^https:\/\/login\.microsoftonline\.com\/(?:common|organizations|consumers)(?:\/|$)/, 'tid'],
]

/** Whether the settings say whose accounts count, where the issuer alone does not. */
export function checkOrganisation(
  issuer: string,
  { hd, tid }: { readonly hd: string | null; readonly tid: string | null },
): Result<void> {
  const needed = SHARED_ISSUERS.find(([pattern]) => pattern.test(issuer))?.[1]
  if (needed === undefined || (needed === 'hd' ? hd : tid) !== null) return ok(undefined)
  return refuse(
    'issuer.invalid',
    `no ${needed}`,
    `This issuer serves many organisations: say yours with ${needed}.`,
  )
}

type RoleRules = Pick<Connection, 'claimMap' | 'groupRoles' | 'defaultRoles'>

/**
 * The roles that a change gives and takes, rule by rule. The same role for another group, for everybody or
 * by another claim is another rule: who may not give a role must not choose either who else gets it.
 */
export function rolesChanged(
  known: RoleRules | undefined,
  settings: ConnectionSettings,
): { readonly given: string[]; readonly taken: string[] } {
  const before = known === undefined ? new Map<string, string>() : rulesOf(known)
  const after = rulesOf({
    claimMap: {
      ...DEFAULT_CLAIM_MAP,
      groups: settings.claimMap?.groups ?? known?.claimMap.groups ?? 'groups',
    },
    groupRoles: settings.groupRoles ?? known?.groupRoles ?? [],
    defaultRoles: settings.defaultRoles ?? known?.defaultRoles ?? [],
  })
  const only = (rules: ReadonlyMap<string, string>, others: ReadonlyMap<string, string>): string[] => [
    ...new Set([...rules].filter(([rule]) => !others.has(rule)).map(([, role]) => role)),
  ]
  return { given: only(after, before), taken: only(before, after) }
}

/** Every role by the rule that gives it. */
function rulesOf({ claimMap, groupRoles, defaultRoles }: RoleRules): ReadonlyMap<string, string> {
  return new Map([
    ...groupRoles.map(({ group, role }) => [JSON.stringify([claimMap.groups, group, role]), role] as const),
    ...defaultRoles.map((role) => [JSON.stringify([role]), role] as const),
  ])
}

/** Whether a tenant of this tier may have one connection more. */
export function checkRoomForConnection(tier: Tier, count: number): Result<void> {
  const maxConnections = MAX_CONNECTIONS[tier]
  if (maxConnections === 0)
    return refuse('tier.required', `${tier} has none`, 'Single sign-on needs the tier premium or enterprise.')
  if (count < maxConnections) return ok(undefined)
  return refuse(
    'connection.limit_reached',
    `${count} of ${maxConnections}`,
    `The tier allows ${maxConnections} connections.`,
  )
}

/** The algorithms that both the tenant and its provider allow; none is a mistake to tell of now. */
export function commonAlgs(
  wanted: readonly IdTokenAlg[],
  metadata: IdpMetadata,
): Result<readonly IdTokenAlg[]> {
  const algs = wanted.filter((alg) => metadata.signingAlgs.includes(alg))
  return algs.length > 0
    ? ok(algs)
    : refuse(
        'issuer.invalid',
        'no common algorithm',
        'The provider signs ID tokens with none of these algorithms.',
      )
}
