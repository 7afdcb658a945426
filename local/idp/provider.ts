import { createHash } from 'node:crypto'
import { Provider } from 'oidc-provider'
import type { IdpKeys } from './keys.ts'
import { errorPage } from './pages.ts'
import type { Account, IdpSettings, IdpTenant } from './settings.ts'

const HOUR = 3600
const DAY = 24 * HOUR
const SCOPES = 'openid email profile roles offline_access'

/** Every account of every tenant, by subject; a subject never changes for a tenant and login. */
export function accountsOf(tenants: readonly IdpTenant[]): ReadonlyMap<string, Account> {
  const accounts = tenants.flatMap(({ tenantId, users }) =>
    users.map((user): Account => {
      const digest = createHash('sha256').update(`${tenantId}\n${user.login.toLowerCase()}`).digest('hex')
      return { ...user, tenantId, subject: digest.slice(0, 32) }
    }),
  )
  return new Map(accounts.map((account) => [account.subject, account]))
}

/** The real oidc-provider, set up as an enterprise's identity provider with our connections as its clients. */
export function createProvider(
  issuer: string,
  settings: IdpSettings,
  keys: IdpKeys,
  accounts: ReadonlyMap<string, Account>,
): Provider {
  return new Provider(issuer, {
    clients: settings.tenants.map(clientOf),
    jwks: keys.jwks,
    cookies: { keys: keys.cookies },
    findAccount: (_context: unknown, subject: string) => accountClaims(accounts.get(subject)),
    claims: {
      openid: ['sub', 'acr', 'amr', 'auth_time', 'sid'],
      email: ['email', 'email_verified'],
      profile: ['name', 'preferred_username'],
      roles: ['roles', 'groups'],
    },
    scopes: SCOPES.split(' '),
    // Most enterprise providers put the claims into the ID token itself.
    conformIdTokenClaims: false,
    acrValues: ['urn:energent:local:password'],
    interactions: {
      url: (_context: unknown, interaction: { uid: string }) => `/interaction/${interaction.uid}`,
    },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true, logoutSource, postLogoutSuccessSource: loggedOut },
      revocation: { enabled: true },
      introspection: { enabled: true },
    },
    ttl: {
      AccessToken: HOUR,
      AuthorizationCode: 60,
      Grant: 14 * DAY,
      IdToken: HOUR,
      Interaction: HOUR,
      Session: 14 * DAY,
      RefreshToken: 14 * DAY,
    },
    // Its dispatcher refuses loopback addresses, and here every client lives on one.
    fetch: (url: string, { dispatcher: _guard, ...options }: RequestInit & { dispatcher?: unknown }) =>
      fetch(url, options),
    loadExistingGrant: grantSilently,
    renderError: (
      context: { type: string; body: string },
      out: { error: string; error_description?: string },
    ) => {
      context.type = 'html'
      context.body = errorPage(out.error, out.error_description ?? '')
    },
  })
}

function clientOf(tenant: IdpTenant): object {
  return {
    client_id: tenant.clientId,
    client_secret: tenant.clientSecret,
    client_name: tenant.tenantId,
    redirect_uris: tenant.redirectUris,
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'client_secret_basic',
    id_token_signed_response_alg: 'RS256',
    ...(tenant.postLogoutRedirectUris === undefined
      ? {}
      : { post_logout_redirect_uris: tenant.postLogoutRedirectUris }),
    ...(tenant.backchannelLogoutUri === undefined
      ? {}
      : { backchannel_logout_uri: tenant.backchannelLogoutUri, backchannel_logout_session_required: true }),
  }
}

function accountClaims(account: Account | undefined): object | undefined {
  if (account === undefined) return undefined
  const { subject, login, role } = account
  const name = login.split('@')[0] ?? login
  return {
    accountId: subject,
    claims: () => ({
      sub: subject,
      email: login,
      email_verified: true,
      name,
      preferred_username: login,
      roles: [role],
      groups: [role],
    }),
  }
}

type GrantContext = {
  readonly oidc: {
    readonly provider: Provider
    readonly client: { readonly clientId: string }
    readonly session: { readonly accountId: string; grantIdFor(clientId: string): string | undefined }
  }
}

/** An administrator has agreed for everybody: no user is asked what our connection may see. */
async function grantSilently(context: GrantContext): Promise<object> {
  const { provider, client, session } = context.oidc
  const grant = new provider.Grant({ accountId: session.accountId, clientId: client.clientId })
  grant.addOIDCScope(SCOPES)
  await grant.save()
  return grant
}

/** The form oidc-provider made ends the session when it is sent; a button sends it, no script needed. */
function logoutSource(context: { type: string; body: string }, form: string): void {
  context.type = 'html'
  context.body = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sign out</title></head><body><main><h1>Sign out?</h1>${form}<button type="submit" form="op.logoutForm" name="logout" value="yes">Sign out</button></main></body></html>`
}

function loggedOut(context: { type: string; body: string }): void {
  context.type = 'html'
  context.body =
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Signed out</title></head><body><main><h1>Signed out</h1></main></body></html>'
}
