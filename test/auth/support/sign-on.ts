import { createHash, randomBytes } from 'node:crypto'
import { type AuthStack, addFirstOperator, OPERATOR, startAuth, tokenOf } from './auth-stack.ts'
import { codeFor, type FakeIdp, fakeIdp } from './fake-idp.ts'
import { pushFact } from './tenant-facts.ts'

export const CALLBACK = 'https://app.example/callback?keep=1'

/** One tenant with a connection and an application, and the provider that the connection is to. */
export type SignOnStack = AuthStack & {
  readonly idp: FakeIdp
  readonly clientId: string
  readonly txt: Map<string, string[]>
  call(method: string, path: string, json?: unknown, headers?: Record<string, string>): Promise<Answer>
}

export type Answer = {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, unknown>
}

export const CONNECTION = '/v1/tenants/acme/connections/con_main'

export async function startSignOn(): Promise<SignOnStack> {
  const txt = new Map<string, string[]>()
  let now = (): number => 0
  const idp = fakeIdp(() => now())
  const stack = await startAuth({ outbound: idp.fetch, txt: { txt: async (name) => txt.get(name) ?? [] } })
  now = stack.clock.now
  await addFirstOperator(stack)
  await pushFact(stack, 'acme', 'activated', 1, { tier: 'enterprise' })
  const call: SignOnStack['call'] = async (method, path, body, headers = {}) => {
    const response = await fetch(`${stack.httpUrl}${path}`, {
      method,
      headers: {
        // A new one each time: tests move the clock past the life of a token.
        authorization: `Bearer ${await tokenOf(stack, OPERATOR)}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) }
  }
  const client = await call('POST', '/v1/tenants/acme/clients', {
    name: 'app',
    authMethod: 'none',
    grants: ['authorization_code', 'refresh_token'],
    redirectUris: [CALLBACK, 'http://127.0.0.1/native'],
    scopes: ['tenant:read', 'usage:read', 'usage:write'],
  })
  if (client.status !== 201) throw new Error(JSON.stringify(client.body))
  const made = await call('POST', '/v1/tenants/acme/connections', {
    connectionId: 'con_main',
    issuer: idp.issuer,
    clientId: 'us',
    clientSecret: 'the-provider-knows',
    groupRoles: [{ group: 'developer', role: 'developer' }],
  })
  if (made.status !== 201) throw new Error(JSON.stringify(made.body))
  return { ...stack, idp, txt, call, clientId: String(client.body['clientId']) }
}

export const VERIFIER = randomBytes(32).toString('base64url')

export function authorizeUrl(stack: SignOnStack, more: Record<string, string | undefined> = {}): string {
  const parameters: Record<string, string | undefined> = {
    client_id: stack.clientId,
    redirect_uri: CALLBACK,
    response_type: 'code',
    scope: 'openid tenant:read',
    state: 'client-state',
    code_challenge: createHash('sha256').update(VERIFIER).digest('base64url'),
    code_challenge_method: 'S256',
    ...more,
  }
  const given = Object.entries(parameters).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  )
  return `${stack.httpUrl}/oauth2/authorize?${new URLSearchParams(given).toString()}`
}

/** One request as a browser makes it: with its cookie, and without following. */
export async function browse(url: string, cookie?: string) {
  const response = await fetch(url, {
    redirect: 'manual',
    ...(cookie === undefined ? {} : { headers: { cookie } }),
  })
  const location = response.headers.get('location')
  return {
    status: response.status,
    location,
    /** What came back in the redirect. */
    parameters: new URL(location ?? 'https://none.example').searchParams,
    cookie: response.headers.getSetCookie()[0]?.split(';')[0],
    setCookie: response.headers.getSetCookie()[0],
    headers: response.headers,
    page: await response.text(),
  }
}

/** Begins a sign-in; the provider has let the person in. */
export async function begin(
  stack: SignOnStack,
  more: Record<string, string | undefined> = {},
  cookie?: string,
) {
  const begun = await browse(authorizeUrl(stack, more), cookie)
  if (begun.status !== 302) throw new Error(`${begun.status} ${begun.page}`)
  return { ...begun, cookie: begun.cookie ?? '', answer: codeFor(begun.location ?? '') }
}

export function callbackUrl(
  stack: SignOnStack,
  answer: Record<string, string>,
  path = 'acme/con_main',
): string {
  return `${stack.httpUrl}/sso/${path}/callback?${new URLSearchParams(answer).toString()}`
}

/** A whole sign-in; what the browser is told at its end. */
export async function signIn(stack: SignOnStack, more: Record<string, string | undefined> = {}) {
  const begun = await begin(stack, more)
  return browse(callbackUrl(stack, begun.answer), begun.cookie)
}

/** Exchanges the code of a sign-in. */
export async function redeem(stack: SignOnStack, code: string | null, more: Record<string, string> = {}) {
  const response = await fetch(`${stack.httpUrl}/oauth2/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: stack.clientId,
      redirect_uri: CALLBACK,
      code_verifier: VERIFIER,
      code: code ?? '',
      ...more,
    }),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}
