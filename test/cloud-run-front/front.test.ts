import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type CloudRunFrontOptions, startCloudRunFront } from '#local/cloud-run-front/front.ts'
import { startGateway } from '#local/gateway/gateway.ts'
import { serveLoopback } from '#local/loopback.ts'
import { manualClock } from '#shared/clock.ts'
import { type Backend, type Reply, rawExchange, startBackend } from '../gateway/fixtures/backend.ts'
import { hmacKey, keySet, rsaKey, signJwt } from '../gateway/fixtures/keys.ts'
import { NOW, NOW_MS, openPaths, specOf } from '../gateway/fixtures/stack.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { until } from '../support/until.ts'

const SERVICE = 'https://energent-auth-abc.run.app'
const INVOKER = 'apigw@demo.iam.gserviceaccount.com'
const google = rsaKey('google-1', 'RS256')
const clock = manualClock(NOW_MS)

beforeEach(() => clock.set(NOW_MS))
beforeAll(() => expect(google.jwk['kty']).toBe('RSA'))

async function frontOf(overrides: Partial<CloudRunFrontOptions> = {}, reply?: Reply) {
  const backend = await startBackend(reply)
  const options: CloudRunFrontOptions = {
    target: backend.url,
    audience: SERVICE,
    invokers: [INVOKER],
    now: clock.now,
    ingress: 'all',
    jwks: { keys: [google.jwk] },
  }
  const front = await startCloudRunFront({ ...options, ...overrides } as CloudRunFrontOptions)
  closeAfterTest(front.close, backend.close)
  return { ...front, backend }
}

function claims(overrides: Record<string, unknown> = {}): Record<string, unknown> {
  const account = { email: INVOKER, email_verified: true, sub: '1' }
  return {
    iss: 'https://accounts.google.com',
    aud: SERVICE,
    iat: NOW,
    exp: NOW + 3600,
    ...account,
    ...overrides,
  }
}
const tokenOf = (overrides: Record<string, unknown> = {}) => signJwt(google, claims(overrides))
const bearer = (token = tokenOf()) => ({ authorization: `Bearer ${token}` })

