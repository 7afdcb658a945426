import { TENANT_SCOPES } from '#shared/catalogue/scopes.ts'
import { clientDeleted } from '#shared/contracts/events/client-deleted.ts'
import { clientSecretRotated } from '#shared/contracts/events/client-secret-rotated.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { latestExpiry, type Revocation, TOKEN_SKEW_SECONDS } from '#shared/contracts/revocation.ts'
import type { Claim } from '#shared/firestore/claim.ts'
import type { Ids } from '#shared/ids.ts'
import { ok, type Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import {
  type ClientChange,
  type ClientKeeper,
  changeClient,
  checkKeeper,
  dropSecret,
  rotateSecret,
} from '../domain/change-client.ts'
import type { Client } from '../domain/client.ts'
import { type ClientId, parseClientId } from '../domain/client-id.ts'
import { type ClientSecret, digestSecret, newClientSecret } from '../domain/client-secret.ts'
import { type ClientView, viewOf } from '../domain/new-client.ts'
import type { RoleGiver } from '../domain/role.ts'
import type { ChangedClient, ClientRegister, FoundClient } from '../ports/clients.ts'
import type { PepperStore } from '../ports.ts'

export type KeepClientsDeps = {
  readonly ids: Ids
  readonly peppers: PepperStore
  readonly clientRegister: ClientRegister
}

/** Who keeps a client: by their own token, or with the deployer's credentials. */
export type Keeper = (RoleGiver & { readonly subject: string; readonly clientId: string }) | 'deployer'

export type KeepCommand = {
  readonly ctx: TenantContext
  readonly clientId: ClientId
  readonly keeper: Keeper
  readonly claim?: Claim | undefined
  /** Whether the client is as its caller believes: what `If-Match` says. */
  readonly isExpected?: (revision: number) => Result<void>
  readonly nowMs: number
  readonly trace?: Trace
}

/** Changes the settings of a client; what it may no longer is refused of its tokens within two seconds. */
export function updateClient(
  deps: KeepClientsDeps,
  command: KeepCommand,
  change: ClientChange,
): Promise<Result<ClientView>> {
  return keep(deps, command, ({ client }, keeper) => {
    const changed = changeClient(client, change, keeper ?? allPowers(client, change), command.nowMs)
    if (!changed.ok) return changed
    const what = Object.keys(change).sort().join(' ')
    return ok({
      value: viewOf(changed.value),
      client: changed.value,
      audit: [{ action: 'auth.client.updated', target: client.clientId, outcome: what }],
      revocations: raised(client, changed.value, 'client_changed'),
    })
  })
}

/** Removes a client for good: its tokens are refused within two seconds, its sessions have no client. */
export async function deleteClient(deps: KeepClientsDeps, command: KeepCommand): Promise<Result<void>> {
  const removed = await keep(deps, command, ({ client }) => {
    const { clientId, tenantId } = client
    const data = { tenantId, clientId, at: new Date(command.nowMs).toISOString() }
    const event = eventOf(command, clientDeleted.type, `client-deleted:${clientId}`, data)
    return ok({
      value: null,
      client: undefined,
      events: [event],
      audit: [{ action: 'auth.client.deleted', target: clientId }],
      // It never comes back: so far ahead as a verifier takes tokens at all.
      revocations: [
        revokedUntil(clientId, Math.floor(command.nowMs / 1000) + TOKEN_SKEW_SECONDS, 'client_deleted'),
      ],
    })
  })
  return removed.ok ? ok(undefined) : removed
}

export type RotatedSecret = {
  readonly client: ClientView
  /** Missing when this request was answered before: a secret is shown once and kept nowhere. */
  readonly clientSecret: ClientSecret | undefined
}

/** Gives a client a new secret; the present one lives on for `overlapSeconds`, or ends at once. */
export async function rotateClientSecret(
  deps: KeepClientsDeps,
  command: KeepCommand,
  overlapSeconds: number,
): Promise<Result<RotatedSecret>> {
  const clientSecret = newClientSecret(deps.ids.bytes(32))
  const { version, pepper } = await deps.peppers.current()
  const secret = {
    id: deps.ids.uuid(command.nowMs),
    hmac: digestSecret(pepper, clientSecret),
    pepperVersion: version,
    createdAt: command.nowMs,
    expiresAt: null,
  }
  const answer = await keep(deps, command, ({ client }, keeper) => {
    const kept = keeper === undefined ? ok(undefined) : checkKeeper(keeper, client)
    if (!kept.ok) return kept
    const rotated = rotateSecret(client, secret, overlapSeconds, command.nowMs)
    if (!rotated.ok) return rotated
    const { clientId, tenantId } = client
    const at = new Date(command.nowMs).toISOString()
    const data = { tenantId, clientId, secretId: secret.id, overlapSeconds, at }
    return ok({
      value: viewOf(rotated.value),
      client: rotated.value,
      events: [eventOf(command, clientSecretRotated.type, `client-secret-rotated:${secret.id}`, data)],
      audit: [
        { action: 'auth.client.secret_rotated', target: clientId, outcome: `overlap ${overlapSeconds} s` },
      ],
      revocations: raised(client, rotated.value, 'secret_replaced'),
    })
  })
  if (!answer.ok) return answer
  const mine = answer.value.secrets.some(({ secretId }) => secretId === secret.id)
  return ok({ client: answer.value, clientSecret: mine ? clientSecret : undefined })
}

/** Ends one of two secrets before its time. */
export function deleteClientSecret(
  deps: KeepClientsDeps,
  command: KeepCommand,
  secretId: string,
): Promise<Result<ClientView>> {
  return keep(deps, command, ({ client }) => {
    const left = dropSecret(client, secretId, command.nowMs)
    if (!left.ok) return left
    return ok({
      value: viewOf(left.value),
      client: left.value,
      audit: [{ action: 'auth.client.secret_deleted', target: client.clientId, outcome: secretId }],
    })
  })
}

/** Runs `decide` on the client in one commit; the deployer has no keeper, and may do anything. */
async function keep<T>(
  deps: KeepClientsDeps,
  command: KeepCommand,
  decide: (found: FoundClient, keeper: ClientKeeper | undefined) => Result<ChangedClient<T>>,
): Promise<Result<T>> {
  const { ctx, clientId, keeper } = command
  const own =
    keeper !== 'deployer' && keeper.tenantId === ctx.tenantId ? parseClientId(keeper.clientId) : undefined
  const keeperId = own?.ok === true ? own.value.clientId : undefined
  const changed = await deps.clientRegister.change(ctx, command.claim, { clientId, keeperId }, (found) => {
    const expected = command.isExpected?.(found.client.revision) ?? ok(undefined)
    if (!expected.ok) return expected
    return decide(found, keeper === 'deployer' ? undefined : keeperOf(keeper, found.keeper))
  })
  if (!changed.ok) return changed
  return ok(changed.value.duplicate ? (changed.value.answer as T) : changed.value.value)
}

/** A person is their own owner; a client's is whoever answers for it. */
function keeperOf(keeper: Exclude<Keeper, 'deployer'>, client: Client | undefined): ClientKeeper {
  const ownerUserId = keeper.subject.startsWith('usr_') ? keeper.subject : (client?.ownerUserId ?? null)
  const { tenantId, scopes, roles } = keeper
  return { tenantId, scopes, roles, ownerUserId }
}

function allPowers(client: Client, change: ClientChange): ClientKeeper {
  const scopes = new Set<string>([...TENANT_SCOPES, ...client.scopes, ...(change.scopes ?? [])])
  return { tenantId: client.tenantId, scopes, roles: ['owner'], ownerUserId: client.ownerUserId }
}

function raised(before: Client, after: Client, reason: string): Revocation[] {
  return after.notBefore > before.notBefore ? [revokedUntil(after.clientId, after.notBefore, reason)] : []
}

function revokedUntil(clientId: ClientId, before: number, reason: string): Revocation {
  return { kind: 'client', id: clientId, before, exp: latestExpiry(before), reason }
}

function eventOf<T>(command: KeepCommand, type: string, id: string, data: T) {
  const { nowMs, trace, ctx } = command
  const fields = { id, source: '//energent.ai/auth', type, tenantId: ctx.tenantId, nowMs, data }
  return newEvent(trace === undefined ? fields : { ...fields, trace })
}
