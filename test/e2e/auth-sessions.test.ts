import * as oauth from 'oauth4webapi'
import * as oidc from 'openid-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { aBrowser, formAction } from '#local/demo/browser.ts'
import type { DemoTenant } from '#local/stack/seed.ts'
import { control, eventually, startTestStack, type TestStack } from './test-stack.ts'

const CALLBACK = 'http://127.0.0.1:1/callback'
const INSECURE = { [oauth.allowInsecureRequests]: true }

let stack: TestStack
let globex: DemoTenant
let client: oidc.Configuration

beforeAll(async () => {
  stack = await startTestStack()
  const found = stack.info().tenants.find(({ tenantId }) => tenantId === 'globex')
  if (found?.signOn === undefined) throw new Error('globex has no single sign-on')
  globex = found
  client = await oidc.discovery(issuer(), found.signOn.clientId, undefined, oidc.None(), {
    execute: [oidc.allowInsecureRequests],
  })
}, 90_000)
afterAll(() => stack?.close())

const issuer = (): URL => new URL(stack.info().gatewayUrl)

/** The person's browser comes back to the application with a code. */
async function comeBack(role: string, more: Readonly<Record<string, string>> = {}) {
  const verifier = oidc.randomPKCECodeVerifier()
  const [state, nonce] = [oidc.randomState(), oidc.randomNonce()]
  const url = oidc.buildAuthorizationUrl(client, {
    redirect_uri: CALLBACK,
    scope: 'openid tenant:read',
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    ...more,
  })
  const person = globex.users.find((user) => user.role === role)
  if (person === undefined) throw new Error(`no ${role}`)
  const browser = aBrowser()
  const form = await browser.follow(url.href, CALLBACK)
  const { login, password } = person
  const back = await browser.follow(formAction(form), CALLBACK, { login, password })
  const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce }
  return { url: new URL(back.url), checks, verifier }
}

async function signIn(role: string, more: Readonly<Record<string, string>> = {}) {
  const { url, checks } = await comeBack(role, more)
  return oidc.authorizationCodeGrant(client, url, checks)
}

const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'))

/** What the gateway and the function behind it say to a token, at another function than the one that made it. */
async function statusOf(token: string): Promise<number> {
  return (await stack.api().call('GET', '/v1/tenants/globex', { token })).status
}

async function diesWithin(token: string): Promise<void> {
  await eventually(
    'the token is refused',
    async () => ((await statusOf(token)) === 401 ? true : undefined),
    10_000,
  )
}

test('the certified client takes our tokens: the ID token, the access token, and what a refresh gives', async () => {
  const got = await signIn('developer')
  const server = await oauth
    .discoveryRequest(issuer(), { algorithm: 'oauth2', ...INSECURE })
    .then((answer) => oauth.processDiscoveryResponse(issuer(), answer))
  const request = new Request(new URL('/v1/tenants/globex', issuer()), {
    headers: { authorization: `Bearer ${got.access_token}` },
  })
  const accepted = await oauth.validateJwtAccessToken(server, request, issuer().origin, INSECURE)
  const again = await oidc.refreshTokenGrant(client, got.refresh_token ?? '')

  expect(got.claims()).toMatchObject({ sub: accepted.sub, aud: client.clientMetadata().client_id })
  expect(accepted).toMatchObject({ sid: got.claims()?.['sid'], scope: 'tenant:read' })
  expect(again).toMatchObject({ token_type: 'bearer', scope: 'openid tenant:read' })
  expect(again.claims()).toMatchObject({ sub: accepted.sub, auth_time: accepted['auth_time'] })
  expect(again.refresh_token).not.toBe(got.refresh_token)
  expect(claimsOf(again.access_token)).toMatchObject({
    sid: accepted['sid'],
    auth_time: accepted['auth_time'],
  })
  expect([await statusOf(got.access_token), await statusOf(again.access_token)]).toEqual([200, 200])
})

test('an ID token opens nothing', async () => {
  const got = await signIn('developer')
  // The gateway's word for an audience that is not ours; the functions' own is 401.
  expect(await statusOf(got.id_token ?? '')).toBe(403)
})

