import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import * as oidc from 'openid-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { aBrowser, type Browser, formAction } from '#local/demo/browser.ts'
import { type DemoTenant, demoConnection } from '#local/stack/seed.ts'
import { control, eventually, startTestStack, type TestStack } from './test-stack.ts'

let stack: TestStack
let globex: DemoTenant
let client: oidc.Configuration

beforeAll(async () => {
  stack = await startTestStack()
  globex = tenantOf('globex')
  client = await oidc.discovery(new URL(stack.info().gatewayUrl), signOn().clientId, undefined, oidc.None(), {
    execute: [oidc.allowInsecureRequests],
  })
}, 90_000)
afterAll(() => stack?.close())

function tenantOf(tenantId: string): DemoTenant {
  const found = stack.info().tenants.find((tenant) => tenant.tenantId === tenantId)
  if (found === undefined) throw new Error(`no ${tenantId}`)
  return found
}

function signOn(): NonNullable<DemoTenant['signOn']> {
  if (globex.signOn === undefined) throw new Error('globex has no single sign-on')
  return globex.signOn
}

const CALLBACK = 'http://127.0.0.1:1/callback'
const user = (role: string) => {
  const found = globex.users.find((each) => each.role === role)
  if (found === undefined) throw new Error(`no ${role}`)
  return { login: found.login, password: found.password }
}

/** What an application does to sign somebody in, by the certified client. */
async function ask(more: Readonly<Record<string, string>> = {}) {
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
  const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce }
  return { url: url.href, checks }
}

/** Signs in by the provider's form; ends at the application's callback or at a page. */
async function signIn(
  role = 'developer',
  browser: Browser = aBrowser(),
  more: Readonly<Record<string, string>> = {},
) {
  const { url, checks } = await ask(more)
  const form = await browser.follow(url, CALLBACK)
  const ended = form.page === '' ? form : await browser.follow(formAction(form), CALLBACK, user(role))
  return {
    browser,
    ended,
    checks,
    tokens: () => oidc.authorizationCodeGrant(client, new URL(ended.url), checks),
  }
}

test('a person of the tenant signs in, and the application learns who it is', async () => {
  const { ended, tokens } = await signIn('developer')
  expect(ended.url.startsWith(`${CALLBACK}?code=`)).toBe(true)

  const got = await tokens()

  expect(got.claims()).toMatchObject({
    iss: stack.info().gatewayUrl,
    aud: signOn().clientId,
    sub: expect.stringMatching(/^usr_/),
  })
  expect(decodeJwt(got.access_token)).toMatchObject({
    tenant: 'globex',
    scope: 'tenant:read',
    roles: ['developer', 'viewer'],
    acr: 'urn:energent:local:password',
    amr: ['pwd'],
  })
  const own = await stack.api().call('GET', '/v1/tenants/globex', { token: got.access_token })
  const foreign = await stack.api().call('GET', '/v1/tenants/acme', { token: got.access_token })
  expect([own.status, foreign.status]).toEqual([200, 404])
})

test('the owner, invited at the proven address, is one from the first sign-in on', async () => {
  const { tokens } = await signIn('owner', aBrowser(), { scope: 'openid users:manage' })
  expect(decodeJwt((await tokens()).access_token)).toMatchObject({
    scope: 'users:manage',
    roles: ['owner', 'viewer'],
  })
})

test('the code counts once, for its own client, redirect URI and verifier', async () => {
  const { tokens, ended, checks } = await signIn('viewer')
  const stolen = { ...checks, pkceCodeVerifier: oidc.randomPKCECodeVerifier() }
  await expect(oidc.authorizationCodeGrant(client, new URL(ended.url), stolen)).rejects.toThrow()
  const first = await tokens()
  await expect(tokens()).rejects.toMatchObject({ error: 'invalid_grant' })
  // Its second use ends what the first one got (RFC 6749 §4.1.2).
  await expect(oidc.refreshTokenGrant(client, first.refresh_token ?? '')).rejects.toMatchObject({
    error: 'invalid_grant',
  })
})

