import { describe, expect, test } from 'vitest'
import { signJwt } from './fixtures/keys.ts'
import {
  aStack,
  bearer,
  claims,
  key,
  localReply,
  NOW,
  openPaths,
  replyOf,
  securedPath,
  specOf,
} from './fixtures/stack.ts'

const withBackend = (fields: string) =>
  `  /x: { get: { x-google-backend: { address: "\${backend_uri}/base", path_translation: APPEND_PATH_TO_ADDRESS, ${fields} }, responses: {} } }`

describe('E36–E38: whose token the backend gets', () => {
  test('E36: Authorization moves, a client copy goes, the gateway signs for scheme and host', async () => {
    const stack = await aStack(specOf(securedPath('/me')))
    const token = signJwt(key, claims())
    await fetch(`${stack.url}/me`, {
      headers: { ...bearer(token), 'X-Forwarded-Authorization': 'Bearer forged' },
    })
    expect(stack.backend.seen[0]?.headers).toMatchObject({
      authorization: `Bearer id-token-of-apigw@demo.example-for-${stack.backend.url}`,
      'x-forwarded-authorization': `Bearer ${token}`,
    })
  })

  test('E36: without Authorization a forged X-Forwarded-Authorization is gone all the same', async () => {
    const stack = await aStack(specOf(openPaths('GET /open')))
    await fetch(`${stack.url}/open`, { headers: { 'X-Forwarded-Authorization': 'Bearer forged' } })
    expect(stack.backend.seen[0]?.headers['x-forwarded-authorization']).toBeUndefined()
    expect(stack.backend.seen[0]?.headers['authorization']).toMatch(/^Bearer id-token/)
  })

  test('E36: credentials that are no JWT move too', async () => {
    const stack = await aStack(specOf(openPaths('GET /open')))
    await fetch(`${stack.url}/open`, { headers: { authorization: 'Basic dXNlcjpwdw==' } })
    expect(stack.backend.seen[0]?.headers['x-forwarded-authorization']).toBe('Basic dXNlcjpwdw==')
  })

  test('E36: jwt_audience is the audience asked for', async () => {
    const stack = await aStack(specOf(withBackend('jwt_audience: "https://fn.example"')))
    await fetch(`${stack.url}/x`)
    expect(stack.backend.seen[0]?.headers['authorization']).toContain('for-https://fn.example')
  })

  test('E37: with disable_auth nothing is touched', async () => {
    const stack = await aStack(specOf(withBackend('disable_auth: true')))
    const sent = { authorization: 'Bearer mine', 'x-forwarded-authorization': 'Bearer also-mine' }
    await fetch(`${stack.url}/x`, { headers: sent })
    expect(stack.backend.seen[0]?.headers).toMatchObject(sent)
  })

  test('E38: no ID token is 500 and names the audience; the next request tries again', async () => {
    let fails = true
    const mintIdToken = async () => {
      if (fails) throw new Error('metadata server is down')
      return 'token'
    }
    const stack = await aStack(specOf(withBackend('jwt_audience: "https://fn.example"')), { mintIdToken })
    expect(await replyOf(await fetch(`${stack.url}/x`))).toEqual(
      localReply(500, 'Token not found for audience: https://fn.example'),
    )
    fails = false
    expect((await fetch(`${stack.url}/x`)).status).toBe(200)
  })

  test('an ID token is kept until a minute before it ends, and minted once for requests together', async () => {
    let minted = 0
    const mintIdToken = async () => {
      minted += 1
      return signJwt(key, { iat: NOW, exp: NOW + 3600 })
    }
    const stack = await aStack(specOf(openPaths('GET /open')), { mintIdToken })
    await Promise.all(Array.from({ length: 10 }, () => fetch(`${stack.url}/open`)))
    expect(minted).toBe(1)
    stack.clock.advance(3_539_000)
    await fetch(`${stack.url}/open`)
    expect(minted).toBe(1)
    stack.clock.advance(2_000)
    await fetch(`${stack.url}/open`)
    expect(minted).toBe(2)
  })

  test('resolveBackend changes where to connect, not the audience, path or Host', async () => {
    const inner = await aStack(specOf(openPaths('GET /unused')))
    const stack = await aStack(
      specOf(
        '  /x: { get: { x-google-backend: { address: "https://fn-abc.run.app/base", path_translation: APPEND_PATH_TO_ADDRESS }, responses: {} } }',
      ),
      {
        resolveBackend: (address) =>
          address.startsWith('https://fn-abc.run.app') ? inner.backend.url : undefined,
      },
    )
    await fetch(`${stack.url}/x`)
    expect(inner.backend.seen[0]).toMatchObject({
      url: '/base/x',
      headers: {
        host: 'fn-abc.run.app',
        authorization: expect.stringContaining('for-https://fn-abc.run.app'),
      },
    })
  })
})

