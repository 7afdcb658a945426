import { MAX_CONNECTIONS } from '#shared/catalogue/tiers.ts'
import type { Ids } from '#shared/ids.ts'
import type { LogFields } from '#shared/log.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { openByCredential } from '#shared/tenancy/credential.ts'
import { ACCESS_BY_STATE } from '#shared/tokens/tenant-access.ts'
import {
  type AuthorizationError,
  type AuthorizationRequest,
  fault,
  parseAskingClient,
  parseAuthorizationRequest,
  proveRedirect,
} from '../domain/authorization-request.ts'
import type { Client } from '../domain/client.ts'
import { type Connection, callbackUriOf } from '../domain/connection.ts'
import { domainOfEmail } from '../domain/email-domain.ts'
import { signInUrl } from '../domain/idp-request.ts'
import { withParameters } from '../domain/redirect-uri.ts'
import {
  type BrowserKey,
  browserHashOf,
  FLOW_LIFE_MS,
  flowIdOf,
  flowSecrets,
  newBrowserKey,
  newFlowState,
  type SignInFlow,
} from '../domain/sign-in-flow.ts'
import type { ConnectionStore, FlowStore } from '../ports/sign-on.ts'
import type { Credentials, KnownState, RateLimit } from '../ports.ts'

export type BeginSignInDeps = {
  readonly issuer: string
  readonly ids: Ids
  readonly credentials: Credentials
  readonly connections: ConnectionStore
  readonly flows: FlowStore
  readonly signInRate: RateLimit
}

export type BeginSignInCommand = {
  readonly query: Readonly<Record<string, string>>
  /** The key in the browser's cookie, if it has one: several sign-ins at once share it. */
  readonly browserKey: BrowserKey | undefined
  readonly nowMs: number
}

/** Where the browser goes next. */
export type Redirection = {
  readonly location: string
  /** To be kept by the browser. */
  readonly browserKey?: BrowserKey
  readonly logged: LogFields
}

/**
 * Begins a sign-in: proves client and redirect URI, chooses the connection, and sends the browser to
 * the tenant's identity provider (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2).
 *
 * What is refused here is shown on a page of ours; from the moment the redirect URI is proven, errors
 * go to the client. Throws when the store is down.
 */
export async function beginSignIn(
  deps: BeginSignInDeps,
  command: BeginSignInCommand,
): Promise<Result<Redirection>> {
  const { query, nowMs } = command
  const asking = parseAskingClient(query)
  if (!asking.ok) return asking
  const { client, state } = await deps.credentials.find(asking.value.tenantId, asking.value.clientId)
  const tenant = state === undefined || ACCESS_BY_STATE[state.status].kind === 'none' ? undefined : state
  const redirectUri = proveRedirect(tenant === undefined ? undefined : client, query)
  if (!redirectUri.ok) return redirectUri
  if (client === undefined || tenant === undefined) throw new TypeError('a proven redirect has a client')
  if (!deps.signInRate.take(client.tenantId, SIGN_INS_PER_SECOND[tenant.tier], nowMs)) {
    return refuse('rate.limited', 'sign-ins of the tier', 'Too many sign-ins at once; try again in a moment.')
  }
  const target = { redirectUri: redirectUri.value, clientState: query['state'] ?? null }
  const request = parseAuthorizationRequest(query, client, deps.issuer)
  if (!request.ok) return ok(errorRedirection(deps.issuer, target, request, client.tenantId))
  const begun = await begin(deps, command, { client, tenant, target, request: request.value })
  return ok('ok' in begun ? errorRedirection(deps.issuer, target, begun, client.tenantId) : begun)
}

/** A person signs in a few times a day: far fewer than tokens are asked for. */
const SIGN_INS_PER_SECOND = { basic: 1, standard: 1, premium: 20, enterprise: 50 } as const

type Target = { readonly redirectUri: string; readonly clientState: string | null }

async function begin(
  deps: BeginSignInDeps,
  { browserKey, nowMs }: BeginSignInCommand,
  asked: {
    readonly client: Client
    readonly tenant: KnownState
    readonly target: Target
    readonly request: AuthorizationRequest
  },
): Promise<Redirection | AuthorizationError> {
  const { client, request } = asked
  const state = newFlowState(deps.ids.bytes(32))
  const flowId = flowIdOf(state)
  const ctx = openByCredential(client.tenantId, 'flow', flowId)
  const all = MAX_CONNECTIONS[asked.tenant.tier] === 0 ? [] : await deps.connections.list(ctx)
  const connection = chooseConnection(all, request)
  if (connection === undefined) {
    return fault(
      'invalid_request',
      'No connection fits: name one with connection, or the person with login_hint.',
    )
  }
  const key = browserKey ?? newBrowserKey(deps.ids.bytes(32))
  await deps.flows.begin(ctx, flowOf(asked, { connection, flowId, key, nowMs }))
  const callbackUri = callbackUriOf(deps.issuer, client.tenantId, connection.connectionId)
  return {
    location: signInUrl(connection, request, { callbackUri, state, ...flowSecrets(key, state) }),
    browserKey: key,
    logged: { tenantId: client.tenantId },
  }
}

/**
 * The connection named, or that of the person's e-mail domain (home realm discovery), or the only one
 * there is. A name that fits none is never answered with another one.
 */
function chooseConnection(
  all: readonly Connection[],
  { connectionId, loginHint }: Pick<AuthorizationRequest, 'connectionId' | 'loginHint'>,
): Connection | undefined {
  const active = all.filter(({ status }) => status === 'active')
  if (connectionId !== undefined) return active.find((connection) => connection.connectionId === connectionId)
  const domain = loginHint === undefined ? undefined : domainOfEmail(loginHint)
  const byDomain = domain === undefined ? [] : active.filter(({ domains }) => domains.includes(domain))
  const [first] = byDomain.length > 0 ? byDomain : active
  return byDomain.length === 1 || active.length === 1 ? first : undefined
}

function flowOf(
  { client, request, target }: Parameters<typeof begin>[2],
  begun: {
    readonly connection: Connection
    readonly flowId: string
    readonly key: BrowserKey
    readonly nowMs: number
  },
): SignInFlow {
  return {
    flowId: begun.flowId,
    connectionId: begun.connection.connectionId,
    clientId: client.clientId,
    redirectUri: target.redirectUri,
    clientState: target.clientState,
    codeChallenge: request.codeChallenge,
    scopes: request.scopes,
    openid: request.openid,
    nonce: request.nonce,
    maxAge: request.maxAge,
    acrValues: request.acrValues,
    promptLogin: request.prompt?.split(' ').includes('login') === true,
    dpopJkt: request.dpopJkt,
    browserHash: browserHashOf(begun.key),
    startedAt: begun.nowMs,
    expiresAtMs: begun.nowMs + FLOW_LIFE_MS,
    usedAtMs: null,
    endedAtMs: null,
  }
}

/** An error that goes to the client, with the state it sent and who answers (RFC 9207). */
export function errorRedirection(
  issuer: string,
  { redirectUri, clientState }: Target,
  { error, description }: AuthorizationError,
  tenantId: string,
): Redirection {
  const location = withParameters(redirectUri, {
    error,
    error_description: description,
    state: clientState ?? undefined,
    iss: issuer,
  })
  return { location, logged: { tenantId, detail: error } }
}
