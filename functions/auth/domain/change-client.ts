import { z } from 'zod'
import { TOKEN_SKEW_SECONDS } from '#shared/contracts/revocation.ts'
import { PLATFORM_TENANT } from '#shared/ids.ts'
import { parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { Client } from './client.ts'
import { MOST_SECRETS, type StoredSecret } from './client-secret.ts'
import { type ClientSettings, checkSettings, parseScopes, SETTINGS_MEMBERS } from './client-settings.ts'
import { checkRolesGivable, isTenantRole, type RoleGiver } from './role.ts'
import { checkGivable } from './scope.ts'

/** What of a client is to be different; how it authenticates never changes, that would be another client. */
export type ClientChange = Partial<Omit<ClientSettings, 'authMethod'>>

const parseBody = parser(
  z.strictObject({
    ...z.object(SETTINGS_MEMBERS).partial().shape,
    status: z.enum(['active', 'disabled']).optional(),
  }),
)

/** Reads the body of a change (RFC 7396 in spirit: members left out stay as they are). */
export function parseClientChange(raw: unknown): Result<ClientChange> {
  const body = parseBody(raw)
  if (!body.ok) return body
  const scopes = body.value.scopes === undefined ? undefined : parseScopes(body.value.scopes)
  if (scopes !== undefined && !scopes.ok) return scopes
  const given = Object.entries({ ...body.value, scopes: scopes?.value }).filter(
    ([, value]) => value !== undefined,
  )
  if (given.length === 0) return refuse('request.malformed', 'empty change', 'Name at least one member.')
  return ok(Object.fromEntries(given))
}

/** Who changes a client: what their token holds, and which person answers for it. */
export type ClientKeeper = RoleGiver & { readonly ownerUserId: string | null }

/**
 * The client after a change, with its watermark raised if it may less than before.
 *
 * Whoever can decide how a client authenticates can be that client. So that takes all of its scopes,
 * and where a person answers for it, that person: else one operator could be two.
 */
export function changeClient(
  client: Client,
  change: ClientChange,
  keeper: ClientKeeper,
  nowMs: number,
): Result<Client> {
  const changed = { ...client, ...change }
  const settings = checkSettings(changed)
  if (!settings.ok) return settings
  if (givesPower(client, changed)) {
    const kept = checkKeeper(keeper, client, changed.scopes)
    if (!kept.ok) return kept
  }
  const ends = changed.status === 'disabled' ? TOKEN_SKEW_SECONDS : COMMIT_SECONDS
  const notBefore = narrows(client, changed) ? raisedWatermark(client, nowMs, ends) : client.notBefore
  return ok({ ...changed, notBefore, revision: client.revision + 1 })
}

/** Whether `keeper` may decide how `client` authenticates. */
export function checkKeeper(
  keeper: ClientKeeper,
  client: Client,
  scopes: Client['scopes'] = client.scopes,
): Result<void> {
  // Only operators are ever needed in twos; in a tenant, people leave and their clients stay.
  const owned = client.tenantId === PLATFORM_TENANT && client.ownerUserId !== null
  if (owned && client.ownerUserId !== keeper.ownerUserId) {
    return refuse(
      'client.not_yours',
      'another person answers for it',
      'Only the person who answers for this client may change how it authenticates.',
    )
  }
  const givable = checkGivable(keeper, client.tenantId, scopes)
  if (!givable.ok) return givable
  // Whoever can be an owner's client can make themselves one.
  return checkRolesGivable(keeper, client.tenantId, [], client.roles.filter(isTenantRole), new Map())
}

/**
 * The client with one secret more. The others end after the overlap, at once if there is none; then
 * what was issued until now is refused too, for someone may have had them.
 */
export function rotateSecret(
  client: Client,
  secret: StoredSecret,
  overlapSeconds: number,
  nowMs: number,
): Result<Client> {
  if (!client.authMethod.startsWith('client_secret_')) {
    return refuse('client.no_secret', client.authMethod, 'This client does not authenticate by a secret.')
  }
  const live = client.secrets.filter((known) => known.expiresAt === null || known.expiresAt > nowMs)
  const ends = nowMs + overlapSeconds * 1000
  const kept =
    overlapSeconds === 0
      ? []
      : live.map((known) => ({ ...known, expiresAt: Math.min(known.expiresAt ?? ends, ends) }))
  if (kept.length >= MOST_SECRETS) {
    const hint = 'Two secrets live already: delete one, or rotate without overlap.'
    return refuse('client.secret_limit_reached', `${kept.length} live`, hint)
  }
  return ok({
    ...client,
    secrets: [secret, ...kept],
    notBefore: overlapSeconds === 0 ? raisedWatermark(client, nowMs, COMMIT_SECONDS) : client.notBefore,
    revision: client.revision + 1,
  })
}

/** The client without one of its secrets; the last one stays, for a client without any cannot be used. */
export function dropSecret(client: Client, secretId: string, nowMs: number): Result<Client> {
  const others = client.secrets.filter((secret) => secret.id !== secretId)
  if (others.length === client.secrets.length) return refuse('resource.not_found', 'no such secret')
  const stillLive = others.some((secret) => secret.expiresAt === null || secret.expiresAt > nowMs)
  if (!stillLive) {
    const hint = 'It is the last one: rotate without overlap, or disable the client.'
    return refuse('client.secret_last', 'the last live secret', hint)
  }
  return ok({ ...client, secrets: others, revision: client.revision + 1 })
}

/**
 * How far a watermark is set ahead: a token may be asked for after this request and be minted before it
 * is committed. A client that goes on gets tokens that are dated as much ahead, which all verifiers take.
 */
export const COMMIT_SECONDS = 2

/** A watermark so many seconds ahead; it only moves forward. */
export function raisedWatermark(client: Client, nowMs: number, aheadSeconds = COMMIT_SECONDS): number {
  return Math.max(client.notBefore, Math.floor(nowMs / 1000) + aheadSeconds)
}

function givesPower(before: Client, after: Client): boolean {
  const more = <T>(known: readonly T[], wanted: readonly T[]): boolean =>
    wanted.some((one) => !known.includes(one))
  return (
    more(before.scopes, after.scopes) ||
    more(before.grants, after.grants) ||
    more(before.redirectUris, after.redirectUris) ||
    more(before.postLogoutRedirectUris, after.postLogoutRedirectUris) ||
    JSON.stringify(before.jwks) !== JSON.stringify(after.jwks) ||
    before.jwksUri !== after.jwksUri ||
    (before.dpopRequired && !after.dpopRequired) ||
    (before.status === 'disabled' && after.status === 'active')
  )
}

function narrows(before: Client, after: Client): boolean {
  const fewer = <T>(known: readonly T[], left: readonly T[]): boolean =>
    known.some((one) => !left.includes(one))
  return (
    fewer(before.scopes, after.scopes) ||
    fewer(before.grants, after.grants) ||
    JSON.stringify(before.jwks) !== JSON.stringify(after.jwks) ||
    before.jwksUri !== after.jwksUri ||
    (!before.dpopRequired && after.dpopRequired) ||
    (before.status === 'active' && after.status === 'disabled')
  )
}
