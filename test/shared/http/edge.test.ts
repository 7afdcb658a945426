import { http } from '@google-cloud/functions-framework'
import { getTestServer } from '@google-cloud/functions-framework/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { OperationsOf } from '#shared/catalogue/routes.ts'
import { DeadlineExceeded, DependencyFailed } from '#shared/deadline.ts'
import { type HandlersOf, httpEdge } from '#shared/http/edge.ts'
import { installFront, MOST_BODY_BYTES } from '#shared/http/front.ts'
import type { ApiRequest } from '#shared/http/types.ts'
import { ok, refuse } from '#shared/result.ts'
import {
  accessClaims,
  type CallerMode,
  callerToken,
  closeServer,
  GATEWAY,
  idClaims,
  listen,
  PUSHER,
  SCHEDULER,
  signAccess,
  startKeyServer,
  type TestPlatform,
  testConfig,
  testPlatform,
  uniqueName,
  userInfoOf,
} from '../support/platform.ts'
import { rawRequest } from '../support/raw-http.ts'

type Behaviour = (request: ApiRequest) => unknown

/** Every operation of the function answers what the test set, or what it saw. */
function handlersWith(behaviour: { current: Behaviour }): HandlersOf<'tenants-api'> {
  const handler = async (request: ApiRequest) => {
    const answer = await behaviour.current(request)
    return answer as never
  }
  const operations: OperationsOf<'tenants-api'>[] = [
    'createTenant',
    'listTenants',
    'getTenant',
    'getOperation',
    'getTenantsHealth',
    'getTenantsMetrics',
    'runLifecycleSweep',
  ]
  return Object.fromEntries(operations.map((id) => [id, handler])) as unknown as HandlersOf<'tenants-api'>
}