describe('a refresh token', () => {
  test('sent twice at once gives one successor, and nobody is signed out', async () => {
    const { refresh_token: token = '' } = await signIn('developer')
    const answers = await Promise.all([1, 2, 3, 4].map(() => oidc.refreshTokenGrant(client, token)))
    const [successor = ''] = new Set(answers.map((answer) => answer.refresh_token))
    expect(answers.map((answer) => answer.refresh_token)).toEqual(Array.from({ length: 4 }, () => successor))
    expect(await oidc.refreshTokenGrant(client, successor)).toMatchObject({ scope: 'openid tenant:read' })
  })

  test('sent again after half a minute ends the session, everywhere', async () => {
    const { refresh_token: first = '' } = await signIn('developer')
    const second = await oidc.refreshTokenGrant(client, first)
    expect(await statusOf(second.access_token)).toBe(200)
    await control(stack, 'POST', '/clock', { advanceSeconds: 31 })

    await expect(oidc.refreshTokenGrant(client, first)).rejects.toMatchObject({ error: 'invalid_grant' })

    await diesWithin(second.access_token)
    await expect(oidc.refreshTokenGrant(client, second.refresh_token ?? '')).rejects.toMatchObject({
      error: 'invalid_grant',
    })
  })

  test('of one client is nothing to another, and a wider scope is not given', async () => {
    const { refresh_token: token = '' } = await signIn('developer')
    const machine = { clientId: globex.clientId, clientSecret: globex.clientSecret }
    const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: token })
    const basic = Buffer.from(`${machine.clientId}:${machine.clientSecret}`).toString('base64')
    const stolen = await fetch(new URL('/oauth2/token', issuer()), {
      method: 'POST',
      headers: { authorization: `Basic ${basic}` },
      body: form,
    })
    expect(stolen.status).toBe(400)
    await expect(oidc.refreshTokenGrant(client, token, { scope: 'users:manage' })).rejects.toMatchObject({
      error: 'invalid_scope',
    })
    expect(await oidc.refreshTokenGrant(client, token, { scope: 'tenant:read' })).toMatchObject({
      scope: 'tenant:read',
    })
  })
})

describe('a browser application with a key of its own (DPoP)', () => {
  test('gets tokens that nobody uses or refreshes without the key', async () => {
    const keys = await oidc.randomDPoPKeyPair('ES256')
    const DPoP = oidc.getDPoPHandle(client, keys)
    const { url, checks } = await comeBack('developer')
    const got = await oidc.authorizationCodeGrant(client, url, checks, undefined, { DPoP })
    const resource = new URL('/v1/tenants/globex', issuer())
    const asked = await oidc.fetchProtectedResource(
      client,
      got.access_token,
      resource,
      'GET',
      null,
      undefined,
      { DPoP },
    )
    const other = oidc.getDPoPHandle(client, await oidc.randomDPoPKeyPair('ES256'))
    const steal = () => oidc.refreshTokenGrant(client, got.refresh_token ?? '', undefined, { DPoP: other })

    expect(got.token_type).toBe('dpop')
    expect(asked.status).toBe(200)
    expect(await statusOf(got.access_token)).toBe(401)
    await expect(steal()).rejects.toMatchObject({ error: 'invalid_grant' })
    await expect(oidc.refreshTokenGrant(client, got.refresh_token ?? '')).rejects.toMatchObject({
      error: 'invalid_grant',
    })
    expect(await oidc.refreshTokenGrant(client, got.refresh_token ?? '', undefined, { DPoP })).toMatchObject({
      token_type: 'dpop',
    })
  })
})

