import { clientCreated } from '#shared/contracts/events/client-created.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import type { Claim } from '#shared/firestore/claim.ts'
import type { Ids, TenantId } from '#shared/ids.ts'
import { ok, type Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import { type Client, MACHINE } from '../domain/client.ts'
import { type ClientId, newClientId, parseClientId } from '../domain/client-id.ts'
import {
  type ClientSecret,
  digestSecret,
  newClientSecret,
  parseClientSecret,
} from '../domain/client-secret.ts'
import {
  type ClientView,
  checkRoomForClient,
  type NewClient,
  settingsOf,
  viewOf,
} from '../domain/new-client.ts'
import { type CustomRoles, checkRolesGivable, type RoleGiver } from '../domain/role.ts'
import { checkGivable, checkHoldable } from '../domain/scope.ts'
import type { ClientCommit, ClientStore, ClientSurroundings, PepperStore } from '../ports.ts'

export type CreateClientDeps = {
  readonly ids: Ids
  readonly clients: ClientStore
  readonly peppers: PepperStore
  /** Whether ids and secrets may be preset: in demo projects alone. */
  readonly presetsAllowed: boolean
}

/** Id and secret that a demo stack fixes, so that its credentials survive a restart. */
export type PresetCredentials = { readonly clientId: string; readonly clientSecret: string }

export type CreateClientCommand = {
  readonly ctx: TenantContext
  /** Who gives, by their own token; the deployer's command line gives whatever the tenant may have. */
  readonly giver: (RoleGiver & { readonly subject: string; readonly clientId: string }) | 'deployer'
  readonly wanted: NewClient
  /** From `Idempotency-Key`, if the caller sent one. */
  readonly claim?: Claim | undefined
  readonly preset?: PresetCredentials | undefined
  readonly nowMs: number
  readonly trace?: Trace
}

export type CreatedClient = {
  readonly client: ClientView
  /** Shown once and kept nowhere: missing when answered before, and for clients that have none. */
  readonly clientSecret: ClientSecret | undefined
  /** Whether this request was answered before. */
  readonly replayed: boolean
}

/**
 * Creates a client of a tenant and tells its secret, once.
 *
 * Asked again with the same `Idempotency-Key`, it answers with the same client and no secret: to be
 * able to repeat a secret we would have to keep it. Whoever lost the answer makes another client.
 */
export async function createClient(
  deps: CreateClientDeps,
  command: CreateClientCommand,
): Promise<Result<CreatedClient>> {
  const { ctx, giver, wanted } = command
  const givable =
    giver === 'deployer'
      ? checkHoldable(ctx.tenantId, wanted.scopes)
      : checkGivable(giver, ctx.tenantId, wanted.scopes)
  if (!givable.ok) return givable
  const roles = wanted.roles ?? []
  const roleGivable =
    giver === 'deployer' ? ok(undefined) : checkRolesGivable(giver, ctx.tenantId, [], roles, NO_CUSTOM_ROLES)
  if (!roleGivable.ok) return roleGivable
  const credentials = await newCredentials(deps, ctx.tenantId, command.preset, command.nowMs)
  const creatorId = giver === 'deployer' || giver.tenantId !== ctx.tenantId ? undefined : giver.clientId
  const ids = { clientId: credentials.clientId, creatorId: creatorId as ClientId | undefined }
  const added = await deps.clients.add(ctx, command.claim, ids, (found) => {
    if (found.existing !== undefined) return ok({ value: viewOf(found.existing) })
    const room = checkRoomForClient(found.state, found.clientCount)
    return room.ok ? ok(commitOf(clientOf(command, credentials, found), command)) : room
  })
  if (!added.ok) return added
  if (added.value.duplicate) {
    return ok({ client: added.value.answer as ClientView, clientSecret: undefined, replayed: true })
  }
  const clientSecret = hasSecret(wanted) ? credentials.clientSecret : undefined
  return ok({ client: added.value.value, clientSecret, replayed: false })
}

/** A client has usual roles alone: what a tenant's own roles allow may change under it. */
const NO_CUSTOM_ROLES: CustomRoles = new Map()

export type NewCredentials = {
  readonly clientId: ClientId
  readonly clientSecret: ClientSecret
  readonly secrets: Client['secrets']
}

/** The id and the secret of a client to be, and what is stored of the secret. */
export async function newCredentials(
  deps: CreateClientDeps,
  tenantId: TenantId,
  preset: PresetCredentials | undefined,
  nowMs: number,
): Promise<NewCredentials> {
  const { clientId, clientSecret } =
    preset === undefined
      ? { clientId: newClientId(deps.ids, tenantId), clientSecret: newClientSecret(deps.ids.bytes(32)) }
      : takePreset(deps, tenantId, preset)
  const { version, pepper } = await deps.peppers.current()
  const hmac = digestSecret(pepper, clientSecret)
  const id = deps.ids.uuid(nowMs)
  return {
    clientId,
    clientSecret,
    secrets: [{ id, hmac, pepperVersion: version, createdAt: nowMs, expiresAt: null }],
  }
}

/** Throws on a preset that is not allowed or not one: that is a mistake in our own code, not of a caller. */
function takePreset(deps: CreateClientDeps, tenantId: TenantId, preset: PresetCredentials) {
  if (!deps.presetsAllowed) throw new TypeError('preset credentials are only accepted in demo projects')
  const id = parseClientId(preset.clientId)
  if (!id.ok || id.value.tenantId !== tenantId) {
    throw new TypeError('the preset client id is of another tenant')
  }
  const secret = parseClientSecret(preset.clientSecret)
  if (!secret.ok) throw new TypeError('the preset secret is not a client secret')
  return { clientId: id.value.clientId, clientSecret: secret.value }
}

/** A new client with its fact and its audit entry. */
export function commitOf(
  client: Client,
  command: { readonly nowMs: number; readonly trace?: Trace },
): ClientCommit<ClientView> & { readonly client: Client } {
  const event = newEvent({
    id: `client-created:${client.clientId}`,
    source: '//energent.ai/auth',
    type: clientCreated.type,
    tenantId: client.tenantId,
    nowMs: command.nowMs,
    data: {
      tenantId: client.tenantId,
      clientId: client.clientId,
      scopes: [...client.scopes],
      at: new Date(command.nowMs).toISOString(),
    },
    ...(command.trace === undefined ? {} : { trace: command.trace }),
  })
  return {
    value: viewOf(client),
    client,
    events: [event],
    audit: [{ action: 'auth.client.created', target: client.clientId }],
  }
}

function clientOf(
  command: CreateClientCommand,
  credentials: NewCredentials,
  found: ClientSurroundings,
): Client {
  const { giver, wanted } = command
  const person = giver !== 'deployer' && giver.subject.startsWith('usr_') ? giver.subject : undefined
  return {
    ...MACHINE,
    ...settingsOf(wanted, credentials.clientId),
    clientId: credentials.clientId,
    tenantId: command.ctx.tenantId,
    roles: wanted.roles ?? [],
    secrets: hasSecret(wanted) ? credentials.secrets : [],
    // Its maker's owner, not its maker: else one person could be two by making a second client.
    ownerUserId: person ?? found.creator?.ownerUserId ?? null,
    createdAt: command.nowMs,
  }
}

function hasSecret({ authMethod = MACHINE.authMethod }: NewClient): boolean {
  return authMethod.startsWith('client_secret_')
}
