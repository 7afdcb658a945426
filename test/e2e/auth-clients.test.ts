import * as oauth from 'oauth4webapi'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Answer } from '#local/stack/api-client.ts'
import { eventually, startTestStack, type TestStack } from './test-stack.ts'

// A certified client library in place of our own calls: what it takes, others take.
const LOOPBACK = { [oauth.allowInsecureRequests]: true }
const SCOPES = ['tenant:read', 'usage:read', 'clients:manage', 'keys:manage', 'introspect']

type Made = { clientId: string; clientSecret: string; secrets: { secretId: string }[] }

let stack: TestStack
let as: oauth.AuthorizationServer
let operator: string
let gateway: string

beforeAll(async () => {
  stack = await startTestStack()
  gateway = stack.info().gatewayUrl
  operator = await stack.api().token(stack.info().operator)
  const issuer = new URL(gateway)
  const answer = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...LOOPBACK })
  as = await oauth.processDiscoveryResponse(issuer, answer)
}, 60_000)
afterAll(() => stack.close())

/** A tier allows a few clients at a time. */
const toRemove: string[] = []
afterEach(async () => {
  await Promise.all(toRemove.splice(0).map((path) => call('DELETE', path)))
})

async function call<T>(method: string, path: string, json?: unknown, token = operator): Promise<Answer<T>> {
  const options = json === undefined ? { token } : { token, json }
  return (await stack.api().call(method, path, options)) as Answer<T>
}

async function makeClient(tenantId: string, settings: Record<string, unknown> = {}): Promise<Made> {
  const made = await call<Made>('POST', `/v1/tenants/${tenantId}/clients`, { scopes: SCOPES, ...settings })
  expect(made.status, JSON.stringify(made.body)).toBe(201)
  toRemove.push(`/v1/tenants/${tenantId}/clients/${made.body.clientId}`)
  return made.body
}

async function tokenBy(
  client: oauth.Client,
  auth: oauth.ClientAuth,
  options: { DPoP?: oauth.DPoPHandle } = {},
): Promise<oauth.TokenEndpointResponse> {
  const answer = await oauth.clientCredentialsGrantRequest(as, client, auth, {}, { ...options, ...LOOPBACK })
  return oauth.processClientCredentialsResponse(as, client, answer)
}

async function isActive(asker: Made, token: string): Promise<oauth.IntrospectionResponse> {
  const client = { client_id: asker.clientId }
  const auth = oauth.ClientSecretBasic(asker.clientSecret)
  const answer = await oauth.introspectionRequest(as, client, auth, token, LOOPBACK)
  return oauth.processIntrospectionResponse(as, client, answer)
}

test('both metadata documents are taken, and say where everything is', async () => {
  const issuer = new URL(gateway)
  const answer = await oauth.discoveryRequest(issuer, { algorithm: 'oidc', ...LOOPBACK })
  const oidc = await oauth.processDiscoveryResponse(issuer, answer)

  expect(oidc).toMatchObject({ ...as, id_token_signing_alg_values_supported: ['ES256'] })
  expect(as).toMatchObject({
    issuer: gateway,
    authorization_endpoint: `${gateway}/oauth2/authorize`,
    introspection_endpoint: `${gateway}/oauth2/introspect`,
    revocation_endpoint: `${gateway}/oauth2/revoke`,
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    dpop_signing_alg_values_supported: ['ES256', 'EdDSA', 'PS256', 'Ed25519'],
  })
})