test('a session at the provider signs in without a form; without one, prompt=none says so', async () => {
  const { browser } = await signIn('viewer')
  const again = await ask({ prompt: 'none' })
  expect((await browser.follow(again.url, CALLBACK)).url).toContain('code=')

  const stranger = await ask({ prompt: 'none' })
  const ended = await aBrowser().follow(stranger.url, CALLBACK)

  const answer = new URL(ended.url).searchParams
  expect(answer.get('error')).toBe('login_required')
  expect(answer.get('state')).toBe(stranger.checks.expectedState)
  expect(answer.get('iss')).toBe(stack.info().gatewayUrl)
})

test('a person who cancels at the provider sends access_denied to the application', async () => {
  const browser = aBrowser()
  const { url } = await ask()
  const form = await browser.follow(url, CALLBACK)
  const ended = await browser.follow(formAction(form), CALLBACK, { cancel: '1' })
  expect(new URL(ended.url).searchParams.get('error')).toBe('access_denied')
})

/** The provider's answer, caught before our callback hears it. */
async function answerOfProvider(browser: Browser) {
  const { url } = await ask()
  const form = await browser.follow(url, CALLBACK)
  const callback = `${stack.info().gatewayUrl}/sso/`
  const caught = await browser.follow(formAction(form), callback, user('viewer'))
  expect(caught.url.startsWith(callback)).toBe(true)
  return caught.url
}

describe('an answer of the provider', () => {
  test('counts once', async () => {
    const browser = aBrowser()
    const url = await answerOfProvider(browser)
    expect((await browser.visit(url)).status).toBe(302)

    const again = await browser.visit(url)

    expect([again.status, again.headers.get('location')]).toEqual([400, null])
  })

  test('of many copies at once counts once', async () => {
    const browser = aBrowser()
    const url = await answerOfProvider(browser)
    const all = await Promise.all(Array.from({ length: 6 }, () => browser.visit(url)))
    expect(all.map(({ status }) => status).sort()).toEqual([302, 400, 400, 400, 400, 400])
  })

  test('counts in the browser that asked for it alone', async () => {
    const attacker = aBrowser()
    const url = await answerOfProvider(attacker)
    const victim = aBrowser()
    await victim.follow((await ask()).url, CALLBACK)

    for (const browser of [victim, aBrowser()]) {
      const refused = await browser.visit(url)
      expect([refused.status, refused.headers.get('location')]).toEqual([400, null])
    }
    expect((await attacker.visit(url)).status).toBe(302)
  })

  test('counts at its own address alone, however another one is spelled', async () => {
    const browser = aBrowser()
    const url = await answerOfProvider(browser)
    const { connectionId } = demoConnection('globex', stack.info().idp.issuer)
    for (const [from, to] of [
      ['/globex/', '/acme/'],
      ['/globex/', '/GLOBEX/'],
      ['/globex/', '/glob%65x%20/'],
      ['/globex/', '/globex%2fx/'],
      ['/globex/', '/ｇlobex/'],
      ['/globex/', '/platform/'],
      [connectionId, 'con_other'],
      [connectionId, connectionId.toUpperCase()],
      [connectionId, `${connectionId}%00`],
    ] as const) {
      const tricked = await browser.visit(url.replace(from, to))
      expect([400, 404], to).toContain(tricked.status)
      expect(tricked.headers.get('location')).toBe(null)
    }
    expect((await browser.visit(url)).status).toBe(302)
  })

  test('with another issuer, code or state is none', async () => {
    for (const [name, value] of [
      ['iss', 'https://evil.example'],
      ['iss', ''],
      ['code', 'made-up'],
      ['state', 'A'.repeat(43)],
    ] as const) {
      const browser = aBrowser()
      const url = new URL(await answerOfProvider(browser))
      if (value === '') url.searchParams.delete(name)
      else url.searchParams.set(name, value)
      const refused = await browser.visit(url.href)
      expect([name, refused.status, refused.headers.get('location')]).toEqual([name, 400, null])
      expect(await refused.text()).not.toMatch(/evil|made-up|AAAA/)
    }
  })
})

