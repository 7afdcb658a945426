import { PLATFORM_SCOPES } from '#shared/catalogue/scopes.ts'
import { PLATFORM_TENANT } from '#shared/ids.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { openAsDeployer } from '#shared/tenancy/operator.ts'
import { type Client, MACHINE } from '../domain/client.ts'
import type { ClientSecret } from '../domain/client-secret.ts'
import { type ClientView, checkRoomForClient, viewOf } from '../domain/new-client.ts'
import { parseOperatorEmail } from '../domain/operator-owner.ts'
import { platformState } from '../domain/tenant-state.ts'
import type { ClientCommit, ClientSurroundings } from '../ports.ts'
import {
  type CreateClientDeps,
  commitOf,
  type NewCredentials,
  newCredentials,
  type PresetCredentials,
} from './create-client.ts'
import { type FindOperatorDeps, findOperator } from './find-operator.ts'

export type OperatorDeps = CreateClientDeps & FindOperatorDeps

export type OperatorCommand = {
  readonly email: string
  /** The Google identity that runs the command; it stands in the audit. */
  readonly deployer: string
  readonly nowMs: number
  readonly preset?: PresetCredentials | undefined
}

export type NewOperator = {
  readonly client: ClientView
  readonly clientSecret: ClientSecret
  readonly ownerUserId: string
}

/**
 * Creates the tenant `platform` and its first administrator, once.
 *
 * The tenant and the client are one commit, and the tenant is created, never changed: of two people
 * who run it at once, one gets an operator and the other a refusal. With a preset id that is there
 * already, nothing changes.
 */
export function bootstrapOperator(
  deps: OperatorDeps,
  command: OperatorCommand,
): Promise<Result<NewOperator>> {
  return operatorClient(deps, command, (found, client) => {
    if (found.state !== undefined) {
      const hint = 'There are operators already; they add further ones.'
      return refuse('tenant.state_conflict', 'platform is there', hint)
    }
    return ok({ ...commitOf(client, command), state: platformState(command.nowMs) })
  })
}

/**
 * Adds another administrator with the deployer's credentials: what needs two people needs a second one
 * before anybody could be invited.
 */
export function addOperator(deps: OperatorDeps, command: OperatorCommand): Promise<Result<NewOperator>> {
  return operatorClient(deps, command, (found, client) => {
    if (found.state === undefined) {
      return refuse('tenant.state_conflict', 'no platform', 'Bootstrap the first operator before.')
    }
    const room = checkRoomForClient(found.state, found.clientCount)
    return room.ok ? ok(commitOf(client, command)) : room
  })
}

async function operatorClient(
  deps: OperatorDeps,
  command: OperatorCommand,
  decide: (found: ClientSurroundings, client: Client) => Result<ClientCommit<ClientView>>,
): Promise<Result<NewOperator>> {
  const email = parseOperatorEmail(command.email)
  if (!email.ok) return email
  const ctx = openAsDeployer(PLATFORM_TENANT, command.deployer, 'operator by deployer', command.nowMs)
  const credentials = await newCredentials(deps, PLATFORM_TENANT, command.preset, command.nowMs)
  const { userId: ownerUserId } = await findOperator(deps, ctx, email.value)
  const client = administrator(credentials, ownerUserId, command.nowMs)
  const wanted = { clientId: credentials.clientId, creatorId: undefined }
  const added = await deps.clients.add(ctx, undefined, wanted, (found) =>
    found.existing === undefined ? decide(found, client) : ok({ value: viewOf(found.existing) }),
  )
  if (!added.ok) return added
  // Without a claim nothing can be a duplicate.
  const view = added.value.duplicate ? viewOf(client) : added.value.value
  return ok({ client: view, clientSecret: credentials.clientSecret, ownerUserId })
}

/** What an administrator of the operators may in their own tenant: let its people and machines in. */
const OWN_TENANT = ['clients:manage', 'users:manage', 'sso:manage', 'sessions:manage', 'audit:read'] as const

function administrator(credentials: NewCredentials, ownerUserId: string, nowMs: number): Client {
  return {
    ...MACHINE,
    clientId: credentials.clientId,
    tenantId: PLATFORM_TENANT,
    name: 'Operator',
    grants: ['client_credentials'],
    scopes: [...PLATFORM_SCOPES, ...OWN_TENANT],
    roles: ['platform_admin'],
    secrets: credentials.secrets,
    ownerUserId,
    createdAt: nowMs,
  }
}
