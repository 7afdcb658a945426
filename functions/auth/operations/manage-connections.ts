import { connectionChanged } from '#shared/contracts/events/connection-changed.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import type { Claim } from '#shared/firestore/claim.ts'
import type { Ids } from '#shared/ids.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { ACCESS_BY_STATE } from '#shared/tokens/tenant-access.ts'
import type { Trace } from '#shared/trace.ts'
import {
  type Connection,
  type ConnectionId,
  type ConnectionView,
  type IdpMetadata,
  newConnectionId,
  viewOfConnection,
} from '../domain/connection.ts'
import {
  type ConnectionSettings,
  checkOrganisation,
  checkRoomForConnection,
  commonAlgs,
  DEFAULT_ALGS,
  DEFAULT_CLAIM_MAP,
  DEFAULT_SCOPES,
  rolesChanged,
} from '../domain/new-connection.ts'
import type { Sealed } from '../domain/personal-data.ts'
import { checkRolesGivable, type RoleGiver } from '../domain/role.ts'
import type { PersonalData, RoleStore } from '../ports/people.ts'
import type {
  ConnectionCommit,
  ConnectionStore,
  ConnectionSurroundings,
  IdentityProviders,
  SignOnReader,
} from '../ports/sign-on.ts'
import { type EndSessionsDeps, revokeSessions } from './end-sessions.ts'

export type ManageConnectionsDeps = EndSessionsDeps & {
  readonly issuer: string
  readonly ids: Ids
  readonly signOn: SignOnReader
  readonly connections: ConnectionStore
  readonly providers: IdentityProviders
  readonly personalData: PersonalData
  readonly roles: RoleStore
}

type Call = {
  readonly ctx: TenantContext
  readonly giver: RoleGiver
  readonly nowMs: number
  readonly trace: Trace
}

export type CreateConnectionCommand = Call & {
  readonly settings: ConnectionSettings & { readonly issuer: string; readonly clientId: string }
  readonly claim: Claim | undefined
}

export type ChangeConnectionCommand = Call & {
  readonly connectionId: ConnectionId
  readonly settings: ConnectionSettings
  /** Whether the change may go on from this revision (`If-Match`). */
  readonly check: (revision: number) => Result<void>
}

/**
 * Connects an identity provider: its discovery document is read now, so that what cannot work is
 * refused now. Nothing outside is called for a tenant whose tier has no single sign-on.
 */
export async function createConnection(
  deps: ManageConnectionsDeps,
  command: CreateConnectionCommand,
): Promise<Result<{ readonly view: ConnectionView; readonly replayed: boolean }>> {
  const { ctx, settings, nowMs } = command
  const connectionId = (settings.connectionId as ConnectionId | undefined) ?? newConnectionId(deps.ids)
  const { state } = await deps.signOn.findConnection(ctx.tenantId, connectionId)
  if (state === undefined) return refuse('resource.not_found', 'auth knows no such tenant')
  const room = checkRoomForConnection(state.tier, 0)
  if (!room.ok) return room
  const prepared = await prepare(deps, command, settings, undefined)
  if (!prepared.ok) return prepared
  const added = await deps.connections.change(ctx, command.claim, connectionId, (found) => {
    if (found.state === undefined) return refuse('resource.not_found', 'auth knows no such tenant')
    if (ACCESS_BY_STATE[found.state.status].kind === 'none') {
      return refuse('tenant.state_conflict', `tenant is ${found.state.status}`, 'The tenant is not active.')
    }
    if (found.connection !== undefined) return refuse('connection.id_taken', 'there is one')
    const free = checkRoomForConnection(found.state.tier, found.count)
    if (!free.ok) return free
    const connection = merged(blank(connectionId, settings, nowMs), settings, prepared.value, nowMs)
    return committed(deps, command, found, connection, 'created')
  })
  if (!added.ok) return added
  if (added.value.duplicate) return ok({ view: added.value.answer as ConnectionView, replayed: true })
  return ok({ view: added.value.value, replayed: false })
}

/** Changes a connection; the discovery document is read again. Disabling it ends its sessions. */
export async function changeConnection(
  deps: ManageConnectionsDeps,
  command: ChangeConnectionCommand,
): Promise<Result<ConnectionView>> {
  const { ctx, connectionId, settings, nowMs } = command
  const known = await deps.connections.find(ctx, connectionId)
  if (known === undefined) return refuse('resource.not_found', 'no such connection')
  const unchanged = command.check(known.revision)
  if (!unchanged.ok) return unchanged
  const disables = settings.status === 'disabled'
  // A provider that is down must not keep anybody from disabling its connection.
  const onlyStatus = Object.keys(settings).every((name) => name === 'status')
  const prepared = onlyStatus
    ? ok({ metadata: known.metadata, sealed: known.clientSecretSealed })
    : await prepare(deps, command, settings, known)
  if (!prepared.ok) return prepared
  if (disables) await endSessionsOf(deps, command, connectionId)
  const changed = await deps.connections.change(ctx, undefined, connectionId, (found) => {
    if (found.connection === undefined || found.connection.status === 'deleted') {
      return refuse('resource.not_found', 'no such connection')
    }
    const still = command.check(found.connection.revision)
    if (!still.ok) return still
    const connection = merged(found.connection, settings, prepared.value, nowMs)
    return committed(
      deps,
      command,
      found,
      connection,
      connection.status === 'disabled' ? 'disabled' : 'changed',
    )
  })
  if (!changed.ok) return changed
  if (disables) await endSessionsOf(deps, command, connectionId)
  if (changed.value.duplicate) throw new Error('a change without a claim cannot be seen before')
  return ok(changed.value.value)
}

