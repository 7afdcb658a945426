import { randomBytes } from 'node:crypto'
import { aBrowser, type Browser, formAction } from '#local/demo/browser.ts'
import { demoConnection } from '#local/stack/seed.ts'
import type { TestStack } from '../../e2e/test-stack.ts'
import { claimsOf, sha256 } from './forge.ts'

export const REDIRECT_URI = 'http://127.0.0.1:1/callback'
const TENANT = 'globex'

export type Tokens = {
  readonly accessToken: string
  readonly refreshToken: string
  readonly idToken: string
  readonly userId: string
  readonly sessionId: string
}

/** A code on its way to its application, with what the application knows besides. */
export type Code = {
  readonly code: string
  readonly verifier: string
  readonly clientId: string
  readonly redirectUri: string
  readonly state: string
}

export type Role = 'developer' | 'viewer' | 'owner'

/** People of the tenant that is attacked: signed in at their identity provider, each in a browser of their own. */
export type People = {
  /** The public client that they sign in at. */
  readonly app: string
  readonly connectionId: string
  readonly of: Readonly<Record<Role, Tokens>>
  browser(role: Role): Browser
  /** The address that the application sends the browser to. */
  authorizeUrl(more?: Readonly<Record<string, string | undefined>>): string
  /** A fresh code, by the session that the person has at their provider. */
  code(role?: Role, more?: Readonly<Record<string, string | undefined>>): Promise<Code>
  /** A new session of ours. */
  session(role?: Role): Promise<Tokens>
}

export async function signInPeople(stack: TestStack): Promise<People> {
  const tenant = stack.info().tenants.find(({ tenantId }) => tenantId === TENANT)
  if (tenant?.signOn === undefined) throw new Error(`${TENANT} has no single sign-on`)
  const { clientId } = tenant.signOn
  const { connectionId } = demoConnection(TENANT, stack.info().idp.issuer)
  const { gatewayUrl } = stack.info()
  const browsers: Readonly<Record<Role, Browser>> = {
    developer: aBrowser(),
    viewer: aBrowser(),
    owner: aBrowser(),
  }
  const authorizeUrl: People['authorizeUrl'] = (more = {}) => {
    const parameters = {
      ...{ client_id: clientId, redirect_uri: REDIRECT_URI, response_type: 'code' },
      ...{ scope: 'openid tenant:read', state: randomBytes(16).toString('hex') },
      ...{ code_challenge: sha256('x'.repeat(43)), code_challenge_method: 'S256' },
      ...more,
    }
    const given = Object.entries(parameters).filter((pair): pair is [string, string] => pair[1] !== undefined)
    return `${gatewayUrl}/oauth2/authorize?${new URLSearchParams(given)}`
  }
  const follow = async (role: Role, url: string, until: string): Promise<string> => {
    const browser = browsers[role]
    const first = await browser.follow(url, until)
    if (first.page === '') return first.url
    const person = tenant.users.find((user) => user.role === role)
    const { login = '', password = '' } = person ?? {}
    return (await browser.follow(formAction(first), until, { login, password })).url
  }
  const code: People['code'] = async (role = 'developer', more = {}) => {
    const verifier = randomBytes(32).toString('hex')
    const url = authorizeUrl({ code_challenge: sha256(verifier), ...more })
    const redirectUri = more['redirect_uri'] ?? REDIRECT_URI
    const back = new URL(await follow(role, url, redirectUri)).searchParams
    const got = back.get('code')
    if (got === null) throw new Error(`no code: ${back}`)
    const state = back.get('state') ?? ''
    return { code: got, verifier, clientId: more['client_id'] ?? clientId, redirectUri, state }
  }
  const session: People['session'] = async (role = 'developer') => {
    const made = await code(role)
    const answer = await fetch(`${gatewayUrl}/oauth2/token`, {
      method: 'POST',
      body: new URLSearchParams({
        ...{ grant_type: 'authorization_code', client_id: made.clientId, code: made.code },
        ...{ redirect_uri: made.redirectUri, code_verifier: made.verifier },
      }),
    })
    const body = (await answer.json()) as Record<string, string>
    const { access_token: accessToken = '', refresh_token: refreshToken = '', id_token: idToken = '' } = body
    if (accessToken === '') throw new Error(JSON.stringify(body))
    const { sub, sid } = claimsOf(accessToken)
    return { accessToken, refreshToken, idToken, userId: String(sub), sessionId: String(sid) }
  }
  const [developer, viewer, owner] = await Promise.all([
    session('developer'),
    session('viewer'),
    session('owner'),
  ])
  return {
    app: clientId,
    connectionId,
    of: { developer, viewer, owner },
    browser: (role) => browsers[role],
    authorizeUrl,
    code,
    session,
  }
}
