import type { Ids, TenantId } from '#shared/ids.ts'
import { parseTenantId } from '#shared/ids.ts'
import { ok, type Refusal, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { openByCredential } from '#shared/tenancy/credential.ts'
import { ACCESS_BY_STATE } from '#shared/tokens/tenant-access.ts'
import type { Trace } from '#shared/trace.ts'
import {
  CODE_LIFE_MS,
  hashOfCode,
  type IssuedCode,
  newAuthorizationCode,
} from '../domain/authorization-code.ts'
import { type AuthorizationError, fault } from '../domain/authorization-request.ts'
import type { Client } from '../domain/client.ts'
import { type Connection, callbackUriOf, parseConnectionId } from '../domain/connection.ts'
import { meetsAcr, readIdentity, readSignInFacts, type SignInFacts } from '../domain/idp-identity.ts'
import { isRegisteredRedirect, withParameters } from '../domain/redirect-uri.ts'
import {
  type BrowserKey,
  flowIdOf,
  flowSecrets,
  isFlowState,
  isSameBrowser,
  type SignInFlow,
} from '../domain/sign-in-flow.ts'
import type { User } from '../domain/user.ts'
import type { FailedLoginCount } from '../ports/failures.ts'
import type {
  CallbackParameters,
  ConnectionStore,
  FlowStore,
  IdentityProviders,
  SignOnReader,
} from '../ports/sign-on.ts'
import type { Credentials, KnownState } from '../ports.ts'
import { errorRedirection, type Redirection } from './begin-sign-in.ts'
import { type SignInUserDeps, signInUser } from './sign-in-user.ts'
import { scopesOfUser, type UserAccessDeps } from './user-access.ts'

export type FinishSignInDeps = SignInUserDeps &
  UserAccessDeps & {
    readonly issuer: string
    readonly ids: Ids
    readonly credentials: Credentials
    readonly signOn: SignOnReader
    readonly connections: ConnectionStore
    readonly flows: FlowStore
    readonly providers: IdentityProviders
    readonly failedLogins: FailedLoginCount
  }

export type FinishSignInCommand = {
  /** As they stand in the path. */
  readonly tenantId: string
  readonly connectionId: string
  readonly query: Readonly<Record<string, string>>
  readonly browserKey: BrowserKey | undefined
  readonly nowMs: number
  readonly trace: Trace
}

/** A sign-in whose state, browser, connection and client have been found to belong together. */
type UnderWay = {
  readonly command: FinishSignInCommand
  readonly ctx: TenantContext
  readonly tenantId: TenantId
  readonly tenant: KnownState
  readonly flow: SignInFlow
  readonly key: BrowserKey
  readonly connection: Connection
  readonly client: Client
  readonly parameters: CallbackParameters
}

/**
 * Completes a sign-in: takes the provider's answer once, verifies who signed in, and sends the browser
 * back to the client with a code (OpenID Connect Core §3.1.2.5 to §3.1.3.7, RFC 9207, RFC 9700 §4.4).
 *
 * What cannot be trusted ends on a page of ours and the client hears nothing of it: the answer may be an
 * attacker's, and so may the browser's way here. An answer is taken once, before the provider hears of
 * it; whatever comes of it, the sign-in is over. Throws when the store or the tenant's data key cannot be
 * reached.
 */
export async function finishSignIn(
  deps: FinishSignInDeps,
  command: FinishSignInCommand,
): Promise<Result<Redirection>> {
  const found = await findSignIn(deps, command)
  if (!found.ok) return found
  const underWay = found.value
  const { ctx, connection, flow, key, parameters } = underWay
  const sealed = connection.clientSecretSealed
  const opened = sealed === null ? undefined : await deps.personalData.open(ctx, sealed, 'client-secret')
  if (sealed !== null && opened === undefined) return refuseCallback('the client secret is destroyed')
  const claimed = await deps.flows.claim(ctx, flow.flowId, command.nowMs)
  if (!claimed.ok) return claimed
  const answer = await deps.providers.redeem({
    connection,
    clientSecret: opened,
    callbackUri: callbackUriOf(deps.issuer, underWay.tenantId, connection.connectionId),
    parameters,
    ...flowSecrets(key, parameters.state),
    maxAge: flow.maxAge,
    nowMs: command.nowMs,
  })
  if (answer.kind === 'untrusted') return endUntrusted(deps, underWay, answer.detail)
  if (answer.kind === 'error')
    return endWithError(deps, underWay, errorOfProvider(answer.error), answer.error)
  if (answer.kind === 'unavailable') {
    const error = fault('temporarily_unavailable', 'The identity provider does not answer as it should.')
    return endWithError(deps, underWay, error, answer.detail)
  }
  const facts = readSignInFacts(
    answer.claims,
    { ...connection, promptLogin: flow.promptLogin },
    command.nowMs,
  )
  if (!facts.ok) return endUntrusted(deps, underWay, facts.detail)
  if (!meetsAcr(flow.acrValues, facts.value.acr)) {
    const error = fault('unmet_authentication_requirements', 'The sign-in was not one of those asked for.')
    return endWithError(deps, underWay, error, 'acr')
  }
  const identity = readIdentity(answer.claims, connection)
  const user = await signInUser(deps, {
    ctx,
    connection,
    identity,
    nowMs: command.nowMs,
    trace: command.trace,
  })
  if (!user.ok) return endWithError(deps, underWay, DENIED, user.code)
  return complete(deps, underWay, user.value, facts.value)
}

const DENIED = fault('access_denied', 'This person may not sign in here.')

async function complete(
  deps: FinishSignInDeps,
  underWay: UnderWay,
  user: User,
  facts: SignInFacts,
): Promise<Result<Redirection>> {
  const { client, command, ctx, flow, tenant } = underWay
  const lost = (): Refusal => refuse('client.unauthorized', 'no role allows what was asked for')
  const who = { ctx, client, state: tenant, user }
  const scopes = await scopesOfUser(deps, who, flow.scopes, lost)
  if (!scopes.ok) return endWithError(deps, underWay, DENIED, scopes.detail)
  const code = newAuthorizationCode(deps.ids.bytes(32))
  const issued: IssuedCode = {
    codeHash: hashOfCode(code),
    clientId: flow.clientId,
    userId: user.userId,
    redirectUri: flow.redirectUri,
    codeChallenge: flow.codeChallenge,
    scopes: scopes.value,
    openid: flow.openid,
    nonce: flow.nonce,
    ...facts,
    connectionId: flow.connectionId,
    dpopJkt: flow.dpopJkt,
    sessionId: null,
    expiresAtMs: command.nowMs + CODE_LIFE_MS,
    usedAtMs: null,
  }
  const audit = [{ action: 'auth.sign_in.completed', target: user.userId, outcome: flow.connectionId }]
  const ended = await deps.flows.end(ctx, flow.flowId, command.nowMs, { code: issued, audit })
  if (!ended.ok) return ended
  const state = flow.clientState ?? undefined
  return ok({
    location: withParameters(flow.redirectUri, { code, state, iss: deps.issuer }),
    logged: { tenantId: underWay.tenantId },
  })
}

/** Everything that is looked at before the provider is asked; one refusal, whatever it was. */
async function findSignIn(deps: FinishSignInDeps, command: FinishSignInCommand): Promise<Result<UnderWay>> {
  const tenantId = parseTenantId(command.tenantId)
  if (!tenantId.ok) return tenantId
  const connectionId = parseConnectionId(command.connectionId)
  if (!connectionId.ok) return connectionId
  const parameters = readParameters(command.query)
  if (!parameters.ok) return parameters
  const key = command.browserKey
  if (key === undefined) return refuseCallback('no cookie')
  const flowId = flowIdOf(parameters.value.state)
  const { flow, state: tenant } = await deps.signOn.findFlow(tenantId.value, flowId)
  if (flow === undefined) return refuseCallback('unknown state')
  if (!isSameBrowser(flow, key)) return refuseCallback('another browser')
  if (flow.connectionId !== connectionId.value) return refuseCallback('another connection')
  if (flow.usedAtMs !== null) return refuseCallback('state used before')
  if (command.nowMs >= flow.expiresAtMs) return refuseCallback('expired')
  if (tenant === undefined || ACCESS_BY_STATE[tenant.status].kind === 'none') return refuseCallback('tenant')
  const ctx = openByCredential(tenantId.value, 'flow', flowId)
  const [connection, { client }] = await Promise.all([
    deps.connections.find(ctx, flow.connectionId),
    deps.credentials.find(tenantId.value, flow.clientId),
  ])
  if (connection?.status !== 'active') return refuseCallback('connection gone')
  if (client?.status !== 'active' || !isRegisteredRedirect(client.redirectUris, flow.redirectUri)) {
    return refuseCallback('client gone or changed')
  }
  const found = { ctx, tenantId: tenantId.value, tenant, flow, key, connection, client }
  return ok({ command, parameters: parameters.value, ...found })
}

function readParameters(query: Readonly<Record<string, string>>): Result<CallbackParameters> {
  const { state, code, iss, error } = query
  if (!isFlowState(state)) return refuseCallback('no state of ours')
  if ((code === undefined) === (error === undefined))
    return refuseCallback('neither or both of code and error')
  if ([code, error].some((text) => text !== undefined && !/^[\x20-\x7E]{1,2048}$/.test(text))) {
    return refuseCallback('code or error')
  }
  if (iss !== undefined && (iss === '' || iss.length > 512)) return refuseCallback('iss')
  return ok({ state, code, iss, error })
}

/** Nobody hears of it but the audit; the person sees our page. */
async function endUntrusted(
  deps: FinishSignInDeps,
  { command, ctx, flow, tenantId }: UnderWay,
  detail: string,
): Promise<Refusal> {
  countFailure(deps, { tenantId, flow, command }, 'untrusted answer')
  const audit = [{ action: 'auth.sign_in.refused', target: flow.connectionId, outcome: detail.slice(0, 100) }]
  const ended = await deps.flows.end(ctx, flow.flowId, command.nowMs, { audit })
  return ended.ok ? refuseCallback(detail) : ended
}

async function endWithError(
  deps: FinishSignInDeps,
  { command, ctx, flow, tenantId }: UnderWay,
  error: AuthorizationError,
  detail: string,
): Promise<Result<Redirection>> {
  countFailure(deps, { tenantId, flow, command }, error.error)
  const audit = [{ action: 'auth.sign_in.failed', target: flow.connectionId, outcome: detail.slice(0, 100) }]
  const ended = await deps.flows.end(ctx, flow.flowId, command.nowMs, { audit })
  if (!ended.ok) return ended
  const redirection = errorRedirection(deps.issuer, flow, error, tenantId)
  return ok({
    ...redirection,
    logged: { ...redirection.logged, detail: `${error.error}: ${detail.slice(0, 100)}` },
  })
}

function countFailure(
  deps: FinishSignInDeps,
  { tenantId, flow, command }: Pick<UnderWay, 'tenantId' | 'flow' | 'command'>,
  reason: string,
): void {
  const failed = { tenantId, credential: 'connection', id: flow.connectionId, reason } as const
  deps.failedLogins.count(failed, command.nowMs)
}

const NEEDS_PERSON = [
  'login_required',
  'interaction_required',
  'consent_required',
  'account_selection_required',
]

/** What the provider says, in words that our clients know; its own may be anything. */
function errorOfProvider(error: string): AuthorizationError {
  if (NEEDS_PERSON.includes(error)) return fault('login_required', 'The person has to sign in again.')
  if (error === 'access_denied') return fault('access_denied', 'The sign-in was refused or cancelled.')
  if (error === 'unmet_authentication_requirements') {
    return fault('unmet_authentication_requirements', 'The sign-in was not one of those asked for.')
  }
  return fault('temporarily_unavailable', 'The identity provider could not sign anybody in.')
}

function refuseCallback(detail: string): Refusal {
  const hint = 'It was begun in another browser, too long ago, or it has been completed already.'
  return refuse('callback.invalid', detail, hint)
}
