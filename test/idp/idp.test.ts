import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import * as oidc from 'openid-client'
import { beforeEach, expect, test, vi } from 'vitest'
import { type Idp, type IdpTenant, startIdp } from '#local/idp/index.ts'
import { serveLoopback } from '#local/loopback.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { startOtherProcess } from '../support/other-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { aBrowser, formAction } from './browser.ts'

const CALLBACK = 'http://127.0.0.1:1/callback'
const DAY_MS = 86_400_000
const tenant = (tenantId: string, more: Partial<IdpTenant> = {}): IdpTenant => ({
  tenantId,
  clientId: `energent-${tenantId}`,
  clientSecret: `secret-${tenantId}-0123456789`,
  redirectUris: [CALLBACK],
  postLogoutRedirectUris: [CALLBACK],
  users: [{ login: `owner@${tenantId}.test`, password: 'correct horse', role: 'owner' }],
  ...more,
})
const OWNER = { login: 'owner@acme.test', password: 'correct horse' }

let folder = ''
let clockFile = ''

beforeEach(() => {
  folder = temporaryFolder()
  clockFile = join(folder, 'clock')
  setOffset(0)
})

function setOffset(ms: number): void {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(BigInt(ms))
  writeFileSync(clockFile, bytes)
}

async function anIdp(tenants = [tenant('acme'), tenant('globex')], port = 0): Promise<Idp> {
  const idp = await startIdp({ port, clockFile, dataDir: folder, tenants })
  closeAfterTest(idp.close)
  return idp
}

async function aClient(idp: Idp, tenantId = 'acme') {
  const { clientId, clientSecret } = tenant(tenantId)
  const auth = oidc.ClientSecretBasic(clientSecret)
  return oidc.discovery(new URL(idp.issuer), clientId, clientSecret, auth, {
    execute: [oidc.allowInsecureRequests],
  })
}

/** Starts a log-in in a browser; what it ends at is a page or the redirect back to us. */
async function begin(client: oidc.Configuration, browser = aBrowser()) {
  const verifier = oidc.randomPKCECodeVerifier()
  const [state, nonce] = [oidc.randomState(), oidc.randomNonce()]
  const url = oidc.buildAuthorizationUrl(client, {
    redirect_uri: CALLBACK,
    scope: 'openid email profile roles',
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    login_hint: OWNER.login,
    state,
    nonce,
  })
  const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce }
  return { browser, checks, ended: await browser.follow(url.href) }
}

async function logIn(idp: Idp, client: oidc.Configuration, browser = aBrowser(), credentials = OWNER) {
  const { checks, ended } = await begin(client, browser)
  const back = await browser.follow(formAction(ended.page, idp.issuer), credentials)
  return {
    browser,
    ended: back,
    tokens: () => oidc.authorizationCodeGrant(client, new URL(back.url), checks),
  }
}

test('a user logs in through a plain form and the ID token says who and in which role', async () => {
  const idp = await anIdp()
  const client = await aClient(idp)
  const { ended, tokens } = await logIn(idp, client)
  expect(ended.url.startsWith(`${CALLBACK}?code=`)).toBe(true)

  const { id_token: idToken = '' } = await tokens()

  const keys = createRemoteJWKSet(new URL(client.serverMetadata().jwks_uri ?? ''))
  const { payload } = await jwtVerify(idToken, keys, { issuer: idp.issuer, audience: 'energent-acme' })
  expect(payload).toMatchObject({
    email: OWNER.login,
    email_verified: true,
    roles: ['owner'],
    amr: ['pwd'],
    sub: expect.stringMatching(/^[0-9a-f]{32}$/),
  })
})

test('the log-in form needs no script, prefills the hint and escapes it', async () => {
  const idp = await anIdp()
  const { ended } = await begin(await aClient(idp))
  expect(ended.status).toBe(200)
  expect(ended.page).toContain(`value="${OWNER.login}"`)
  expect(ended.page).not.toContain('<script')
  const { browser } = await begin(await aClient(idp))
  expect(browser.cookies.size).toBeGreaterThan(0)
})

test('a wrong password and a user of another tenant get the form again and no code', async () => {
  const idp = await anIdp()
  const client = await aClient(idp)
  for (const credentials of [
    { login: OWNER.login, password: 'wrong' },
    { login: 'owner@globex.test', password: 'correct horse' },
    { login: '"><b>x', password: 'x' },
  ]) {
    const { ended } = await logIn(idp, client, aBrowser(), credentials)
    expect(ended.status).toBe(401)
    expect(ended.page).toContain('role="alert"')
    expect(ended.page).not.toContain('<b>x')
  }
})

