import type { HandlersOf } from '#shared/http/edge.ts'
import type { ApiReply, PublicHandler } from '#shared/http/types.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { AuthDeps } from '../deps.ts'
import { TOKEN_EXCHANGE } from '../domain/client.ts'
import { type Form, parseForm } from '../domain/form.ts'
import { isAnonymousExchange, parseAsked, parseTokenRequest } from '../domain/token-request.ts'
import { tokenReply } from '../oauth-reply.ts'
import { exchangeWorkloadToken } from '../operations/exchange-workload-token.ts'
import { answerTokenRequest, type TokenCall } from '../operations/grants.ts'

/** Credentials and grants never travel in a URL, where every log keeps them (RFC 9700 §4.2). */
const BODY_ONLY = [
  'grant_type',
  'client_id',
  'client_secret',
  'client_assertion',
  'scope',
  'resource',
  'audience',
  'code',
  'refresh_token',
  'subject_token',
  'actor_token',
  'token',
]

export function tokenHandlers(deps: AuthDeps): Pick<HandlersOf<'auth'>, 'createToken'> {
  return { createToken: tokenHandler(deps) }
}

/** The form of an OAuth endpoint, which must not stand in the URL. */
export function oauthForm(request: Parameters<PublicHandler>[0]): Result<Form> {
  if (BODY_ONLY.some((name) => request.query[name] !== undefined)) {
    return refuse('request.malformed', 'query', 'Send the parameters in the body, not in the URL.')
  }
  return parseForm(request.body)
}

function tokenHandler(deps: AuthDeps): PublicHandler {
  return async (request) => {
    const form = oauthForm(request)
    if (!form.ok) return form
    const { nowMs, trace, clientAddress, log } = request
    const call = { jkt: undefined, nowMs, trace, clientAddress, log }
    if (isAnonymousExchange(form.value, request.authorization)) {
      return answerAnonymous(deps, form.value, call)
    }
    const asked = parseTokenRequest(form.value, request.authorization, deps.issuer)
    if (!asked.ok) return asked
    const answered = await answerTokenRequest(deps, asked.value, call)
    if (!answered.ok) return answered
    return ok({
      ...tokenReply(answered.value),
      logged: { grant: asked.value.grant, ...answered.value.logged },
    })
  }
}

/** A workload has nothing but its cluster's token. */
async function answerAnonymous(deps: AuthDeps, form: Form, call: TokenCall): Promise<Result<ApiReply>> {
  const asked = parseAsked(form, deps.issuer)
  if (!asked.ok) return asked
  const answered = await exchangeWorkloadToken(deps, asked.value, call)
  if (!answered.ok) return answered
  return ok({ ...tokenReply(answered.value), logged: { grant: TOKEN_EXCHANGE, ...answered.value.logged } })
}