describe('a code', () => {
  test('that comes a second time is refused, and takes back what the first gave', async () => {
    const { url, checks } = await comeBack('developer')
    const first = await oidc.authorizationCodeGrant(client, url, checks)
    await expect(oidc.authorizationCodeGrant(client, url, checks)).rejects.toMatchObject({
      error: 'invalid_grant',
    })
    await diesWithin(first.access_token)
  })

  // A loser that is judged before the winner's token is made ends the session, and then nobody gets one.
  test('sent four times at once is redeemed once at most', async () => {
    const { url, checks } = await comeBack('developer')
    const answers = await Promise.allSettled(
      [1, 2, 3, 4].map(() => oidc.authorizationCodeGrant(client, url, checks)),
    )
    expect(answers.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(1)
  })

  test('without its verifier, or with another, is refused as one that never was', async () => {
    const { url } = await comeBack('developer')
    const ask = async (more: Record<string, string>) => {
      const answer = await fetch(new URL('/oauth2/token', issuer()), {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'authorization_code',
          client_id: client.clientMetadata().client_id,
          code: url.searchParams.get('code') ?? '',
          redirect_uri: CALLBACK,
          ...more,
        }),
      })
      return { status: answer.status, body: (await answer.json()) as { error: string } }
    }
    const invalid = { status: 400, body: { error: 'invalid_grant' } }
    expect(await ask({})).toMatchObject(invalid)
    const wrong = await ask({ code_verifier: 'x'.repeat(43) })
    expect(wrong).toMatchObject(invalid)
    expect(await ask({ code: 'dco_nothing', code_verifier: 'x'.repeat(43) })).toEqual(wrong)
  })
})

describe('sessions over the API', () => {
  test('are seen and ended by the person themselves', async () => {
    const here = await signIn('developer')
    const there = await signIn('developer')
    const userId = String(here.claims()?.sub)
    const path = `/v1/tenants/globex/users/${userId}/sessions`
    const call = (method: string, below = '') =>
      stack.api().call(method, `${path}${below}`, { token: here.access_token })

    const listed = await call('GET')
    const ids = (listed.body['items'] as { sessionId: string }[]).map(({ sessionId }) => sessionId)
    expect(ids).toEqual(expect.arrayContaining([here.claims()?.['sid'], there.claims()?.['sid']]))
    expect((await call('DELETE', `/${String(there.claims()?.['sid'])}`)).status).toBe(204)
    await diesWithin(there.access_token)
    expect(await statusOf(here.access_token)).toBe(200)
    const all = await stack.api().call('GET', '/v1/tenants/globex/sessions', { token: here.access_token })
    expect(all.status).toBe(403)
  })

  test('of everybody are ended by an operator', async () => {
    const got = await signIn('developer')
    const token = await stack.api().token(stack.info().operator)
    const listed = await stack.api().call('GET', '/v1/tenants/globex/sessions', { token })
    expect(listed.status).toBe(200)
    const ended = await stack.api().call('DELETE', '/v1/tenants/globex/sessions', { token })
    expect(ended.status).toBe(204)
    await diesWithin(got.access_token)
    await expect(oidc.refreshTokenGrant(client, got.refresh_token ?? '')).rejects.toMatchObject({
      error: 'invalid_grant',
    })
    expect(await statusOf((await signIn('developer')).access_token)).toBe(200)
  })
})

// RFC 9470: the refusal says how recent the sign-in must be, and the client asks the person for one.
test('an administrator whose sign-in is hours old looks around, and signs in again to let somebody in', async () => {
  const scope = 'openid tenant:read usage:read users:manage sessions:manage'
  const early = await signIn('owner', { scope })
  await control(stack, 'POST', '/clock', { advanceSeconds: 3_700 })
  const late = await oidc.refreshTokenGrant(client, early.refresh_token ?? '')
  const invite = (token: string) =>
    stack.api().call('POST', '/v1/tenants/globex/invitations', {
      token,
      json: { email: 'new@globex.example', role: 'viewer' },
    })

  const refused = await invite(late.access_token)
  const [, maxAge = ''] = /max_age="(\d+)"/.exec(refused.headers.get('www-authenticate') ?? '') ?? []
  const seen = await stack.api().call('GET', '/v1/tenants/globex/sessions', { token: late.access_token })
  const fresh = await signIn('owner', { scope, max_age: maxAge })

  expect(refused).toMatchObject({ status: 401, body: { code: 'token.sign_in_too_old' } })
  expect([maxAge, seen.status]).toEqual(['3600', 200])
  expect((await invite(fresh.access_token)).status).toBe(201)
})