describe('client_credentials', () => {
  test.each([
    ['client_secret_basic', oauth.ClientSecretBasic],
    ['client_secret_post', oauth.ClientSecretPost],
  ])('by %s gives a token that validates as one of RFC 9068', async (authMethod, authenticate) => {
    const made = await makeClient('acme', { authMethod })

    const token = await tokenBy({ client_id: made.clientId }, authenticate(made.clientSecret))
    const request = new Request(`${gateway}/v1/tenants/acme`, {
      headers: { authorization: `Bearer ${token.access_token}` },
    })
    const claims = await oauth.validateJwtAccessToken(as, request, gateway, LOOPBACK)

    expect(claims).toMatchObject({ client_id: made.clientId, sub: made.clientId, tenant: 'acme' })
    expect(token).toMatchObject({ token_type: 'bearer', scope: [...SCOPES].sort().join(' ') })
    expect((await call('GET', '/v1/tenants/acme', undefined, token.access_token)).status).toBe(200)
  })

  test.each(['ES256', 'Ed25519', 'PS256'])('by private_key_jwt with %s', async (alg) => {
    const { publicKey, privateKey } = await oauth.generateKeyPair(alg, { extractable: true })
    const jwk = { ...(await crypto.subtle.exportKey('jwk', publicKey)), kid: 'k1', use: 'sig', alg }
    const { key_ops: _operations, ext: _ext, ...clean } = jwk
    const made = await makeClient('globex', { authMethod: 'private_key_jwt', jwks: { keys: [clean] } })

    const auth = oauth.PrivateKeyJwt({ key: privateKey, kid: 'k1' })
    const token = await tokenBy({ client_id: made.clientId }, auth)

    expect(made.clientSecret).toBeUndefined()
    expect(token.token_type).toBe('bearer')
    const gone = await call('DELETE', `/v1/tenants/globex/clients/${made.clientId}`)
    expect(gone.status).toBe(204)
  })

  test('an assertion counts once, however many ask with it at once', async () => {
    const { publicKey, privateKey } = await oauth.generateKeyPair('ES256')
    const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', publicKey)
    const jwks = { keys: [{ kty, crv, x, y, kid: 'k1' }] }
    const made = await makeClient('globex', { authMethod: 'private_key_jwt', jwks })
    let body: URLSearchParams | undefined
    const auth: oauth.ClientAuth = async (server, client, form, headers) => {
      await oauth.PrivateKeyJwt({ key: privateKey, kid: 'k1' })(server, client, form, headers)
      body = form
    }
    await tokenBy({ client_id: made.clientId }, async (...parts) => {
      await auth(...parts)
      body = new URLSearchParams(body)
    })

    const form = new URLSearchParams(body)
    const again = await fetch(`${gateway}/oauth2/token`, { method: 'POST', body: form })

    expect(again.status).toBe(401)
    expect(await again.json()).toEqual({ error: 'invalid_client' })
  })
})