describe('who is let in', () => {
  test('an invoker is, and the function sees the token without its signature', async () => {
    const { url, backend } = await frontOf()
    const token = tokenOf()
    expect((await fetch(`${url}/v1/x?a=%2F&b`, { headers: bearer(token) })).status).toBe(200)
    const [header, payload] = token.split('.')
    expect(backend.seen[0]).toMatchObject({
      url: '/v1/x?a=%2F&b',
      headers: { authorization: `Bearer ${header}.${payload}.SIGNATURE_REMOVED_BY_GOOGLE` },
    })
  })

  test.each([
    ['no token', undefined],
    ['another scheme', 'Basic dXNlcjpwdw=='],
    ['rubbish', 'Bearer rubbish'],
    ['another audience', `Bearer ${tokenOf({ aud: 'https://other.run.app' })}`],
    ['an audience with a path', `Bearer ${tokenOf({ aud: `${SERVICE}/` })}`],
    ['another issuer', `Bearer ${tokenOf({ iss: 'https://evil.example' })}`],
    ['an expired token', `Bearer ${tokenOf({ exp: NOW - 61 })}`],
    ['a token of the future', `Bearer ${tokenOf({ iat: NOW + 120 })}`],
    ['a token without expiry', `Bearer ${tokenOf({ exp: undefined })}`],
    ['a token without e-mail', `Bearer ${tokenOf({ email: undefined })}`],
    ['an e-mail that is not verified', `Bearer ${tokenOf({ email_verified: false })}`],
    ['a forged signature', `Bearer ${tokenOf().slice(0, -6)}AAAAAA`],
    ['a signature already removed', `Bearer ${tokenOf().replace(/[^.]*$/, 'SIGNATURE_REMOVED_BY_GOOGLE')}`],
    ['two tokens in one field', `Bearer ${tokenOf()}, Bearer ${tokenOf()}`],
  ])('%s is 401 and never reaches the function', async (_name, authorization) => {
    const { url, backend } = await frontOf()
    const response = await fetch(
      `${url}/x`,
      authorization === undefined ? {} : { headers: { authorization } },
    )
    expect(response.status).toBe(401)
    expect(response.headers.get('content-type')).toContain('text/html')
    const challenge = response.headers.get('www-authenticate')
    expect(challenge).toBe(
      authorization === undefined
        ? 'Bearer'
        : 'Bearer error="invalid_token" error_description="The access token could not be verified"',
    )
    expect(backend.seen).toHaveLength(0)
  })

  test('a valid token of another account is 403, the path in the page escaped', async () => {
    const { url, backend } = await frontOf()
    const response = await fetch(`${url}/%3Cb%3E`, {
      headers: bearer(tokenOf({ email: 'other@demo.example' })),
    })
    expect(response.status).toBe(403)
    expect(await response.text()).toContain(
      'Your client does not have permission to get URL <code>/%3Cb%3E</code>',
    )
    const raw = await rawExchange(
      url,
      `GET /<script> HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAuthorization: Bearer ${tokenOf({ email: 'o@x' })}\r\n\r\n`,
    )
    expect(raw).not.toContain('<script>')
    expect(backend.seen).toHaveLength(0)
  })

  test('a shared secret in the key set verifies nothing', async () => {
    const secret = hmacKey('google-1', 'HS256')
    const { url } = await frontOf({ jwks: { keys: [secret.jwk] } })
    expect((await fetch(url, { headers: bearer(signJwt(secret, claims())) })).status).toBe(401)
  })

  test('X-Serverless-Authorization is the one that is checked; Authorization passes as it is', async () => {
    const { url, backend } = await frontOf()
    const good = `Bearer ${tokenOf()}`
    const checked = await fetch(url, {
      headers: { 'x-serverless-authorization': good, authorization: 'Bearer forged.admin.token' },
    })
    expect(checked.status).toBe(200)
    expect(backend.seen[0]?.headers).toMatchObject({
      authorization: 'Bearer forged.admin.token',
      'x-serverless-authorization': expect.stringMatching(/\.SIGNATURE_REMOVED_BY_GOOGLE$/),
    })
    const bad = await fetch(url, {
      headers: { 'x-serverless-authorization': 'Bearer x.y.z', authorization: good },
    })
    expect(bad.status).toBe(401)
  })

  test('two Authorization fields are no token', async () => {
    const { url, backend } = await frontOf()
    const field = `Authorization: Bearer ${tokenOf()}\r\n`
    const answer = await rawExchange(
      url,
      `GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n${field}${field}\r\n`,
    )
    expect(answer).toMatch(/^HTTP\/1.1 401/)
    expect(backend.seen).toHaveLength(0)
  })

  test('keys are fetched from jwksUri; without them nobody is let in', async () => {
    let body = 'not yet'
    const server = await serveLoopback(0, async () => ({ status: 200, body }))
    closeAfterTest(server.close)
    const jwksUri = `${server.url}/certs`
    const { jwks: _none, ...rest } = { jwks: undefined }
    const backend = await startBackend()
    const front = await startCloudRunFront({
      ...rest,
      jwksUri,
      target: backend.url,
      audience: [SERVICE, 'https://second.run.app'],
      invokers: [INVOKER],
      now: clock.now,
      ingress: 'all',
    })
    closeAfterTest(front.close, backend.close)
    expect((await fetch(front.url, { headers: bearer() })).status).toBe(401)
    body = keySet(google)
    expect((await fetch(front.url, { headers: bearer() })).status).toBe(200)
    expect(
      (await fetch(front.url, { headers: bearer(tokenOf({ aud: 'https://second.run.app' })) })).status,
    ).toBe(200)
  })
})

describe('ingress', () => {
  test('an internal-only service is 404 from outside, even to an invoker, and serves its internal port', async () => {
    const { url, internalUrl, backend } = await frontOf({ ingress: 'internal-only' })
    expect(internalUrl).not.toBe(url)
    expect((await fetch(url, { headers: bearer() })).status).toBe(404)
    expect(backend.seen).toHaveLength(0)
    expect((await fetch(internalUrl, { headers: bearer() })).status).toBe(200)
    expect((await fetch(internalUrl)).status).toBe(401)
  })
})