describe.each(['jwks', 'platform'] as const)('the HTTP edge, callers checked by %s', (mode: CallerMode) => {
  let keys: Awaited<ReturnType<typeof startKeyServer>>
  let platform: TestPlatform
  let server: ReturnType<typeof getTestServer>
  let url: string
  let gateway: string
  const behaviour: { current: Behaviour } = { current: () => undefined }
  const seen: ApiRequest[] = []

  beforeAll(async () => {
    installFront()
    keys = await startKeyServer()
    platform = testPlatform(testConfig(mode, keys.url), 'lifecycle')
    const name = uniqueName('edge')
    http(name, httpEdge(platform, 'tenants-api', handlersWith(behaviour), { deadlineMs: 300 }))
    server = getTestServer(name)
    url = await listen(server)
    gateway = await callerToken(mode, idClaims(GATEWAY))
  })

  afterAll(async () => {
    await closeServer(server)
    await keys.close()
  })

  beforeEach(() => {
    seen.length = 0
    platform.lines.length = 0
    behaviour.current = (request) => {
      seen.push(request)
      return ok({ status: 200, json: { params: request.params, query: request.query } })
    }
  })

  async function headersFor(claims: Record<string, unknown> = {}): Promise<Record<string, string>> {
    const token = await signAccess(accessClaims(claims))
    return {
      authorization: `Bearer ${gateway}`,
      'x-forwarded-authorization': `Bearer ${token}`,
      'x-apigateway-api-userinfo': userInfoOf(token),
    }
  }

  const operator = () => headersFor({ tenant: 'platform', scope: 'platform:tenants platform:read' })

  async function call(
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: string | Uint8Array<ArrayBuffer> | ReadableStream,
  ) {
    const init = {
      method,
      headers,
      ...(body === undefined ? {} : { body, duplex: 'half' as const }),
    }
    const response = await fetch(`${url}${path}`, init)
    const text = await response.text()
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: text === '' ? undefined : JSON.parse(text),
    }
  }

  function raw(lines: readonly string[], body = '') {
    return rawRequest(url, `${[...lines, 'Host: h', 'Connection: close'].join('\r\n')}\r\n\r\n${body}`)
  }

  async function rawHeaders(claims: Record<string, unknown> = {}): Promise<string[]> {
    return Object.entries(await headersFor(claims)).map(([name, value]) => `${name}: ${value}`)
  }

  test('a tenant reaches its own data with the path and query decoded once', async () => {
    const reply = await call('GET', '/v1/tenants/acme/operations/op_1?a=%2B%20x&b=', await headersFor())

    expect(reply.status).toBe(200)
    expect(reply.json).toEqual({
      params: { tenantId: 'acme', operationId: 'op_1' },
      query: { a: '+ x', b: '' },
    })
  })

  test('every answer carries security headers, a request id and no trace of the framework', async () => {
    const answers = await Promise.all([
      call('GET', '/health/tenants', { authorization: `Bearer ${gateway}` }),
      call('GET', '/v1/tenants/acme', {}),
      call('GET', '/nowhere', { authorization: `Bearer ${gateway}` }),
      call('GET', '/favicon.ico', {}),
      call('GET', '/%zz', {}),
      call('POST', '/v1/tenants', { 'content-encoding': 'gzip' }, 'x'),
    ])

    expect(answers.map((answer) => answer.status)).toEqual([200, 401, 404, 404, 400, 415])
    for (const { headers } of answers) {
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('content-security-policy')).toContain("default-src 'none'")
      expect(headers.get('strict-transport-security')).toContain('max-age=')
      expect(headers.get('x-request-id')).toMatch(/^[0-9a-f]{32}$/)
      expect(headers.get('x-powered-by')).toBeNull()
      expect(headers.get('etag')).toBeNull()
    }
  })

  test('two requests without a trace have two request ids', async () => {
    const first = await call('GET', '/v1/tenants', {})
    const second = await call('GET', '/v1/tenants', {})

    expect(first.headers.get('x-request-id')).not.toBe(second.headers.get('x-request-id'))
    expect(first.json.requestId).toBe(first.headers.get('x-request-id'))
  })

  describe('callers', () => {
    const trusted = '/v1/tenants/acme'

    test.each([
      ['nobody', () => undefined],
      ['the push account', () => callerToken(mode, idClaims(PUSHER))],
      ['the scheduler on a public route', () => callerToken(mode, idClaims(SCHEDULER))],
      ['another audience', () => callerToken(mode, idClaims(GATEWAY, { aud: 'https://other.test' }))],
      [
        'an audience among several',
        () => callerToken(mode, idClaims(GATEWAY, { aud: ['https://function.energent.test'] })),
      ],
      ['another issuer', () => callerToken(mode, idClaims(GATEWAY, { iss: 'https://evil.test' }))],
      ['an unverified e-mail address', () => callerToken(mode, idClaims(GATEWAY, { email_verified: false }))],
      [
        'an e-mail address verified in words',
        () => callerToken(mode, idClaims(GATEWAY, { email_verified: 'true' })),
      ],
      ['an e-mail address in capitals', () => callerToken(mode, idClaims(GATEWAY.toUpperCase()))],
      ['an expired token', () => callerToken(mode, idClaims(GATEWAY, { exp: 1_700_000_000 }))],
      ['no expiry', async () => callerToken(mode, { ...idClaims(GATEWAY), exp: undefined as never })],
      ['no token', async () => 'nonsense'],
      [
        'an unsigned token',
        async () => `${(await callerToken(mode, idClaims(GATEWAY))).split('.').slice(0, 2).join('.')}.`,
      ],
    ])('%s is refused before the route is looked at more closely', async (_name, token) => {
      const value = await token()
      const headers = await headersFor()
      const { authorization: _removed, ...rest } = headers
      const reply = await call(
        'GET',
        trusted,
        value === undefined ? rest : { ...rest, authorization: `Bearer ${value}` },
      )

      expect([reply.status, reply.json.code]).toEqual([401, 'caller.untrusted'])
      expect(seen).toEqual([])
    })

    test("the other mode's token is refused", async () => {
      const other = await callerToken(mode === 'jwks' ? 'platform' : 'jwks', idClaims(GATEWAY))
      const reply = await call('GET', trusted, { ...(await headersFor()), authorization: `Bearer ${other}` })

      expect([reply.status, reply.json.code]).toEqual([401, 'caller.untrusted'])
    })

    // Cloud Run checks this header in place of Authorization, which then proves nothing.
    test.each([
      [['x-serverless-authorization: Bearer x']],
      [['x-serverless-authorization: a', 'X-Serverless-Authorization: b']],
      [['x-serverless-authorization:']],
    ])('%s is refused', async (extra) => {
      const reply = await raw(['GET /v1/tenants/acme HTTP/1.1', ...(await rawHeaders()), ...extra])

      expect(reply.status).toBe(401)
      expect(seen).toEqual([])
    })

    test('a repeated Authorization is refused although one of the two is good', async () => {
      const reply = await raw([
        'GET /v1/tenants/acme HTTP/1.1',
        ...(await rawHeaders()),
        'authorization: Bearer other',
      ])

      expect(reply.status).toBe(401)
      expect(seen).toEqual([])
    })

    test('only the scheduler runs jobs', async () => {
      const scheduler = await callerToken(mode, idClaims(SCHEDULER))

      expect(
        (await call('POST', '/internal/sweep/run', { authorization: `Bearer ${scheduler}` })).status,
      ).toBe(200)
      expect((await call('POST', '/internal/sweep/run', { authorization: `Bearer ${gateway}` })).status).toBe(
        401,
      )
    })
  })

  describe('tokens', () => {
    test.each([
      [
        'no token',
        async (headers: Record<string, string>) => ({ authorization: headers['authorization'] ?? '' }),
      ],
      [
        'another scheme',
        async (headers: Record<string, string>) => ({
          ...headers,
          'x-forwarded-authorization': 'Basic eDp5',
        }),
      ],
      [
        "no copy of the gateway's",
        async ({ 'x-apigateway-api-userinfo': _copy, ...rest }: Record<string, string>) => rest,
      ],
      [
        'a copy of another token',
        async (headers: Record<string, string>) => ({
          ...headers,
          'x-apigateway-api-userinfo': userInfoOf(await signAccess(accessClaims({ tenant: 'globex' }))),
        }),
      ],
      [
        'two tokens',
        async (headers: Record<string, string>) => ({
          ...headers,
          'x-forwarded-authorization': `${headers['x-forwarded-authorization']}, ${headers['x-forwarded-authorization']}`,
        }),
      ],
    ])('%s is refused with a challenge', async (_name, change) => {
      const reply = await call('GET', '/v1/tenants/acme', await change(await headersFor()))

      expect([reply.status, reply.json.code]).toEqual([401, 'token.invalid'])
      expect(reply.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
      expect(seen).toEqual([])
    })

    test('a foreign tenant, a missing one and an impossible one answer the same bytes', async () => {
      const headers = await headersFor()
      const answers = []
      for (const tenant of ['globex', 'nobody-here', 'Not-An-Id', 'a%2Fb', '%00', '..%2f..', 'acme%20']) {
        answers.push(await call('GET', `/v1/tenants/${tenant}`, headers))
      }
      const [first] = answers
      for (const answer of answers) {
        const { requestId: _id, ...rest } = answer.json
        expect(rest).toEqual({
          type: 'urn:energent:error:resource.not_found',
          title: 'There is no such resource',
          status: 404,
          code: 'resource.not_found',
        })
        expect(answer.text.length).toBe(first?.text.length)
        expect([...answer.headers.keys()]).toEqual([...(first?.headers.keys() ?? [])])
      }
      expect(seen).toEqual([])
    })

    test("the handler's own 404 is the same as the edge's", async () => {
      behaviour.current = () => refuse('resource.not_found', 'internal detail', 'hint that must not show')
      const missing = await call('GET', '/v1/tenants/acme', await headersFor())
      const foreign = await call('GET', '/v1/tenants/globex', await headersFor())

      expect({ ...missing.json, requestId: '' }).toEqual({ ...foreign.json, requestId: '' })
    })

    test('a tenant without the scope is told which one it lacks', async () => {
      const reply = await call('GET', '/v1/tenants/acme', await headersFor({ scope: 'usage:read' }))

      expect([reply.status, reply.json.code]).toEqual([403, 'token.insufficient_scope'])
      expect(reply.headers.get('www-authenticate')).toBe('Bearer error="insufficient_scope"')
    })

    test("a platform scope in a tenant's token opens nothing", async () => {
      const reply = await call(
        'GET',
        '/v1/tenants',
        await headersFor({ scope: 'platform:read platform:tenants' }),
      )

      expect(reply.status).toBe(403)
      expect(seen).toEqual([])
    })

    test('an operator reaches a tenant where the route says so', async () => {
      expect((await call('GET', '/v1/tenants/acme', await operator())).status).toBe(200)
      const other = await headersFor({ tenant: 'platform', scope: 'platform:purge' })
      expect((await call('GET', '/v1/tenants/acme', other)).status).toBe(404)
    })
  })

  describe('routes', () => {
    test.each([['/v1/tenants/acme/'], ['/v1/%74enants/acme'], ['/v1/tenants/acme?'], ['/v1/tenants/%61cme']])(
      '%s is the tenant',
      async (path) => {
        expect((await call('GET', path, await headersFor())).status).toBe(200)
      },
    )

    test.each([
      '//v1/tenants/acme',
      '/v1//tenants/acme',
      '/V1/tenants/acme',
      '/v1/tenants/acme%2Foperations%2Fop_1',
      '/v1/tenants/acme/%2e%2e/globex',
      '/v1/tenants/acme/../globex',
      '/v1/tenants/acme\\operations',
      '/v1/tenants/acme/operation',
      '/v1/tenants/acme/operation/',
      '/v1/tenants/acme/operations/%00',
      '/v1/tenants/acme/operations/%2e%2e',
      '/v1/tenants/acme/operations/a%2fb',
      '/v1/tenants/acme/operations/%EF%BC%8F',
      `/v1/tenants/acme/operations/${'x'.repeat(300)}`,
      '/health',
      '/internal/sweep',
      '/',
    ])('%s is nothing', async (path) => {
      const lines = [`GET ${path} HTTP/1.1`, ...(await rawHeaders())]
      const reply = await raw(lines)

      expect(reply.status).toBe(404)
      expect(seen).toEqual([])
    })

    test.each(['/v1/tenants/%', '/%zz', '/v1/tenants/%C3%28', '/v1/tenants/%ff'])(
      'the malformed path %s is 400 in our words',
      async (path) => {
        const reply = await raw([`GET ${path} HTTP/1.1`])

        expect(reply.status).toBe(400)
        expect(JSON.parse(reply.body)).toMatchObject({ code: 'request.malformed' })
      },
    )

    test('an absolute request target routes by its path', async () => {
      const reply = await raw(['GET http://evil.test/v1/tenants/acme HTTP/1.1', ...(await rawHeaders())])

      expect([200, 404]).toContain(reply.status)
    })

    test.each([
      ['DELETE', '/v1/tenants', 'GET, POST'],
      ['POST', '/v1/tenants/acme', 'GET, PATCH'],
      ['OPTIONS', '/health/tenants', 'GET'],
      ['GET', '/internal/sweep/run', 'POST'],
    ])('%s %s is 405 and says what is allowed', async (method, path, allow) => {
      const reply = await call(method, path, await headersFor())

      expect([reply.status, reply.headers.get('allow')]).toEqual([405, allow])
      expect(reply.json.code).toBe('request.method_not_allowed')
    })

    test('a 404 names no method', async () => {
      expect((await call('GET', '/nowhere', await headersFor())).headers.get('allow')).toBeNull()
    })
  })

  describe('what is sent twice', () => {
    test.each(['a=1&a=2', 'a=1&%61=2', 'a&a'])('the query %s is refused', async (query) => {
      const reply = await call('GET', `/v1/tenants/acme?${query}`, await headersFor())

      expect([reply.status, reply.json.code]).toEqual([400, 'request.malformed'])
    })

    test.each([
      'Idempotency-Key',
      'If-Match',
      'X-Forwarded-Authorization',
      'X-Apigateway-Api-Userinfo',
      'Content-Type',
    ])('the header %s is refused', async (name) => {
      const lines = ['GET /v1/tenants/acme HTTP/1.1', ...(await rawHeaders()), `${name}: one`, `${name}: two`]
      const reply = await raw(lines)

      expect([400, 401]).toContain(reply.status)
      expect(seen).toEqual([])
    })

    test.each([
      '%00',
      '%zz',
      '%C3%28',
      '%ff',
      `${'a=1&'.repeat(1)}${Array.from({ length: 40 }, (_, at) => `p${at}=1`).join('&')}`,
    ])('the query x=%s is refused', async (value) => {
      const reply = await call('GET', `/v1/tenants/acme?x=${value}`, await headersFor())

      expect([reply.status, reply.json.code]).toEqual([400, 'request.malformed'])
    })
  })

  describe('bodies', () => {
    const json = { 'content-type': 'application/json' }

    test('reach the handler byte for byte, of any JSON and of none', async () => {
      for (const body of ['{"a":1}', '{"a":', 'é'.repeat(1000), '']) {
        await call('POST', '/v1/tenants', { ...(await operator()), ...json }, body)
        expect(Buffer.from(seen.at(-1)?.body ?? []).toString('utf8')).toBe(body)
      }
    })

    test('chunked ones reach the handler whole', async () => {
      const stream = ReadableStream.from([Buffer.from('{"a"'), Buffer.from(':1}')])
      await call('POST', '/v1/tenants', { ...(await operator()), ...json }, stream)

      expect(Buffer.from(seen.at(-1)?.body ?? []).toString('utf8')).toBe('{"a":1}')
    })

    test.each([
      'text/plain',
      'application/xml',
      '',
      'application/json-patch+json',
      'multipart/form-data; boundary=x',
    ])('of the type "%s" are refused', async (type) => {
      const reply = await call(
        'POST',
        '/v1/tenants',
        { ...(await operator()), 'content-type': type },
        Buffer.from('{}'),
      )

      expect([reply.status, reply.json.code]).toEqual([415, 'request.unsupported_media_type'])
    })

    test.each([
      'application/json; charset=latin1',
      'application/json; charset=utf-16',
      'application/json; charset="utf-8',
    ])('in %s are refused', async (type) => {
      const reply = await call(
        'POST',
        '/v1/tenants',
        { ...(await operator()), 'content-type': type },
        Buffer.from('{}'),
      )

      expect([reply.status, reply.json.code]).toEqual([400, 'request.malformed'])
    })

    test.each(['application/json; charset=UTF-8', 'Application/JSON', 'application/json;charset="utf-8"'])(
      'in %s are taken',
      async (type) => {
        expect(
          (await call('POST', '/v1/tenants', { ...(await operator()), 'content-type': type }, '{}')).status,
        ).toBe(200)
      },
    )

    test.each(['gzip', 'br', 'deflate', 'identity, gzip', 'GZIP'])(
      'encoded as %s are refused',
      async (encoding) => {
        const reply = await call('POST', '/v1/tenants', { ...json, 'content-encoding': encoding }, 'x')

        expect([reply.status, reply.json.code]).toEqual([415, 'request.unsupported_media_type'])
      },
    )

    test('of exactly the limit are taken, one byte more is not', async () => {
      const headers = { ...(await operator()), ...json }

      expect((await call('POST', '/v1/tenants', headers, new Uint8Array(65_536))).status).toBe(200)
      const reply = await call('POST', '/v1/tenants', headers, new Uint8Array(65_537))
      expect([reply.status, reply.json.code]).toEqual([413, 'request.too_large'])
    })

    test('on a route that takes none are refused', async () => {
      const headers = await rawHeaders()
      const reply = await raw(['GET /v1/tenants/acme HTTP/1.1', ...headers, 'content-length: 1'], 'x')

      expect(reply.status).toBe(413)
    })

    test.each(['99999999999', String(MOST_BODY_BYTES + 1)])(
      'that declare %s bytes are refused unread',
      async (length) => {
        const reply = await raw([
          'POST /v1/tenants HTTP/1.1',
          ...(await rawHeaders()),
          `content-length: ${length}`,
        ])

        expect(reply.status).toBe(413)
        expect(reply.headers['connection']).toBe('close')
      },
    )

    test('that are chunked and endless are refused while they arrive, and nothing of them is kept', async () => {
      const chunk = Buffer.alloc(1024 * 1024, 0x61)
      const before = process.memoryUsage().rss
      const head = [
        'POST /v1/tenants HTTP/1.1',
        'Host: h',
        ...Object.entries({ ...(await operator()), ...json }).map(([k, v]) => `${k}: ${v}`),
        'transfer-encoding: chunked',
        '',
        '',
      ].join('\r\n')
      const frames = Array.from({ length: 64 }, () => [
        Buffer.from(`${chunk.length.toString(16)}\r\n`),
        chunk,
        Buffer.from('\r\n'),
      ]).flat()
      const reply = await rawRequest(url, [head, ...frames])

      expect(reply.status).toBe(413)
      expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024)
      expect(seen).toEqual([])
    })

    test('of callers nobody knows are refused before they are read', async () => {
      const head =
        'POST /v1/tenants HTTP/1.1\r\nHost: h\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n'

      expect((await rawRequest(url, head)).status).toBe(401)
    })

    test('that never end are given up at the deadline', async () => {
      const headers = Object.entries({ ...(await operator()), ...json }).map(([k, v]) => `${k}: ${v}`)
      const head = ['POST /v1/tenants HTTP/1.1', 'Host: h', ...headers, 'content-length: 10', '', 'abc'].join(
        '\r\n',
      )
      const reply = await rawRequest(url, head)

      expect(reply.status).toBe(503)
    })
  })

  describe('failures', () => {
    test.each([
      [
        'an exception',
        () => {
          throw new Error('secret /srv/app/file.ts')
        },
        500,
        'internal.error',
      ],
      [
        'a thrown string',
        () => {
          throw 'secret'
        },
        500,
        'internal.error',
      ],
      ['a rejected promise', () => Promise.reject(new TypeError('secret')), 500, 'internal.error'],
      ['an answer that cannot be written', () => ok({ status: 200, json: { n: 1n } }), 500, 'internal.error'],
      [
        'a header that cannot be written',
        () => ok({ status: 200, headers: { location: 'a\nb' } }),
        500,
        'internal.error',
      ],
      ['nothing at all', () => undefined, 500, 'internal.error'],
      [
        'a store that is down',
        () => Promise.reject(Object.assign(new Error('x'), { code: 14 })),
        503,
        'service.unavailable',
      ],
      ['a slow store', () => Promise.reject(new DeadlineExceeded('x')), 503, 'service.unavailable'],
      [
        'keys that cannot be read',
        () => Promise.reject(new DependencyFailed('x')),
        503,
        'service.unavailable',
      ],
      ['a handler that hangs', () => new Promise(() => {}), 503, 'service.unavailable'],
    ])('%s is a problem without a word of the inside', async (_name, act, status, code) => {
      behaviour.current = act
      const reply = await call('GET', '/v1/tenants/acme', await headersFor())

      expect([reply.status, reply.json.code]).toEqual([status, code])
      expect(reply.text).not.toMatch(/secret|\.ts|at |Error:/)
      expect(Object.keys(reply.json).sort()).toEqual(['code', 'requestId', 'status', 'title', 'type'])
      expect(reply.headers.get('retry-after')).toBe(status === 503 ? '1' : null)
    })

    test('is logged in the one line of the request, with its stack', async () => {
      behaviour.current = () => {
        throw new Error('boom')
      }
      await call('GET', '/v1/tenants/acme', await headersFor())

      expect(platform.lines.map((line) => [line['message'], line['severity']])).toEqual([
        ['request', 'ERROR'],
      ])
      expect(platform.lines[0]).toMatchObject({
        error: 'boom',
        stack_trace: expect.stringContaining('Error: boom'),
      })
    })

    test('a client that goes away hurts nobody else', async () => {
      const controller = new AbortController()
      const headers = { ...(await operator()), 'content-type': 'application/json' }
      const stream = new ReadableStream({ start: (sink) => sink.enqueue(Buffer.from('{')) })
      const gone = fetch(`${url}/v1/tenants`, {
        method: 'POST',
        headers,
        body: stream,
        duplex: 'half',
        signal: controller.signal,
      } as RequestInit)
      controller.abort()
      await gone.catch(() => undefined)

      expect((await call('GET', '/v1/tenants/acme', await headersFor())).status).toBe(200)
    })
  })

  test('each request is one line with its operation, its tenant and no address or token', async () => {
    await call('GET', '/v1/tenants/acme?x=1', await headersFor())

    const requests = platform.lines.filter((line) => line['message'] === 'request')
    expect(requests).toHaveLength(1)
    expect(requests[0]).toMatchObject({
      severity: 'INFO',
      operation: 'getTenant',
      tenantId: 'acme',
      httpRequest: { requestMethod: 'GET', requestUrl: '/v1/tenants/{tenantId}', status: 200 },
    })
    expect(JSON.stringify(platform.lines)).not.toContain('eyJ')
  })

  test('a trace of the caller goes on', async () => {
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
    const reply = await call('GET', '/v1/tenants/acme', { ...(await headersFor()), traceparent })

    // Many requests may belong to one trace; each has its own id.
    expect(reply.headers.get('x-request-id')).not.toBe('a'.repeat(32))
    expect(seen[0]?.trace).toEqual({ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: true })
  })
})
