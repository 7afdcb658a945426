import { apiKeyCreated } from '#shared/contracts/events/api-key-created.ts'
import { apiKeyRevoked } from '#shared/contracts/events/api-key-revoked.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { revokeUntilNow } from '#shared/contracts/revocation.ts'
import type { Claim } from '#shared/firestore/claim.ts'
import type { Ids } from '#shared/ids.ts'
import { ok, type Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import {
  type ApiKey,
  type ApiKeyText,
  type ApiKeyView,
  checkRoomForApiKey,
  digestApiKey,
  type NewApiKey,
  newApiKey,
  viewOfApiKey,
} from '../domain/api-key.ts'
import { checkGivable, type ScopeGiver } from '../domain/scope.ts'
import type { ApiKeyStore } from '../ports/api-keys.ts'
import type { PepperStore } from '../ports.ts'

export type KeepApiKeysDeps = {
  readonly ids: Ids
  readonly peppers: PepperStore
  readonly apiKeys: ApiKeyStore
}

export type CreateApiKeyCommand = {
  readonly ctx: TenantContext
  readonly giver: ScopeGiver & { readonly subject: string }
  readonly wanted: NewApiKey
  readonly claim?: Claim | undefined
  readonly nowMs: number
  readonly trace?: Trace
}

export type CreatedApiKey = {
  readonly view: ApiKeyView
  /** Missing when this request was answered before: a key is shown once and kept nowhere. */
  readonly key: ApiKeyText | undefined
}

/** Makes an API key and tells it, once. Nobody gives more than their own token holds. */
export async function createApiKey(
  deps: KeepApiKeysDeps,
  command: CreateApiKeyCommand,
): Promise<Result<CreatedApiKey>> {
  const { ctx, giver, wanted, nowMs } = command
  const givable = checkGivable(giver, ctx.tenantId, wanted.scopes)
  if (!givable.ok) return givable
  const { text, keyId } = newApiKey(deps.ids, ctx.tenantId)
  const { version, pepper } = await deps.peppers.current()
  const key: ApiKey = {
    keyId,
    tenantId: ctx.tenantId,
    name: wanted.name ?? keyId,
    scopes: wanted.scopes,
    hmac: digestApiKey(pepper, text),
    pepperVersion: version,
    createdBy: giver.subject,
    createdAt: nowMs,
    expiresAt: wanted.expiresAt,
  }
  const view = viewOfApiKey(key)
  const { tenantId, scopes, expiresAt } = view
  const data = { tenantId, keyId, scopes: [...scopes], expiresAt, at: view.createdAt }
  const event = eventOf(command, apiKeyCreated.type, `api-key-created:${keyId}`, data)
  const audit = [{ action: 'auth.api_key.created', target: keyId }]
  const added = await deps.apiKeys.add(ctx, command.claim, key, ({ state, count }) => {
    const room = checkRoomForApiKey(state, count)
    return room.ok ? ok({ value: view, events: [event], audit }) : room
  })
  if (!added.ok) return added
  return added.value.duplicate
    ? ok({ view: added.value.answer as ApiKeyView, key: undefined })
    : ok({ view, key: text })
}

/** Ends an API key for good: it is refused from now on, and whoever keeps verdicts hears of it. */
export async function deleteApiKey(
  deps: KeepApiKeysDeps,
  command: {
    readonly ctx: TenantContext
    readonly keyId: string
    readonly nowMs: number
    readonly trace?: Trace
  },
): Promise<Result<void>> {
  const { ctx, keyId, nowMs } = command
  const data = { tenantId: ctx.tenantId, keyId, at: new Date(nowMs).toISOString() }
  const removed = await deps.apiKeys.remove(ctx, keyId, {
    value: null,
    events: [eventOf(command, apiKeyRevoked.type, `api-key-revoked:${keyId}`, data)],
    audit: [{ action: 'auth.api_key.revoked', target: keyId }],
    revocations: [revokeUntilNow('apiKey', keyId, nowMs, 'api_key_deleted')],
  })
  return removed.ok ? ok(undefined) : removed
}

function eventOf<T>(
  { ctx, nowMs, trace }: { readonly ctx: TenantContext; readonly nowMs: number; readonly trace?: Trace },
  type: string,
  id: string,
  data: T,
) {
  const fields = { id, source: '//energent.ai/auth', type, tenantId: ctx.tenantId, nowMs, data }
  return newEvent(trace === undefined ? fields : { ...fields, trace })
}