describe('what passes', () => {
  test('bodies, status and headers in both directions; paths are not touched', async () => {
    const { url, backend } = await frontOf({}, (_request, response) => {
      response.writeHead(422, { 'x-own': '1' })
      response.end('refused')
    })
    const answer = await rawExchange(
      url,
      `PUT /a/../b//%41?x HTTP/1.1\r\nHost: svc\r\nConnection: close\r\nAuthorization: Bearer ${tokenOf()}\r\nX-HTTP-Method-Override: DELETE\r\nX-Forwarded-For: 9.9.9.9\r\nContent-Length: 4\r\n\r\nbody`,
    )
    expect(answer).toMatch(/^HTTP\/1.1 422 [\s\S]*x-own: 1[\s\S]*refused/i)
    expect(backend.seen[0]).toMatchObject({
      method: 'PUT',
      url: '/a/../b//%41?x',
      body: 'body',
      headers: { host: 'svc', 'x-forwarded-for': '9.9.9.9, 127.0.0.1', traceparent: expect.any(String) },
    })
  })

  test('a function that is down is 503, one too slow 504', async () => {
    const { url, backend } = await frontOf({ timeoutMs: 100 }, () => {})
    expect((await fetch(url, { headers: bearer() })).status).toBe(504)
    await backend.close()
    expect((await fetch(url, { headers: bearer() })).status).toBe(503)
  })

  test('over the concurrency requests wait their turn, and are 429 when it does not come', async () => {
    const held: Array<() => void> = []
    const { url } = await frontOf({ concurrency: 1, queueMs: 200 }, (_request, response) => {
      held.push(() => response.end('done'))
    })
    const first = fetch(url, { headers: bearer() })
    await until(() => held.length === 1)
    const late = await fetch(url, { headers: bearer() })
    expect([late.status, await late.text()]).toEqual([429, 'Rate exceeded.'])
    const second = fetch(url, { headers: bearer() })
    held[0]?.()
    expect((await first).status).toBe(200)
    await until(() => held.length === 2)
    held[1]?.()
    expect((await second).status).toBe(200)
  })

  test.each([
    ['Content-Length and Transfer-Encoding', 'Content-Length: 5\r\nTransfer-Encoding: chunked'],
    ['two Content-Lengths', 'Content-Length: 5\r\nContent-Length: 6'],
    ['an unknown encoding', 'Transfer-Encoding: xchunked'],
  ])('%s is 400', async (_name, fields) => {
    const { url, backend } = await frontOf()
    const head = `POST / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${tokenOf()}\r\n${fields}\r\n\r\naaaaa`
    expect(await rawExchange(url, head, /\r\n\r\n./)).toMatch(/^HTTP\/1.1 400/)
    expect(backend.seen).toHaveLength(0)
  })
})

// The whole way of a request in the cloud: gateway, Cloud Run, function.
test('behind the gateway the function sees the gateway account, and the caller second from the right', async () => {
  const { url, backend } = await frontOf()
  const gateway = await startGateway({
    spec: specOf(openPaths('POST /oauth2/token')),
    variables: { backend_uri: SERVICE },
    mintIdToken: async ({ email, audience }) => signJwt(google, claims({ email, aud: audience })),
    gatewayAccount: INVOKER,
    now: clock.now,
    resolveBackend: () => url,
    fetchJwks: async () => keySet(google),
  })
  closeAfterTest(gateway.close)
  const response = await fetch(`${gateway.url}/oauth2/token`, {
    method: 'POST',
    headers: { authorization: 'Basic Y2xpZW50OnNlY3JldA==' },
    body: 'grant_type=client_credentials',
  })
  expect(response.status).toBe(200)
  const seen: Backend['seen'][number] | undefined = backend.seen[0]
  expect(seen?.headers).toMatchObject({
    'x-forwarded-authorization': 'Basic Y2xpZW50OnNlY3JldA==',
    'x-forwarded-for': '127.0.0.1, 127.0.0.1',
  })
  const payload = JSON.parse(
    Buffer.from(seen?.headers['authorization']?.split('.')[1] ?? '', 'base64url').toString(),
  )
  expect(payload).toMatchObject({ email: INVOKER, aud: SERVICE })
})