describe('DPoP', () => {
  test('binds a token to a key, and with its proofs every function takes it', async () => {
    const made = await makeClient('acme', { dpopRequired: true })
    const client: oauth.Client = { client_id: made.clientId }
    const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))

    const token = await tokenBy(client, oauth.ClientSecretBasic(made.clientSecret), { DPoP })
    const ask = (path: string, method = 'GET') =>
      oauth.protectedResourceRequest(
        token.access_token,
        method,
        new URL(`${gateway}${path}`),
        new Headers(),
        null,
        { DPoP, ...LOOPBACK },
      )
    const [tenant, usage, clients] = await Promise.all([
      ask('/v1/tenants/acme'),
      ask('/v1/tenants/acme/usage?from=2026-11-01'),
      ask('/v1/tenants/acme/clients'),
    ])

    expect(token.token_type).toBe('dpop')
    expect([tenant.status, clients.status]).toEqual([200, 200])
    expect([401, 403]).not.toContain(usage.status)
    const bearer = await stack.api().call('GET', '/v1/tenants/acme', { token: token.access_token })
    expect(bearer.status).toBe(401)
    expect(bearer.body).toMatchObject({ code: 'token.invalid' })
  })

  test('a proof is for one key, one URL, one method, one token and one use', async () => {
    const made = await makeClient('acme')
    const client: oauth.Client = { client_id: made.clientId }
    const auth = oauth.ClientSecretBasic(made.clientSecret)
    const [keys, others] = await Promise.all([oauth.generateKeyPair('ES256'), oauth.generateKeyPair('ES256')])
    const mine = oauth.DPoP(client, keys)
    const token = await tokenBy(client, auth, { DPoP: mine })
    const another = await tokenBy(client, auth, { DPoP: mine })
    const url = new URL(`${gateway}/v1/tenants/acme`)
    const proofOf = async (handle: oauth.DPoPHandle, at: URL, method: string, of: string) => {
      let sent = ''
      await oauth.protectedResourceRequest(of, method, at, new Headers(), null, {
        DPoP: handle,
        ...LOOPBACK,
        [oauth.customFetch]: async (_url: string, init: { headers: Record<string, string> }) => {
          sent = init.headers['dpop'] ?? ''
          return new Response()
        },
      } as never)
      return sent
    }
    const send = async (dpop: string | undefined, scheme = 'DPoP') => {
      const headers = { authorization: `${scheme} ${token.access_token}` }
      const answer = await fetch(url, { headers: dpop === undefined ? headers : { ...headers, dpop } })
      return [answer.status, answer.headers.get('www-authenticate') ?? '']
    }
    const good = await proofOf(mine, url, 'GET', token.access_token)

    const seen = {
      good: await send(good),
      replayed: await send(good),
      absent: await send(undefined),
      bearer: await send(good, 'Bearer'),
      lowerCase: await send(await proofOf(mine, url, 'GET', token.access_token), 'dpop'),
      otherKey: await send(await proofOf(oauth.DPoP(client, others), url, 'GET', token.access_token)),
      otherUrl: await send(await proofOf(mine, new URL(`${url}/clients`), 'GET', token.access_token)),
      otherMethod: await send(await proofOf(mine, url, 'POST', token.access_token)),
      otherToken: await send(await proofOf(mine, url, 'GET', another.access_token)),
      nonsense: await send('x.y.z'),
    }

    const proofFault = [401, expect.stringMatching(/^DPoP error="invalid_dpop_proof", algs="ES256 EdDSA/)]
    expect(seen).toEqual({
      good: [200, ''],
      replayed: proofFault,
      absent: proofFault,
      bearer: [401, 'Bearer error="invalid_token"'],
      // The gateway looks for `DPoP ` byte for byte.
      lowerCase: [401, expect.any(String)],
      otherKey: [401, expect.stringMatching(/^DPoP error="invalid_token", algs=/)],
      otherUrl: proofFault,
      otherMethod: proofFault,
      otherToken: proofFault,
      nonsense: proofFault,
    })
  })

  test('of one proof sent twenty times at once, one is the first', async () => {
    const made = await makeClient('acme')
    const client: oauth.Client = { client_id: made.clientId }
    const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
    const headers = new Headers()
    await oauth.clientCredentialsGrantRequest(as, client, oauth.ClientSecretBasic(made.clientSecret), {}, {
      DPoP,
      ...LOOPBACK,
      [oauth.customFetch]: async (_url: string, init: { headers: Record<string, string> }) => {
        for (const [name, value] of Object.entries(init.headers)) headers.set(name, value)
        return new Response()
      },
    } as never)
    const ask = () =>
      fetch(`${gateway}/oauth2/token`, { method: 'POST', headers, body: 'grant_type=client_credentials' })
    const answers = await Promise.all(Array.from({ length: 10 }, ask))

    const bodies = (await Promise.all(answers.map((answer) => answer.json()))) as Record<string, unknown>[]
    expect(bodies.filter((body) => body['token_type'] === 'DPoP')).toHaveLength(1)
    expect(bodies.filter((body) => body['error'] === 'invalid_dpop_proof')).toHaveLength(9)
  })

  test('a client that must bind its tokens gets none without a proof', async () => {
    const made = await makeClient('acme', { dpopRequired: true })

    const asked = tokenBy({ client_id: made.clientId }, oauth.ClientSecretBasic(made.clientSecret))

    await expect(asked).rejects.toMatchObject({ error: 'invalid_dpop_proof', status: 400 })
  })
})

describe('introspection and revocation', () => {
  test('tell what a token is while it is good, and nothing once its client has ended it', async () => {
    const made = await makeClient('acme')
    const client: oauth.Client = { client_id: made.clientId }
    const auth = oauth.ClientSecretBasic(made.clientSecret)
    const { access_token: token } = await tokenBy(client, auth)

    const before = await isActive(made, token)
    const revoked = await oauth.revocationRequest(as, client, auth, token, LOOPBACK)
    await oauth.processRevocationResponse(revoked)

    expect(before).toMatchObject({
      active: true,
      client_id: made.clientId,
      tenant: 'acme',
      token_type: 'Bearer',
    })
    await eventually('the token is over for introspection', async () => {
      const { active } = await isActive(made, token)
      return active ? undefined : true
    })
    await eventually('and for another function', async () => {
      const { status } = await call('GET', '/v1/tenants/acme', undefined, token)
      return status === 401 ? true : undefined
    })
  })

  test('another tenant’s token, another’s client and garbage are one answer', async () => {
    const made = await makeClient('acme')
    const foreign = await makeClient('globex')
    const { access_token: token } = await tokenBy(
      { client_id: foreign.clientId },
      oauth.ClientSecretBasic(foreign.clientSecret),
    )
    const answers = await Promise.all(
      [token, 'garbage', `${token}x`, 'drt_abc', made.clientSecret].map((text) => isActive(made, text)),
    )
    const client: oauth.Client = { client_id: made.clientId }
    const auth = oauth.ClientSecretBasic(made.clientSecret)
    await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, token, LOOPBACK))

    expect(answers).toEqual(answers.map(() => ({ active: false })))
    expect((await isActive(foreign, token)).active).toBe(true)
  })

  test('a client without the scope learns nothing', async () => {
    const made = await makeClient('acme', { scopes: ['tenant:read'] })

    await expect(isActive(made, 'x')).rejects.toMatchObject({ error: 'unauthorized_client' })
  })
})

