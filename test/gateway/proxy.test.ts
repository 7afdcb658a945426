import { describe, expect, test } from 'vitest'
import { freePort } from '#local/tcp-ports.ts'
import { until } from '../support/until.ts'
import { rawBackend, rawExchange } from './fixtures/backend.ts'
import { aStack, localReply, openPaths, replyOf, securedPath, specOf } from './fixtures/stack.ts'

const METHODS = openPaths('GET /g', 'POST /p', 'DELETE /d')
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const gatewayBefore = (backend: { url: string }) =>
  aStack(specOf(METHODS), { resolveBackend: () => backend.url })

describe('E46: the deadline', () => {
  const slow = (deadline: string) =>
    specOf(
      `  /x: { get: { x-google-backend: { address: "\${backend_uri}", path_translation: APPEND_PATH_TO_ADDRESS, deadline: ${deadline} }, responses: {} } }`,
    )

  test('a backend slower than its deadline is 504, and is told to stop', async () => {
    let aborted = false
    const stack = await aStack(slow('0.1'), {}, (_request, response) => {
      response.on('close', () => {
        aborted = true
      })
    })
    expect(await replyOf(await fetch(`${stack.url}/x`))).toEqual(localReply(504, 'upstream request timeout'))
    await until(() => aborted)
  })

  test('an answer that is not whole by the deadline breaks off', async () => {
    const stack = await aStack(slow('0.2'), {}, (_request, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('half')
    })
    const response = await fetch(`${stack.url}/x`)
    await expect(response.text()).rejects.toThrow()
  })

  test.each([
    ['absent', 15_000, ''],
    ['negative', 15_000, ', deadline: -1'],
    ['zero', 15_000, ', deadline: 0'],
    ['five seconds', 5_000, ', deadline: 5.0'],
    ['a fraction', 2_500, ', deadline: 2.5'],
  ])('a deadline that is %s means %i ms', async (_name, milliseconds, field) => {
    const { loadSpec } = await import('#local/gateway/load-spec.ts')
    const spec = loadSpec(
      specOf(
        `  /x: { get: { x-google-backend: { address: "https://h", path_translation: CONSTANT_ADDRESS${field} }, responses: {} } }`,
      ),
      { backend_uri: 'https://h' },
    )
    expect(spec.operations[0]?.backend.deadlineMs).toBe(milliseconds)
  })
})

