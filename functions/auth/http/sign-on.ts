import type { HandlersOf } from '#shared/http/edge.ts'
import type { PublicHandler } from '#shared/http/types.ts'
import { ok, refuse } from '#shared/result.ts'
import type { AuthDeps } from '../deps.ts'
import { parameterOf } from '../domain/form.ts'
import { type BrowserKey, readBrowserKey } from '../domain/sign-in-flow.ts'
import { beginSignIn } from '../operations/begin-sign-in.ts'
import { endIdpSession } from '../operations/end-idp-session.ts'
import { finishSignIn } from '../operations/finish-sign-in.ts'
import { flowCookieName, redirectReply } from '../sign-in-reply.ts'
import { oauthForm } from './token.ts'

export function signOnHandlers(
  deps: AuthDeps,
): Pick<HandlersOf<'auth'>, 'authorize' | 'completeSignIn' | 'endProviderSession'> {
  return {
    authorize: beginHandler(deps),
    completeSignIn: finishHandler(deps),
    endProviderSession: logoutHandler(deps),
  }
}

function beginHandler(deps: AuthDeps): PublicHandler {
  return async (request) => {
    const { query, nowMs } = request
    const begun = await beginSignIn(deps, { query, browserKey: browserKeyOf(deps, request), nowMs })
    return begun.ok ? ok(redirectReply(begun.value, deps.issuer)) : begun
  }
}

function finishHandler(deps: AuthDeps): PublicHandler {
  return async (request) => {
    const { query, nowMs, trace, params } = request
    const finished = await finishSignIn(deps, {
      tenantId: params['tenantId'] ?? '',
      connectionId: params['connectionId'] ?? '',
      query,
      browserKey: browserKeyOf(deps, request),
      nowMs,
      trace,
    })
    return finished.ok ? ok(redirectReply(finished.value, deps.issuer)) : finished
  }
}

function logoutHandler(deps: AuthDeps): PublicHandler {
  return async (request) => {
    const { nowMs, trace, params } = request
    const form = oauthForm(request)
    if (!form.ok) return form
    const logoutToken = parameterOf(form.value, 'logout_token')
    if (logoutToken === undefined)
      return refuse('request.malformed', 'no logout_token', 'logout_token is missing.')
    const tenantId = params['tenantId'] ?? ''
    const connectionId = params['connectionId'] ?? ''
    const ended = await endIdpSession(deps, { tenantId, connectionId, logoutToken, nowMs, trace })
    if (!ended.ok) return ended
    return ok({
      status: 200,
      headers: { 'cache-control': 'no-store' },
      logged: { tenantId, detail: `sessions ended: ${ended.value}` },
    })
  }
}

function browserKeyOf(deps: AuthDeps, request: Parameters<PublicHandler>[0]): BrowserKey | undefined {
  return readBrowserKey(request.header('cookie'), flowCookieName(deps.issuer))
}
