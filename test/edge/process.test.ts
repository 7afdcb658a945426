import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { drainRound } from '../../bench/drain.ts'
import { flood } from '../../bench/flood.ts'
import { memoryOf, type Rig, type RunningFunction, startRig } from '../../bench/rig.ts'
import { rawRequest } from '../shared/support/raw-http.ts'

// The function as it is delivered, under the framework's own main program. `bench/` has the same at length.
let rig: Rig
let running: RunningFunction
let operator: Record<string, string>

beforeAll(async () => {
  rig = await startRig('tenants-api', [])
  running = await rig.start()
  operator = await rig.headersOf('platform', 'platform:tenants platform:read')
}, 60_000)
afterAll(() => rig.close())

const HOST = 'Host: h\r\n'
const fieldsOf = (headers: Record<string, string>): string =>
  Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')

describe('a malformed request', () => {
  const post = (rest: string, body = ''): string => `POST /v1/tenants HTTP/1.1\r\n${HOST}${rest}\r\n${body}`
  const authorized = (rest: string, body = ''): (() => string) => {
    return () => post(`${fieldsOf(operator)}${rest}`, body)
  }
  const json = 'Content-Type: application/json\r\n'
  const sized = (body: string): string => `${json}Content-Length: ${Buffer.byteLength(body)}\r\n`
  const withBody = (body: string): (() => string) => authorized(sized(body), body)

  const CASES: readonly (readonly [string, string | Buffer | (() => string), number, RegExp])[] = [
    ['no HTTP at all', '\u0016\u0003\u0001\u0002\u0000\u0001\r\n\r\n', 400, /HTTP/],
    ['a line of nonsense', 'hello\r\n\r\n', 400, /HTTP/],
    ['another protocol', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, /HTTP/],
    ['an unknown method', `BREW /v1/tenants HTTP/1.1\r\n${HOST}\r\n`, 400, /method/],
    ['an unknown version', `GET / HTTP/9.9\r\n${HOST}\r\n`, 400, /HTTP/],
    ['a target with a space', `GET /v1/ten ants HTTP/1.1\r\n${HOST}\r\n`, 400, /HTTP|target/],
    ['no resource but the server itself', `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`, 400, /target/],
    ['a target of another scheme', `GET ftp://a/b HTTP/1.1\r\n${HOST}\r\n`, 400, /target/],
    ['no target', `GET  HTTP/1.1\r\n${HOST}\r\n`, 400, /HTTP|target/],
    ['a header without a colon', `GET / HTTP/1.1\r\n${HOST}nonsense\r\n\r\n`, 400, /header/],
    ['a space before the colon', `GET / HTTP/1.1\r\n${HOST}a : b\r\n\r\n`, 400, /header/],
    ['a control character in a header', `GET / HTTP/1.1\r\n${HOST}a: b\u0001c\r\n\r\n`, 400, /header/],
    ['a NUL in a header', `GET / HTTP/1.1\r\n${HOST}a: b\u0000c\r\n\r\n`, 400, /header/],
    ['a folded header', `GET / HTTP/1.1\r\n${HOST}a: b\r\n c\r\n\r\n`, 400, /header/],
    ['no Host', 'GET /v1/tenants HTTP/1.1\r\n\r\n', 400, /Host/],
    ['two Hosts', `GET /v1/tenants HTTP/1.1\r\n${HOST}Host: i\r\n\r\n`, 400, /Host/],
    ['two lengths', post('Content-Length: 1\r\nContent-Length: 2\r\n', 'ab'), 400, /length/],
    ['a length that is no number', post('Content-Length: x\r\n'), 400, /length/],
    ['a negative length', post('Content-Length: -1\r\n'), 400, /length/],
    ['a length beyond all numbers', post('Content-Length: 99999999999999999999999\r\n'), 400, /length/],
    [
      'a length and chunks',
      post('Content-Length: 3\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
      400,
      /length/,
    ],
    [
      'an unknown transfer encoding',
      post('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'),
      400,
      /chunked/,
    ],
    ['chunked not last', post('Transfer-Encoding: chunked, gzip\r\n', 'x'), 400, /length|chunked/],
    ['an expectation', post('Expect: the-unexpected\r\n'), 400, /Expect/],
    ['a tunnel', `CONNECT evil.test:443 HTTP/1.1\r\n${HOST}\r\n`, 405, /method/],
    ['a header too long', `GET / HTTP/1.1\r\n${HOST}a: ${'x'.repeat(9_000)}\r\n\r\n`, 431, /headers/],
    [
      'headers too long together',
      `GET / HTTP/1.1\r\n${HOST}${'a: x\r\n'.repeat(20_000)}\r\n`,
      431,
      /headers/,
    ],
    ['too many headers', `GET / HTTP/1.1\r\n${HOST}${'a: x\r\n'.repeat(200)}\r\n`, 431, /headers/],
    ['a path too long', `GET /${'x'.repeat(9_000)} HTTP/1.1\r\n${HOST}\r\n`, 400, /URL/],
    ['a broken escape', `GET /v1/%zz HTTP/1.1\r\n${HOST}\r\n`, 400, /path/],
    ['an escape that is no UTF-8', `GET /v1/%c3%28 HTTP/1.1\r\n${HOST}\r\n`, 400, /path/],
    [
      'a compressed body',
      post('Content-Encoding: gzip\r\nContent-Length: 1\r\n', 'x'),
      415,
      /encoding|Encoding/,
    ],
    ['a body declared too large', post('Content-Length: 99999999\r\n'), 413, /bytes/],
    [
      'another media type',
      authorized('Content-Type: text/plain\r\nContent-Length: 1\r\n', 'x'),
      415,
      /media type/,
    ],
    [
      'another charset',
      authorized('Content-Type: application/json; charset=latin1\r\nContent-Length: 1\r\n', 'x'),
      400,
      /UTF-8/,
    ],
    ['a media type sent twice', authorized(`${json}${json}Content-Length: 1\r\n`, 'x'), 400, /content-type/],
    ['an empty body', withBody(''), 400, /JSON/],
    ['half a body of JSON', withBody('{"a":'), 400, /JSON/],
    ['a member named twice', withBody('{"tier":"basic","tier":"enterprise"}'), 400, /"tier" stands twice/],
    ['a member that reaches for a prototype', withBody('{"__proto__":{}}'), 400, /__proto__/],
    ['JSON too deep', withBody(`${'['.repeat(50)}${']'.repeat(50)}`), 400, /nested/],
    ['JSON of another form', withBody('[1]'), 400, /body/],
    ['half a character', withBody('{"a":"\\ud800"}'), 400, /Unicode/],
    [
      'broken chunks',
      authorized(`${json}Transfer-Encoding: chunked\r\n`, 'zz\r\n{}\r\n0\r\n\r\n'),
      400,
      /chunk/,
    ],
    ['members that are missing', withBody('{}'), 400, /tenantId/],
  ]

  test.each(CASES)('%s gets a problem that names the fault', async (_name, request, status, fault) => {
    const sent = typeof request === 'function' ? request() : request
    const reply = await rawRequest(running.url, [sent])

    expect(reply.status, reply.text).toBe(status)
    expect(reply.headers['content-type']).toBe('application/problem+json')
    const problem = JSON.parse(reply.body)
    expect(problem).toMatchObject({ status, requestId: reply.headers['x-request-id'] })
    expect(`${problem.title} ${problem.detail ?? ''}`).toMatch(fault)
    expect(reply.text).not.toMatch(/\bat .*:\d+:\d+|node_modules|\.ts|Error:|<html|xpress/)
    expect(reply.headers['x-powered-by']).toBeUndefined()
  })

  test('sent right after a good one is answered after it', async () => {
    const good = `GET /v1/tenants HTTP/1.1\r\n${HOST}${fieldsOf(operator)}\r\n`
    const text = await conversation(`${good}nonsense\r\n\r\n`)

    expect([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual(['200', '400'])
  })

  test('of whatever kind leaves the process alive, and each has its log line', async () => {
    const [code] = await Promise.race([running.exited, Promise.resolve(['alive'] as const)])
    expect(code).toBe('alive')
    expect((await fetch(`${running.url}/v1/tenants`, { headers: operator })).status).toBe(200)
    const requests = running.lines.filter((line) => line.includes('"message":"request"'))
    expect(requests.length).toBeGreaterThanOrEqual(CASES.length)
    for (const line of running.lines) expect(() => JSON.parse(line), line).not.toThrow()
  })

  test('that is random bytes is answered or cut, a thousand times, and nothing else suffers', async () => {
    let seed = 42
    const byte = (): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
      return seed % 256
    }
    const one = `GET /v1/tenants HTTP/1.1\r\n${HOST}${fieldsOf(operator)}\r\n`
    for (let round = 0; round < 20; round += 1) {
      const replies = Array.from({ length: 50 }, () => {
        const bytes = Buffer.from(one)
        for (let change = 0; change < 1 + (byte() % 8); change += 1) {
          // The lines' ends stay, or nothing would end the request and both sides wait.
          const at = (byte() * 256 + byte()) % (bytes.length - 4)
          if (bytes[at] !== 0x0a && bytes[at] !== 0x0d) bytes[at] = byte()
        }
        return rawRequest(running.url, [bytes]).then(
          ({ status }) => status,
          () => 0,
        )
      })
      const statuses = await Promise.race([Promise.all(replies), timeout(5_000)])
      for (const status of statuses) expect(status).not.toBe(500)
    }
    expect((await fetch(`${running.url}/v1/tenants`, { headers: operator })).status).toBe(200)
  })
})

test('30 MB bodies on 40 connections are each told 413 and leave memory flat', async () => {
  const load = { connections: 40, bytes: 30 * 1024 * 1024 } as const
  const before = await memoryOf(running.pid)
  for (const kind of ['declared', 'chunked'] as const) {
    const { statuses } = await flood(running, operator, { ...load, kind })
    expect(new Set(statuses)).toEqual(new Set([413]))
  }
  const after = await memoryOf(running.pid)

  // Kept, one round would be 1,200 MB.
  expect(after.highest - before.now).toBeLessThan(160 * 1024 * 1024)
}, 30_000)

test.each([0, 150])(
  '20 of 20 requests in flight are finished when SIGTERM comes %i ms later',
  async (atMs) => {
    expect(await drainRound(rig, atMs)).toMatchObject({ finished: 20, resets: 0, others: [], exitCode: 0 })
  },
  30_000,
)

/** Everything that comes back until the other side ends the connection. */
function conversation(sent: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(running.port, '127.0.0.1', () => socket.write(sent))
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk)).on('error', reject)
    socket.on('end', () => {
      socket.destroy()
      resolve(Buffer.concat(chunks).toString('latin1'))
    })
  })
}

function timeout(ms: number): Promise<number[]> {
  return new Promise((resolve) => setTimeout(resolve, ms, []))
}