describe('keeping clients', () => {
  test('a rotated secret lives on for its overlap, and ends at once without one', async () => {
    const made = await makeClient('acme')
    const path = `/v1/tenants/acme/clients/${made.clientId}/secrets`
    const works = async (clientSecret: string): Promise<boolean> =>
      tokenBy({ client_id: made.clientId }, oauth.ClientSecretBasic(clientSecret)).then(
        () => true,
        () => false,
      )

    const second = await call<Made>('POST', path, { overlapSeconds: 3_600 })
    const both = [await works(made.clientSecret), await works(second.body.clientSecret)]
    const full = await call('POST', path, { overlapSeconds: 3_600 })
    const third = await call<Made>('POST', path, { overlapSeconds: 0 })
    await eventually('the old secrets are over', async () =>
      (await works(second.body.clientSecret)) || (await works(made.clientSecret)) ? undefined : true,
    )

    expect([second.status, full.status, third.status]).toEqual([201, 409, 201])
    expect(both).toEqual([true, true])
    expect(await works(third.body.clientSecret)).toBe(true)
    const last = await call('DELETE', `${path}/${third.body.secrets[0]?.secretId}`)
    expect(last.body).toMatchObject({ code: 'client.secret_last' })
  })

  test('a removed client is gone: its tokens, its secret, its record', async () => {
    const made = await makeClient('acme')
    const { access_token: token } = await tokenBy(
      { client_id: made.clientId },
      oauth.ClientSecretBasic(made.clientSecret),
    )
    const path = `/v1/tenants/acme/clients/${made.clientId}`

    const stale = await stack.api().call('DELETE', path, { token: operator, headers: { 'if-match': '"7"' } })
    const gone = await call('DELETE', path)
    await eventually('its token is refused', async () => {
      const { status } = await call('GET', '/v1/tenants/acme', undefined, token)
      return status === 401 ? true : undefined
    })
    await eventually('its secret is refused', async () =>
      tokenBy({ client_id: made.clientId }, oauth.ClientSecretBasic(made.clientSecret)).then(
        () => undefined,
        (error: { status?: number }) => (error.status === 401 ? true : undefined),
      ),
    )

    expect([stale.status, gone.status]).toEqual([412, 204])
    expect((await call('GET', path)).status).toBe(404)
    expect((await call('DELETE', path)).status).toBe(404)
  })
})

test('an API key is shown once, verified by its own tenant alone, and gone at once', async () => {
  const [made, foreign] = await Promise.all([makeClient('acme'), makeClient('globex')])
  const token = async (client: Made): Promise<string> =>
    (await tokenBy({ client_id: client.clientId }, oauth.ClientSecretBasic(client.clientSecret))).access_token
  const [mine, theirs] = await Promise.all([token(made), token(foreign)])
  const path = '/v1/tenants/acme/api-keys'
  const created = await call<{ key: string; keyId: string }>('POST', path, { scopes: ['usage:read'] }, mine)
  const { key, keyId } = created.body
  const verify = async (by: string) => (await call('POST', '/v1/api-keys/verify', { key }, by)).body

  const before = [await verify(mine), await verify(theirs)]
  const listed = await call('GET', path, undefined, mine)
  const gone = await call('DELETE', `${path}/${keyId}`, undefined, mine)
  const after = await verify(mine)

  expect(key).toMatch(new RegExp(`^dak_acme_${keyId}_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}$`))
  expect(before).toMatchObject([
    { valid: true, keyId, tenant: 'acme', scopes: ['usage:read'] },
    { valid: false },
  ])
  expect(JSON.stringify(listed.body)).not.toContain(key)
  expect([gone.status, after]).toEqual([204, { valid: false }])
})
