import * as oidc from 'openid-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { aBrowser, type Browser, formAction } from '#local/demo/browser.ts'
import type { DemoTenant } from '#local/stack/seed.ts'
import { startTestStack, type TestStack } from './test-stack.ts'

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
  return { browser, ended, checks, tokens: () => oidc.authorizationCodeGrant(client, new URL(ended.url), checks) }
}

test('a person of the tenant signs in, and the application learns who it is', async () => {
  const { ended, tokens } = await signIn('developer')
  expect(ended.url).toContain(CALLBACK)

  const got = await tokens()

  expect(got.claims()).toMatchObject({ iss: stack.info().gatewayUrl, acr: 'urn:energent:local:password' })
})
