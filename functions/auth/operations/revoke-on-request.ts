import type { RevocationRequested } from '#shared/contracts/events/revocation-requested.ts'
import { type RevocationKind, revokeUntilNow } from '#shared/contracts/revocation.ts'
import { RESERVED_TENANT_IDS } from '#shared/ids.ts'
import type { ReceivedEvent } from '#shared/pubsub/types.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { parseClientId } from '../domain/client-id.ts'
import { parseSessionId } from '../domain/session-id.ts'
import type { ClientRegister } from '../ports/clients.ts'
import type { RevocationLedger } from '../ports/revocations.ts'
import { type EndSessionsDeps, revokeAllSessions, revokeSessions } from './end-sessions.ts'
import { deleteApiKey, type KeepApiKeysDeps } from './keep-api-keys.ts'

export type RevokeOnRequestDeps = EndSessionsDeps &
  KeepApiKeysDeps & { readonly clientRegister: ClientRegister; readonly revocationLedger: RevocationLedger }

type Request = ReceivedEvent<RevocationRequested>

/** Who may ask (contracts §3): the topic lets nobody else publish, and what they send says who they are. */
const PUBLISHERS = ['//energent.ai/security-tooling', '//energent.ai/tenant-events']
const FEED_KIND: Readonly<Record<RevocationRequested['kind'], Exclude<RevocationKind, 'token'>>> = {
  tenant: 'tenant',
  user: 'user',
  session: 'session',
  client: 'client',
  key: 'apiKey',
}

/**
 * Revokes what security tooling or tenant-events asks for: durably where the thing is known, and in the
 * feed whether it is or not, so that a token of it is dead even if nobody remembers the thing.
 *
 * Once per event. First the effect, then the claim: a crash between the two does the same again, and a
 * copy that comes later finds the claim and revokes nothing that was issued meanwhile.
 */
export async function revokeOnRequest(
  deps: RevokeOnRequestDeps,
  received: Request,
): Promise<Result<'revoked' | 'seen-before'>> {
  const { event, ctx, claim, nowMs } = received
  const { kind, id, reason } = event.data
  if (!PUBLISHERS.includes(event.source)) return refuse('event.malformed', 'not one who may ask')
  if (RESERVED_TENANT_IDS.includes(ctx.tenantId)) return refuse('event.malformed', 'reserved tenant')
  if (kind === 'tenant' && id !== ctx.tenantId) return refuse('event.tenant_mismatch', 'another tenant')
  if (await deps.revocationLedger.wasDone(ctx, claim)) return ok('seen-before')
  await takeEffect(deps, received)
  const done = await deps.revocationLedger.record(ctx, claim, {
    audit: [{ action: 'auth.revocation.requested', target: `${kind}/${id}`, outcome: reason }],
    revocations: [revokeUntilNow(FEED_KIND[kind], id, nowMs, reason)],
  })
  return done.ok ? ok(done.value ? 'revoked' : 'seen-before') : done
}

/** What is not there has nothing that could be ended; its tokens are revoked all the same. */
async function takeEffect(deps: RevokeOnRequestDeps, { event, ctx, nowMs, trace }: Request): Promise<void> {
  const { kind, id } = event.data
  if (kind === 'tenant') await revokeAllSessions(deps, { ctx, nowMs })
  if (kind === 'user') {
    await revokeSessions(deps, {
      ctx,
      nowMs,
      trace,
      selection: { userId: id },
      reason: 'revocation_requested',
    })
  }
  if (kind === 'session') {
    const sessionId = parseSessionId(id)
    if (sessionId === undefined) return
    await revokeSessions(deps, {
      ctx,
      nowMs,
      trace,
      selection: { sessionId },
      reason: 'revocation_requested',
    })
  }
  if (kind === 'key') await deleteApiKey(deps, { ctx, nowMs, trace, keyId: id })
  if (kind === 'client') await raiseClient(deps, ctx, id, nowMs)
}

async function raiseClient(
  deps: RevokeOnRequestDeps,
  ctx: Request['ctx'],
  id: string,
  nowMs: number,
): Promise<void> {
  const parsed = parseClientId(id)
  if (!parsed.ok || parsed.value.tenantId !== ctx.tenantId) return
  const { clientId } = parsed.value
  await deps.clientRegister.change(ctx, undefined, { clientId, keeperId: undefined }, ({ client }) =>
    ok({
      value: null,
      client: {
        ...client,
        notBefore: Math.max(client.notBefore, Math.floor(nowMs / 1000)),
        revision: client.revision + 1,
      },
      audit: [],
    }),
  )
}
