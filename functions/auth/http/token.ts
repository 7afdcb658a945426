import type { HandlersOf } from '#shared/http/edge.ts'
import type { ApiReply, PublicHandler } from '#shared/http/types.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { checkDpopProof, type DpopProof } from '#shared/tokens/dpop-proof.ts'
import type { AuthDeps } from '../deps.ts'
import { TOKEN_EXCHANGE } from '../domain/client.ts'
import { type Form, parseForm } from '../domain/form.ts'
import { isAnonymousExchange, parseAsked, parseTokenRequest } from '../domain/token-request.ts'
import { tokenReply } from '../oauth-reply.ts'
import { exchangeWorkloadToken } from '../operations/exchange-workload-token.ts'
import { answerTokenRequest, type TokenCall, useProof } from '../operations/grants.ts'

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
    const proof = await proofOf(deps, request)
    if (!proof.ok) return proof
    const call = { proof: proof.value, jkt: proof.value?.jkt, nowMs, trace, clientAddress, log }
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
  // The token is not given out yet; before it was made, anybody could have filled the memory.
  const used = useProof(deps, call)
  if (!used.ok) return used
  return ok({ ...tokenReply(answered.value), logged: { grant: TOKEN_EXCHANGE, ...answered.value.logged } })
}

/** The DPoP proof of a token request, checked against the endpoint's public URL. */
async function proofOf(
  { issuer }: AuthDeps,
  request: Parameters<PublicHandler>[0],
): Promise<Result<DpopProof | undefined>> {
  const text = request.header('dpop')
  if (text === undefined) return ok(undefined)
  return checkDpopProof(text, { method: 'POST', url: `${issuer}/oauth2/token`, nowMs: request.nowMs })
}