/** Deletes a connection and ends its sessions; its secret is gone and its id is never used again. */
export async function deleteConnection(
  deps: ManageConnectionsDeps,
  command: Call & { readonly connectionId: ConnectionId },
): Promise<Result<void>> {
  const { ctx, connectionId, nowMs } = command
  if ((await deps.connections.find(ctx, connectionId)) === undefined) {
    return refuse('resource.not_found', 'no such connection')
  }
  // Before and after: should this be cut off, a second try ends what is left, or there is nothing left.
  await endSessionsOf(deps, command, connectionId)
  const deleted = await deps.connections.change(ctx, undefined, connectionId, (found) => {
    const { connection } = found
    if (connection === undefined || connection.status === 'deleted') {
      return refuse('resource.not_found', 'no such connection')
    }
    const gone: Connection = {
      ...connection,
      status: 'deleted',
      clientSecretSealed: null,
      domains: [],
      revision: connection.revision + 1,
      updatedAt: nowMs,
    }
    return committed(deps, command, found, gone, 'deleted')
  })
  if (!deleted.ok) return deleted
  await endSessionsOf(deps, command, connectionId)
  return ok(undefined)
}

type Prepared = { readonly metadata: IdpMetadata; readonly sealed: Sealed | null }

/** Everything that takes a call: the roles it would give, its discovery document, its sealed secret. */
async function prepare(
  deps: ManageConnectionsDeps,
  { ctx, giver, nowMs }: Call,
  settings: ConnectionSettings,
  known: Connection | undefined,
): Promise<Result<Prepared>> {
  const issuer = known?.issuer ?? settings.issuer ?? ''
  const { hd = known?.hd ?? null, tid = known?.tid ?? null } = settings
  const organisation = checkOrganisation(issuer, { hd, tid })
  if (!organisation.ok) return organisation
  const { given, taken } = rolesChanged(known, settings)
  const custom = await deps.roles.scopesOf(ctx, [...given, ...taken])
  const givable = checkRolesGivable(giver, ctx.tenantId, [], given, custom)
  if (!givable.ok) return givable
  const takable = checkRolesGivable(giver, ctx.tenantId, taken, [], custom)
  if (!takable.ok) return takable
  const metadata = await deps.providers.discover(issuer, nowMs)
  if (!metadata.ok) return metadata
  const { clientSecret } = settings
  const sealed =
    typeof clientSecret === 'string'
      ? await deps.personalData.seal(ctx, clientSecret, 'client-secret')
      : clientSecret === null
        ? null
        : (known?.clientSecretSealed ?? null)
  return ok({ metadata: metadata.value, sealed })
}

function blank(
  connectionId: ConnectionId,
  settings: ConnectionSettings,
  nowMs: number,
): Omit<Connection, 'metadata'> {
  return {
    connectionId,
    status: 'active',
    issuer: settings.issuer ?? '',
    clientId: settings.clientId ?? '',
    clientSecretSealed: null,
    algs: DEFAULT_ALGS,
    scopes: DEFAULT_SCOPES,
    claimMap: DEFAULT_CLAIM_MAP,
    groupRoles: [],
    defaultRoles: ['viewer'],
    admits: 'everyone',
    tid: null,
    hd: null,
    domains: [],
    revision: 0,
    createdAt: nowMs,
    updatedAt: nowMs,
  }
}

function merged(
  connection: Omit<Connection, 'metadata'>,
  settings: ConnectionSettings,
  prepared: Prepared,
  nowMs: number,
): Connection {
  const { clientSecret: _secret, connectionId: _id, issuer: _issuer, claimMap = {}, ...given } = settings
  const said = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const named = Object.fromEntries(Object.entries(claimMap).filter(([, value]) => value !== undefined))
  return {
    ...connection,
    ...said,
    claimMap: { ...connection.claimMap, ...named },
    clientSecretSealed: prepared.sealed,
    metadata: prepared.metadata,
    revision: connection.revision + 1,
    updatedAt: nowMs,
  }
}

/** The connection with its event and its audit entry, unless it rests on what is not proven. */
function committed(
  deps: ManageConnectionsDeps,
  { ctx, nowMs, trace }: Call,
  found: ConnectionSurroundings,
  wanted: Connection,
  change: 'created' | 'changed' | 'disabled' | 'deleted',
): Result<ConnectionCommit<ConnectionView>> {
  const unproven = wanted.domains.find((domain) => !found.proven.includes(domain))
  if (unproven !== undefined)
    return refuse('domain.unproven', 'domain of a connection', 'Prove the domains first.')
  const algs = commonAlgs(wanted.algs, wanted.metadata)
  if (!algs.ok) return algs
  const { connectionId, revision } = wanted
  const event = newEvent({
    id: `connection-changed:${ctx.tenantId}:${connectionId}:${revision}`,
    source: '//energent.ai/auth',
    type: connectionChanged.type,
    tenantId: ctx.tenantId,
    nowMs,
    data: { tenantId: ctx.tenantId, connectionId, change, at: new Date(nowMs).toISOString() },
    trace,
  })
  return ok({
    value: viewOfConnection(wanted, ctx.tenantId, deps.issuer),
    connection: wanted,
    events: [event],
    audit: [{ action: `auth.connection.${change}`, target: connectionId }],
  })
}

const MOST_ROUNDS = 100

/** All of them, however many: they end a hundred at a time. */
async function endSessionsOf(
  deps: ManageConnectionsDeps,
  { ctx, nowMs, trace }: Call,
  connectionId: string,
): Promise<void> {
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const command = { ctx, selection: { connectionId }, reason: 'administrator' as const, nowMs, trace }
    const ended = await revokeSessions(deps, command)
    if (!ended.ok || ended.value.length === 0) return
  }
}