describe('E47: retries', () => {
  const UNREACHABLE = 'upstream connect error or disconnect/reset before headers.'

  test('nothing listens: one retry, then 503', async () => {
    const url = `http://127.0.0.1:${await freePort()}`
    const stack = await aStack(specOf(METHODS), { resolveBackend: () => url })
    const response = await replyOf(await fetch(`${stack.url}/p`, { method: 'POST', body: 'x' }))
    expect(response).toMatchObject({ status: 503, type: 'application/json' })
    expect(JSON.stringify(response.body)).toContain(
      `${UNREACHABLE} retried and the latest reset reason: remote connection failure`,
    )
  })

  test('a reset before the answer is retried once for GET', async () => {
    const backend = await rawBackend((socket, count) => {
      socket.once('data', () => (count === 1 ? socket.resetAndDestroy() : socket.end(ANSWER)))
    })
    const stack = await gatewayBefore(backend)
    const response = await fetch(`${stack.url}/g`)
    expect([response.status, await response.text(), backend.count()]).toEqual([200, 'ok', 2])
  })

  test('a backend that only resets is tried twice and answered 503', async () => {
    const backend = await rawBackend((socket) => socket.once('data', () => socket.resetAndDestroy()))
    const stack = await gatewayBefore(backend)
    const response = await replyOf(await fetch(`${stack.url}/g`))
    expect([response.status, backend.count()]).toEqual([503, 2])
    expect(JSON.stringify(response.body)).toContain('connection termination')
  })

  // It may have done the work before it broke: a second charge is worse than a 503.
  test.each([
    ['with a body', 'charge'],
    ['without one', undefined],
  ])('a POST %s that reached the backend is never sent again', async (_name, body) => {
    const backend = await rawBackend((socket) => socket.once('data', () => socket.resetAndDestroy()))
    const stack = await gatewayBefore(backend)
    const init = body === undefined ? { method: 'POST' } : { method: 'POST', body }
    expect((await fetch(`${stack.url}/p`, init)).status).toBe(503)
    expect(backend.count()).toBe(1)
  })

  test('an answer that is no HTTP is 502', async () => {
    const backend = await rawBackend((socket) => socket.once('data', () => socket.end('SSH-2.0-OpenSSH\r\n')))
    const stack = await gatewayBefore(backend)
    expect((await fetch(`${stack.url}/g`)).status).toBe(502)
  })

  test('an answer with a framing that can be read in two ways is 502', async () => {
    const twice = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'
    const backend = await rawBackend((socket) => socket.once('data', () => socket.end(twice)))
    const stack = await gatewayBefore(backend)
    expect((await fetch(`${stack.url}/g`)).status).toBe(502)
  })

  test('half an answer is not taken for a whole one', async () => {
    const backend = await rawBackend((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')),
    )
    const stack = await gatewayBefore(backend)
    const response = await fetch(`${stack.url}/g`)
    await expect(response.text()).rejects.toThrow()
  })
})

describe('requests that are not quite HTTP', () => {
  const CRLF = '\r\n'
  const attack = async (lines: readonly string[], rest = '') => {
    const stack = await aStack(specOf(METHODS))
    const answer = await rawExchange(stack.url, [...lines, '', rest].join(CRLF), /\r\n\r\n\{[\s\S]*\}/)
    // The process and the listener must have survived, whatever was sent.
    const alive = (await fetch(`${stack.url}/g`)).status
    return { answer, alive, seen: stack.backend.seen.filter(({ url }) => url !== '/g').length, stack }
  }

  test.each([
    ['E19: a header name with underscore', ['GET /p HTTP/1.1', 'Host: h', 'X_Tenant: 1']],
    ['no Host', ['GET /p HTTP/1.1']],
    ['two Hosts', ['GET /p HTTP/1.1', 'Host: a', 'Host: b']],
    [
      'Content-Length and Transfer-Encoding',
      ['POST /p HTTP/1.1', 'Host: h', 'Content-Length: 5', 'Transfer-Encoding: chunked'],
    ],
    ['two Content-Lengths', ['POST /p HTTP/1.1', 'Host: h', 'Content-Length: 5', 'Content-Length: 6']],
    [
      'a Content-Length twice the same',
      ['POST /p HTTP/1.1', 'Host: h', 'Content-Length: 5', 'Content-Length: 5'],
    ],
    ['a Content-Length list', ['POST /p HTTP/1.1', 'Host: h', 'Content-Length: 5, 5']],
    ['a signed Content-Length', ['POST /p HTTP/1.1', 'Host: h', 'Content-Length: +5']],
    ['an unknown Transfer-Encoding', ['POST /p HTTP/1.1', 'Host: h', 'Transfer-Encoding: xchunked']],
    ['chunked that is not last', ['POST /p HTTP/1.1', 'Host: h', 'Transfer-Encoding: chunked, identity']],
    ['an encoding in HTTP/1.0', ['POST /p HTTP/1.0', 'Host: h', 'Transfer-Encoding: chunked']],
    [
      'encodings on two lines',
      ['POST /p HTTP/1.1', 'Host: h', 'Transfer-Encoding: chunked', 'Transfer-Encoding: identity'],
    ],
    ['lines that end without CR', ['GET /p HTTP/1.1\nHost: h\n']],
    ['a control character in a field', ['GET /p HTTP/1.1', 'Host: h', 'X-A: a\u0001b']],
    ['the preface of HTTP/2', ['PRI * HTTP/2.0']],
    ['a space before the colon', ['POST /p HTTP/1.1', 'Host: h', 'Transfer-Encoding : chunked']],
    ['a folded header line', ['GET /p HTTP/1.1', 'Host: h', 'X-A: 1', ' 2']],
    ['a bare text', ['hello']],
    ['a method that is none', ['G\u0001T /p HTTP/1.1', 'Host: h']],
    ['CONNECT', ['CONNECT /p HTTP/1.1', 'Host: h']],
  ])('%s is refused and reaches no backend', async (_name, lines) => {
    const { answer, alive, seen } = await attack(lines, 'aaaaa')
    expect(answer).toMatch(/^HTTP\/1.1 400 /)
    expect({ alive, seen }).toEqual({ alive: 200, seen: 0 })
  })

  test('E19: the refusal has the form of every other', async () => {
    const { answer } = await attack(['GET /g HTTP/1.1', 'Host: h', 'x_y: 1'])
    expect(answer).toContain('{"code":400,"message":"Bad Request"}')
    expect(answer.toLowerCase()).toContain('content-type: application/json')
  })

  test('a request smuggled behind a chunked body is a request of its own, with its own checks', async () => {
    const lines = ['POST /p HTTP/1.1', 'Host: h', 'Transfer-Encoding: chunked']
    const { stack, answer } = await attack(lines, '0\r\n\r\nGET /none HTTP/1.1\r\nHost: h\r\n\r\n')
    expect(answer).toContain('200 OK')
    expect(stack.backend.seen.map(({ url }) => url)).toEqual(['/p', '/g'])
  })

  test('a chunk with a wrong length ends the connection and never the process', async () => {
    const lines = ['POST /p HTTP/1.1', 'Host: h', 'Transfer-Encoding: chunked']
    const { alive, seen } = await attack(lines, 'ZZ\r\nabc\r\n0\r\n\r\n')
    expect({ alive, seen }).toEqual({ alive: 200, seen: 0 })
  })

  test('an Upgrade field opens no way around the checks', async () => {
    const stack = await aStack(specOf([METHODS, securedPath('/me')].join('\n')))
    for (const protocol of ['websocket', 'h2c']) {
      const head = `GET /me HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`
      expect(await rawExchange(stack.url, head, /\}$/)).toMatch(/^HTTP\/1.1 401 /)
    }
    expect(stack.backend.seen).toHaveLength(0)
  })

  test('a head of more than 60 KB is 431', async () => {
    const { answer, alive } = await attack(['GET /g HTTP/1.1', 'Host: h', `X-Big: ${'x'.repeat(61 * 1024)}`])
    expect(answer).toMatch(/^HTTP\/1.1 431 /)
    expect(answer).toContain('{"code":431,"message":"Request Header Fields Too Large"}')
    expect(alive).toBe(200)
  })

  test('two Authorization fields are one credential, joined by a comma', async () => {
    const { stack } = await attack([
      'POST /p HTTP/1.1',
      'Host: h',
      'Authorization: A',
      'Authorization: B',
      'Content-Length: 0',
    ])
    expect(stack.backend.seen[0]?.headers['x-forwarded-authorization']).toBe('A,B')
  })

  test('pipelined requests are answered in their order', async () => {
    const one = (path: string) => `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`
    const stack = await aStack(specOf(METHODS))
    const answer = await rawExchange(stack.url, one('/g') + one('/none') + one('/g?last'), /g\?last[\s\S]*\}/)
    expect(answer.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 404', 'HTTP/1.1 200'])
  })
})