test('a user who cancels sends access_denied back', async () => {
  const idp = await anIdp()
  const client = await aClient(idp)
  const { browser, ended } = await begin(client)
  const back = await browser.follow(formAction(ended.page, idp.issuer), { cancel: '1' })
  expect(new URL(back.url).searchParams.get('error')).toBe('access_denied')
})

test('a session lets its user in without a form, and a redirect address nobody registered is refused', async () => {
  const idp = await anIdp()
  const client = await aClient(idp)
  const { browser } = await logIn(idp, client)
  const { ended } = await begin(client, browser)
  expect(ended.url).toContain(`${CALLBACK}?code=`)

  const url = oidc.buildAuthorizationUrl(client, { redirect_uri: 'http://evil.test/', scope: 'openid' })
  expect((await browser.follow(url.href)).status).toBe(400)
})

test('an administrator ends all sessions: the client is told over the back channel, the user must log in again', async () => {
  const received: string[] = []
  const server = await serveLoopback(0, async ({ body }) => {
    received.push(new URLSearchParams(body.toString()).get('logout_token') ?? '')
    return { status: 200, body: '' }
  })
  closeAfterTest(server.close)
  const backchannelLogoutUri = `${server.url}/logout`
  const idp = await anIdp([tenant('acme', { backchannelLogoutUri })])
  const client = await aClient(idp)
  const { browser, tokens } = await logIn(idp, client)
  const claims = (await tokens()).claims()
  expect(claims?.['sid']).toEqual(expect.any(String))

  expect(await idp.logout(OWNER.login)).toBe(1)

  await vi.waitFor(() => expect(received).toHaveLength(1))
  expect(decodeJwt(received[0] ?? '')).toMatchObject({
    iss: idp.issuer,
    aud: 'energent-acme',
    sub: claims?.sub,
    sid: claims?.['sid'],
    events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
  })
  expect((await begin(client, browser)).ended.status).toBe(200)
})

test('its time is the time of the stack: sessions age and tokens carry the moved time', async () => {
  const idp = await anIdp()
  const client = await aClient(idp)
  const { browser } = await logIn(idp, client)
  setOffset(15 * DAY_MS)
  expect((await begin(client, browser)).ended.status).toBe(200)

  Object.assign(client, { [oidc.clockSkew]: (15 * DAY_MS) / 1000 })
  const claims = (await (await logIn(idp, client)).tokens()).claims()
  expect(Math.abs((claims?.iat ?? 0) * 1000 - (Date.now() + 15 * DAY_MS))).toBeLessThan(60_000)
})

test('after a restart its keys are the same and the process of a closed one is gone', async () => {
  const first = await anIdp()
  const keys = async (idp: Idp) => (await fetch(`${idp.issuer}/jwks`)).json()
  const before = await keys(first)
  await first.close()
  await expect(fetch(first.issuer)).rejects.toThrow()

  expect(await keys(await anIdp())).toEqual(before)
})

test('a port that is taken is reported instead of waited for', async () => {
  const first = await anIdp()
  await expect(anIdp([tenant('acme')], Number(new URL(first.issuer).port))).rejects.toThrow()
})

test('it fails as it is told, where it is told and as often', async () => {
  const idp = await anIdp()
  const jwks = () => fetch(`${idp.issuer}/jwks`)
  await idp.setFault({ mode: 'error', code: 502, count: 2, path: '/jwks' })
  expect((await fetch(`${idp.issuer}/.well-known/openid-configuration`)).status).toBe(200)
  expect([(await jwks()).status, (await jwks()).status, (await jwks()).status]).toEqual([502, 502, 200])
  for (const mode of ['refuse', 'lostAnswer'] as const) {
    await idp.setFault({ mode, count: 1 })
    await expect(jwks()).rejects.toThrow()
    expect((await jwks()).status).toBe(200)
  }
  await idp.setFault({ mode: 'refuse', count: 1 })
  await idp.setFault(undefined)
  expect((await jwks()).status).toBe(200)
})

// A stack that is killed must not leave a process behind that holds its port.
test('it ends with the process that started it, even when that is killed', async () => {
  const module = new URL('../../local/idp/index.ts', import.meta.url).href
  const options = JSON.stringify({ dataDir: folder, tenants: [] })
  const parent = await startOtherProcess(
    `import { startIdp } from '${module}'\nconsole.log((await startIdp(${options})).issuer)`,
  )
  const issuer = parent.said
  expect(issuer).toMatch(/^http:/)
  await parent.kill('SIGKILL')
  await vi.waitFor(() => expect(fetch(issuer)).rejects.toThrow(), { timeout: 10_000 })
})
