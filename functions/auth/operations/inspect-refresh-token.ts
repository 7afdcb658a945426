import type { TenantContext } from '#shared/tenancy/context.ts'
import { judgeRefresh } from '../domain/refresh.ts'
import { isAuthentic, parseRefreshToken } from '../domain/refresh-token.ts'
import type { Session } from '../domain/session.ts'
import type { SessionStore } from '../ports/sessions.ts'
import type { PepperStore } from '../ports.ts'

export type InspectRefreshTokenDeps = { readonly sessions: SessionStore; readonly peppers: PepperStore }

export type InspectedRefreshToken = {
  readonly session: Session
  /** Whether a refresh with it would succeed now, as far as the session goes. */
  readonly active: boolean
}

/**
 * What an authentic refresh token of this tenant belongs to, for introspection and revocation; undefined
 * for everything else. It changes nothing: a token that was used before is only not active.
 *
 * Reads nothing for what is no token of ours. Throws when the store is down.
 */
export async function inspectRefreshToken(
  deps: InspectRefreshTokenDeps,
  { ctx, text, nowMs }: { readonly ctx: TenantContext; readonly text: string; readonly nowMs: number },
): Promise<InspectedRefreshToken | undefined> {
  const token = parseRefreshToken(text)
  if (!token.ok) return undefined
  const found = await deps.sessions.find(ctx, token.value.sessionId)
  if (found === undefined) return undefined
  const { session, watermarks } = found
  const peppers = await deps.peppers.all([session.pepperVersion])
  if (!isAuthentic(token.value, { ...session, tenantId: ctx.tenantId }, peppers)) return undefined
  // With the key it is bound to: whoever asks is not the one who uses it.
  const attempt = { counter: token.value.counter, asked: undefined, jkt: session.jkt ?? undefined }
  const judged = judgeRefresh(session, attempt, watermarks, nowMs)
  const active = judged.ok && judged.value.kind !== 'reused'
  return { session, active }
}