describe('E48–E50, E52: what passes through', () => {
  test.each([400, 404, 409, 422, 500, 503])(
    'E48: a backend %i passes with body and headers',
    async (status) => {
      const stack = await aStack(specOf(openPaths('GET /x')), {}, (_request, response) => {
        response.writeHead(status, {
          'content-type': 'application/problem+json',
          'set-cookie': ['a=1', 'b=2'],
        })
        response.end('{"code":"own"}')
      })
      const response = await fetch(`${stack.url}/x`)
      expect([response.status, await response.text()]).toEqual([status, '{"code":"own"}'])
      expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    },
  )

  // ESPv2's method override table.
  const methods =
    '  /echo: { get: { responses: {} }, post: { responses: {} }, delete: { security: [{ user: [] }], responses: {} } }'
  test.each([
    ['POST', 'GET', 200, 'GET'],
    ['PUT', 'POST', 200, 'POST'],
    ['POST', 'PATCH', 405, undefined],
    ['POST', 'DELETE', 401, undefined],
    ['POST', 'get', 405, undefined],
  ])('E49: %s overridden as %s is %i', async (method, override, status, received) => {
    const stack = await aStack(specOf(methods))
    const response = await fetch(`${stack.url}/echo`, {
      method,
      headers: { 'X-HTTP-Method-Override': override },
      body: 'hello',
    })
    expect([response.status, stack.backend.seen[0]?.method]).toEqual([status, received])
    if (received === undefined) return
    expect(stack.backend.seen[0]).toMatchObject({ body: 'hello' })
    expect(stack.backend.seen[0]?.headers['x-http-method-override']).toBeUndefined()
  })

  test('E49: a DELETE made of a POST needs the token of DELETE and reaches the backend as DELETE', async () => {
    const stack = await aStack(specOf(methods))
    const headers = { ...bearer(), 'X-HTTP-Method-Override': 'DELETE' }
    expect((await fetch(`${stack.url}/echo`, { method: 'POST', headers })).status).toBe(200)
    expect(stack.backend.seen[0]?.method).toBe('DELETE')
  })

  test('E50: with allowCors a preflight reaches the backend of a secured path, its path rewritten', async () => {
    const paths = `  "/shelves/{shelf}": { get: { security: [{ user: [] }], x-google-backend: { address: "\${backend_uri}/books", path_translation: CONSTANT_ADDRESS }, responses: {} } }`
    const stack = await aStack(specOf(paths, 'x-google-endpoints: [{ name: api.example, allowCors: true }]'))
    const preflight = {
      method: 'OPTIONS',
      headers: { origin: 'https://x.example', 'access-control-request-method': 'GET' },
    }
    expect((await fetch(`${stack.url}/shelves/8`, preflight)).status).toBe(200)
    expect(stack.backend.seen[0]).toMatchObject({ method: 'OPTIONS', url: '/books?shelf=8' })
    expect((await fetch(`${stack.url}/shelves/8`)).status).toBe(401)
    expect((await fetch(`${stack.url}/nowhere`, preflight)).status).toBe(404)
  })

  test('E52: x-envoy-* fields pass in neither direction', async () => {
    const stack = await aStack(specOf(openPaths('GET /x')), {}, (_request, response) => {
      response.setHeader('x-envoy-upstream-service-time', '5')
      response.end('ok')
    })
    const response = await fetch(`${stack.url}/x`, { headers: { 'x-envoy-original-path': '/admin' } })
    expect([...response.headers.keys()].filter((name) => name.startsWith('x-envoy'))).toEqual([])
    expect(
      Object.keys(stack.backend.seen[0]?.headers ?? {}).filter((name) => name.startsWith('x-envoy')),
    ).toEqual([])
  })

  test('hop-by-hop fields stop here, those a Connection field names included', async () => {
    const stack = await aStack(specOf(openPaths('GET /x')))
    const { rawExchange } = await import('./fixtures/backend.ts')
    await rawExchange(
      stack.url,
      'GET /x HTTP/1.1\r\nHost: h\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nProxy-Authorization: Basic x\r\nX-Stays: 2\r\nX-Stays: 3\r\n\r\n',
    )
    const { headers } = stack.backend.seen[0] ?? { headers: {} }
    expect(Object.keys(headers)).not.toEqual(expect.arrayContaining(['x-mine']))
    expect(headers).not.toHaveProperty('te')
    expect(headers).not.toHaveProperty('proxy-authorization')
    expect(headers).toMatchObject({ 'x-stays': '2 || 3', connection: 'keep-alive' })
  })

  test('X-Forwarded-For ends with the address of the caller, whatever it claims', async () => {
    const stack = await aStack(specOf(openPaths('GET /x')))
    const claimed = { 'x-forwarded-for': '1.2.3.4', 'x-forwarded-proto': 'gopher' }
    await fetch(`${stack.url}/x`, { headers: claimed })
    expect(stack.backend.seen[0]?.headers).toMatchObject({
      'x-forwarded-for': '1.2.3.4, 127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-request-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
  })
})

describe('traces', () => {
  const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const traced = async (headers: Record<string, string>) => {
    const stack = await aStack(specOf(openPaths('GET /x')))
    await fetch(`${stack.url}/x`, { headers })
    return { sent: stack.backend.seen[0]?.headers ?? {}, record: stack.records[0] }
  }

  test('a valid traceparent passes and gives the other header its trace', async () => {
    const { sent, record } = await traced({ traceparent: PARENT, tracestate: 'a=b' })
    expect(sent).toMatchObject({
      traceparent: PARENT,
      tracestate: 'a=b',
      'x-cloud-trace-context': '0af7651916cd43dd8448eb211c80319c/13235353014750950193;o=1',
    })
    expect(record?.traceId).toBe('0af7651916cd43dd8448eb211c80319c')
  })

  test('X-Cloud-Trace-Context passes and gives traceparent its trace', async () => {
    const { sent } = await traced({ 'x-cloud-trace-context': '0af7651916cd43dd8448eb211c80319c/1;o=1' })
    expect(sent['traceparent']).toBe('00-0af7651916cd43dd8448eb211c80319c-0000000000000001-01')
  })

  test.each([
    '',
    '00-0-0-01',
    `ff${PARENT.slice(2)}`,
    '00-00000000000000000000000000000000-b7ad6b7169203331-01',
  ])('without a usable one ("%s") both begin anew with one trace', async (traceparent) => {
    const { sent, record } = await traced(traceparent === '' ? {} : { traceparent })
    const traceId = /^00-([0-9a-f]{32})-[0-9a-f]{16}-01$/.exec(sent['traceparent'] ?? '')?.[1]
    expect(traceId).toBeDefined()
    expect(sent['x-cloud-trace-context']).toMatch(new RegExp(`^${traceId}/\\d+;o=1$`))
    expect(record?.traceId).toBe(traceId)
  })
})

test('the console hears of every request once, with template and status', async () => {
  const own = await aStack(specOf([securedPath('/me'), openPaths('GET /open/{id}')].join('\n')))
  await fetch(`${own.url}/open/1?secret=1`)
  await fetch(`${own.url}/me`)
  await fetch(`${own.url}/none`)
  expect(
    own.records.map(({ method, path, template, status, message }) => [
      method,
      path,
      template,
      status,
      message,
    ]),
  ).toEqual([
    ['GET', '/open/1', '/open/{id}', 200, undefined],
    ['GET', '/me', '/me', 401, 'Jwt is missing'],
    ['GET', '/none', undefined, 404, 'The current request is not defined by this API.'],
  ])
})
