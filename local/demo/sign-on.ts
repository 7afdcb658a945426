import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  discovery,
  None,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
} from 'openid-client'
import type { ApiClient } from '#local/stack/api-client.ts'
import type { StackInfo } from '#local/stack/stack.ts'
import { aBrowser, formAction } from './browser.ts'
import { type Narrator, StepFailed } from './narrator.ts'

/** Nobody listens there: the demo reads the code from the address, as a native application would from its own port. */
const CALLBACK = 'http://127.0.0.1:1/callback'
const ROLE = 'developer'

type SignOnStack = Pick<StackInfo, 'gatewayUrl' | 'tenants' | 'idp'>

/**
 * A person of a tenant with single sign-on signs in to an application: by a certified OpenID Connect
 * client, at the tenant's own identity provider, whose form is filled in without a browser.
 */
export async function signInSomebody(api: ApiClient, stack: SignOnStack, say: Narrator): Promise<void> {
  const tenant = stack.tenants.find(({ signOn }) => signOn !== undefined)
  const user = tenant?.users.find(({ role }) => role === ROLE)
  // A stack without demo tenants has nobody to sign in.
  if (tenant?.signOn === undefined || user === undefined) return
  const { clientId } = tenant.signOn
  const token = await say.step(
    `${user.login} signs in at ${tenant.tenantId}'s own identity provider (OpenID Connect, PKCE)`,
    async () => {
      const ours = new URL(stack.gatewayUrl)
      const client = await discovery(ours, clientId, undefined, None(), { execute: [allowInsecureRequests] })
      const [verifier, state, nonce] = [randomPKCECodeVerifier(), randomState(), randomNonce()]
      const url = buildAuthorizationUrl(client, {
        redirect_uri: CALLBACK,
        scope: 'openid tenant:read usage:read',
        login_hint: user.login,
        code_challenge: await calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        state,
        nonce,
      })
      const browser = aBrowser()
      const form = await browser.follow(url.href, CALLBACK)
      if (!form.url.startsWith(stack.idp.issuer))
        throw new StepFailed(`expected the provider's form: ${form.url}`)
      const back = await browser.follow(formAction(form), CALLBACK, {
        login: user.login,
        password: user.password,
      })
      const tokens = await authorizationCodeGrant(client, new URL(back.url), {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
        idTokenExpected: true,
      })
      return {
        value: tokens.access_token,
        note: `${tokens.claims()?.sub}, scope ${tokens.scope}, for ${tokens.expires_in} s`,
      }
    },
  )
  await say.step('Their token shows their own tenant, and no other', async () => {
    const other = stack.tenants.find(({ tenantId }) => tenantId !== tenant.tenantId)?.tenantId ?? 'none'
    const own = await api.call('GET', `/v1/tenants/${tenant.tenantId}`, { token })
    const foreign = await api.call('GET', `/v1/tenants/${other}`, { token })
    if (own.status !== 200 || foreign.status !== 404) {
      throw new StepFailed(`expected 200 and 404; got ${own.status} and ${foreign.status}`)
    }
    return { value: undefined, note: `${tenant.tenantId}: 200, ${other}: 404` }
  })
}