test('a page of ours runs nothing, loads nothing, is kept by nobody and says nothing that was sent', async () => {
  const { url } = await ask({ redirect_uri: 'https://evil.example/"><script>alert(1)</script>' })
  const page = await aBrowser().visit(url)

  expect([page.status, page.headers.get('location')]).toEqual([400, null])
  expect(page.headers.get('content-security-policy')).toMatch(
    /^default-src 'none'; style-src 'sha256-[^']+'; frame-ancestors 'none'$/,
  )
  expect(page.headers.get('referrer-policy')).toBe('no-referrer')
  expect(page.headers.get('cache-control')).toBe('no-store')
  expect(page.headers.get('x-content-type-options')).toBe('nosniff')
  expect(await page.text()).not.toMatch(/evil|<script|alert/)
})

test('while the provider is down the application is told to try later', async () => {
  const browser = aBrowser()
  const url = await answerOfProvider(browser)
  await control(stack, 'POST', '/faults', {
    target: 'idp',
    operation: '/token',
    count: 1,
    mode: 'error',
    code: 503,
  })

  const ended = await browser.follow(url, CALLBACK)

  expect(new URL(ended.url).searchParams.get('error')).toBe('temporarily_unavailable')
  expect((await signIn('viewer')).ended.url).toContain('code=')
})

test('the provider signs people out: their session ends, and their tokens within two seconds', async () => {
  const { tokens } = await signIn('developer')
  const got = await tokens()
  const look = () => stack.api().call('GET', '/v1/tenants/globex', { token: got.access_token })
  expect((await look()).status).toBe(200)

  const told = await fetch(`${stack.info().idp.issuer}/admin/logout`, {
    method: 'POST',
    body: JSON.stringify({ login: user('developer').login }),
  })

  expect(((await told.json()) as { told: number }).told).toBeGreaterThan(0)
  await expect(oidc.refreshTokenGrant(client, got.refresh_token ?? '')).rejects.toMatchObject({
    error: 'invalid_grant',
  })
  await eventually(
    'the access token is refused',
    async () => ((await look()).status === 401 ? true : undefined),
    5_000,
  )
})

test('a connection reaches nothing inside: neither by name nor by address', async () => {
  const token = await stack.api().token(stack.info().operator)
  const { port } = new URL(stack.info().gatewayUrl)
  for (const issuer of [
    `http://127.0.0.1:${port}`,
    `https://127.0.0.1:${port}`,
    `http://localhost:${new URL(stack.info().idp.issuer).port}`,
    'https://[::1]',
    'https://[::ffff:127.0.0.1]',
    'https://169.254.169.254',
    'https://metadata.google.internal',
    'https://2130706433',
  ]) {
    const made = await stack.api().call('POST', '/v1/tenants/globex/connections', {
      token,
      json: { issuer, clientId: 'x' },
    })
    expect([issuer, made.status, made.body['code']]).toEqual([issuer, 400, 'issuer.invalid'])
  }
})

// Last: it takes the provider's keys and sessions away.
test('a provider that comes back with new keys signs people in at once', async () => {
  const { pid, issuer } = stack.info().idp
  rmSync(join(stack.info().dataDir, 'idp', 'idp-keys.json'))
  const keys = async (): Promise<string> => (await fetch(`${issuer}/jwks`)).text()
  const before = await keys()
  process.kill(pid ?? 0)
  await eventually('new keys', async () => ((await keys()) === before ? undefined : true))

  const { tokens } = await signIn('developer')

  expect((await tokens()).claims()?.sub).toMatch(/^usr_/)
})
