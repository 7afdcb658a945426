import { afterEach, describe, expect, test } from 'vitest'
import { TIER_LIMITS } from '#shared/catalogue/tiers.ts'
import { SHED_REASONS } from '#shared/observability/shed-reasons.ts'
import { ok } from '#shared/result.ts'
import { ACTIVE } from '../shared/support/platform.ts'
import { rawRequest } from '../shared/support/raw-http.ts'
import { type EdgeServer, startEdge } from './support.ts'

let edge: EdgeServer | undefined
afterEach(() => edge?.close())

const requestLines = (server: EdgeServer) =>
  server.platform.lines.filter((line) => line['message'] === 'request')

describe('a tenant that asks more often than its tier allows', () => {
  test('gets 429 with Retry-After before its body is read, and hurts no other', async () => {
    const server = await startEdge()
    edge = server
    server.platform.states.set('acme', { ...ACTIVE, tier: 'basic' })
    let handled = 0
    server.behave(() => {
      handled += 1
      return ok({ status: 200 })
    })
    const acme = await server.headersFor()
    const globex = await server.headersFor({ tenant: 'globex' })
    const most = TIER_LIMITS.basic.apiRequestsPerSecond
    const startedMs = performance.now()
    const statuses: number[] = []
    for (let at = 0; at < most * 3; at += 1) {
      statuses.push((await fetch(`${server.url}/v1/tenants/acme`, { headers: acme })).status)
    }
    const seconds = (performance.now() - startedMs) / 1000
    const answered = statuses.filter((status) => status === 200).length

    expect(handled).toBe(answered)
    expect(answered).toBeGreaterThanOrEqual(most)
    expect(answered).toBeLessThanOrEqual(most * (1 + seconds) + 1)
    // Used up at once, so that the last one is refused whatever time the others took.
    const burst = await Promise.all(
      Array.from({ length: most * 2 }, () => fetch(`${server.url}/v1/tenants/acme`, { headers: acme })),
    )
    const refused = burst.find(({ status }) => status === 429)
    expect(refused?.headers.get('retry-after')).toBe('1')
    expect(await refused?.json()).toMatchObject({ code: 'rate.limited', status: 429 })
    expect((await fetch(`${server.url}/v1/tenants/globex`, { headers: globex })).status).toBe(200)
  })

  test('is told so although the rest of its body never comes', async () => {
    const server = await startEdge({ deadlineMs: 200 })
    edge = server
    server.platform.states.set('platform', { ...ACTIVE, tier: 'basic' })
    const headers = await server.headersFor({ tenant: 'platform', scope: 'platform:tenants' })
    const head = [
      'POST /v1/tenants HTTP/1.1',
      'Host: h',
      'Content-Type: application/json',
      'Content-Length: 9',
    ]
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
    const request = [...head, ...lines, '', '{'].join('\r\n')
    const most = TIER_LIMITS.basic.apiRequestsPerSecond
    const replies = await Promise.all(Array.from({ length: most * 3 }, () => rawRequest(server.url, request)))

    // Those within the rate wait for their body, up to the deadline.
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([429, 503]))
    expect(replies.filter(({ status }) => status === 503).length).toBeLessThan(most * 2)
  })
})

describe('an instance without room', () => {
  const full = { whatIsFull: () => 'places' as const, enter: () => () => undefined }

  test('turns requests away with Retry-After, and lets health checks and its own jobs in', async () => {
    const server = await startEdge({ gate: full })
    edge = server
    const headers = await server.headersFor()
    const shed = await fetch(`${server.url}/v1/tenants/acme`, { headers })
    const open = await Promise.all(
      ['/health/tenants', '/health/tenants?x=1'].map((path) => fetch(`${server.url}${path}`, { headers })),
    )
    const job = await fetch(`${server.url}/internal/sweep/run`, { method: 'POST', headers })

    expect([shed.status, shed.headers.get('retry-after')]).toEqual([503, '1'])
    expect(await shed.json()).toMatchObject({
      code: 'overload.shed',
      requestId: shed.headers.get('x-request-id'),
    })
    expect(shed.headers.get('content-type')).toBe('application/problem+json')
    for (const name of ['cache-control', 'x-content-type-options', 'content-security-policy']) {
      expect(shed.headers.get(name)).not.toBeNull()
    }
    expect(open.map(({ status }) => status)).toEqual([200, 200])
    // Let in, and refused by the edge: the gateway is not the scheduler.
    expect(job.status).toBe(401)
  })

  test.each(['/healthy', '/v1/health', '/internals', '/HEALTH', '/v1/tenants/../health', '//health'])(
    '%s is no way around that',
    async (path) => {
      const server = await startEdge({ gate: full })
      edge = server
      const reply = await rawRequest(server.url, `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`)

      expect([reply.status, JSON.parse(reply.body).code]).toEqual([503, 'overload.shed'])
    },
  )

  test('answers before the body comes, and closes only where much may follow', async () => {
    const server = await startEdge({ gate: full })
    edge = server
    const head = 'POST /v1/tenants HTTP/1.1\r\nHost: h\r\n'
    const little = await rawRequest(server.url, `${head}Content-Length: 10\r\n\r\n`)
    const much = await rawRequest(server.url, `${head}Transfer-Encoding: chunked\r\n\r\n`)

    expect([little.status, little.headers['connection']]).toEqual([503, 'keep-alive'])
    expect([much.status, much.headers['connection']]).toEqual([503, 'close'])
  })

  test('logs each up to a bound, and then how many there were', async () => {
    const server = await startEdge({ gate: full })
    edge = server
    for (let at = 0; at < 130; at += 1) await (await fetch(`${server.url}/v1/tenants`)).text()
    const said = () => server.platform.lines.filter((line) => line['message'] === 'requests shed')
    await expect.poll(said, { timeout: 3_000 }).not.toEqual([])

    const counted = said().reduce((sum, line) => sum + Number(line['count']), 0)
    expect(requestLines(server).length + counted).toBe(130)
    const line = { severity: 'WARNING', code: 'overload.shed', httpRequest: { status: 503 } }
    expect(requestLines(server)[0]).toMatchObject({ ...line, detail: SHED_REASONS.places })
  })
})

test('what the front answers itself has its log line too, with nothing of the caller in it', async () => {
  const server = await startEdge()
  edge = server
  const url = server.url
  await fetch(`${url}/v1/tenants`, { method: 'POST', body: 'x', headers: { 'content-encoding': 'gzip' } })
  await rawRequest(url, `POST /v1/tenants HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n`)
  await rawRequest(url, 'GET /%zz-secret HTTP/1.1\r\nHost: h\r\n\r\n')
  await rawRequest(url, 'nonsense-secret\r\n\r\n')

  expect(requestLines(server).map((line) => line['code'])).toEqual([
    'request.unsupported_media_type',
    'request.too_large',
    'request.malformed',
    'request.malformed',
  ])
  for (const line of requestLines(server)) expect(line['requestId']).toMatch(/^[0-9a-f]{32}$/)
  expect(JSON.stringify(server.platform.lines)).not.toContain('secret')
})

describe('pages in browsers', () => {
  const CONSOLE = 'https://console.energent.test'
  const env = { CORS_ORIGINS: `${CONSOLE},http://localhost:5173` }

  async function preflight(origin: string | undefined, path = '/v1/tenants/acme', settings = env) {
    const server = await startEdge({ env: settings })
    edge = server
    const { authorization = '' } = await server.headersFor()
    const asked = { 'access-control-request-method': 'GET', authorization }
    const headers = origin === undefined ? asked : { ...asked, origin }
    return fetch(`${server.url}${path}`, { method: 'OPTIONS', headers })
  }

  test('of an allowed origin may call and read what they need', async () => {
    const answer = await preflight(CONSOLE)

    expect(answer.status).toBe(204)
    expect(answer.headers.get('access-control-allow-origin')).toBe(CONSOLE)
    expect(answer.headers.get('access-control-allow-methods')).toBe('GET, PATCH')
    expect(answer.headers.get('access-control-allow-headers')?.toLowerCase()).toContain('authorization')
    expect(answer.headers.get('vary')).toBe('Origin')
  })

  test.each([
    'https://evil.test',
    'https://console.energent.test.evil.test',
    'http://console.energent.test',
    'https://console.energent.test:8443',
    'HTTPS://CONSOLE.ENERGENT.TEST',
    'null',
    '*',
    '',
    undefined,
  ])('of the origin %s may not', async (origin) => {
    const answer = await preflight(origin)

    expect(answer.status).toBe(204)
    for (const name of answer.headers.keys()) expect(name).not.toMatch(/^access-control-/)
  })

  test('are told nothing where no origin is allowed, and never let in with credentials', async () => {
    const none = await preflight(CONSOLE, '/v1/tenants', { CORS_ORIGINS: '' })
    await edge?.close()
    const allowed = await preflight(CONSOLE)

    expect(none.headers.get('access-control-allow-origin')).toBeNull()
    expect(allowed.headers.get('access-control-allow-credentials')).toBeNull()
    expect([...allowed.headers.values()]).not.toContain('*')
  })

  test('read refusals as well as answers, and those of the front', async () => {
    const server = await startEdge({ env })
    edge = server
    const headers = { ...(await server.headersFor()), origin: CONSOLE }
    const answers = await Promise.all([
      fetch(`${server.url}/v1/tenants/acme`, { headers }),
      fetch(`${server.url}/v1/tenants/globex`, { headers }),
      fetch(`${server.url}/v1/tenants/%zz`, { headers }),
    ])

    expect(answers.map(({ status }) => status)).toEqual([200, 404, 400])
    for (const answer of answers) {
      expect(answer.headers.get('access-control-allow-origin')).toBe(CONSOLE)
      expect(answer.headers.get('access-control-expose-headers')).toContain('ETag')
    }
  })

  test('ask through the gateway like everyone, and only about paths of theirs', async () => {
    const server = await startEdge({ env })
    edge = server
    const stranger = await fetch(`${server.url}/v1/tenants/acme`, {
      method: 'OPTIONS',
      headers: { origin: CONSOLE },
    })
    await server.close()
    const health = await preflight(CONSOLE, '/health/tenants')

    expect([stranger.status, health.status]).toEqual([401, 405])
  })

  test.each([
    '*',
    'https://*.energent.ai',
    'https://a.test/',
    'http://a.test',
    'a.test',
    'https://a.test,*',
    'null',
  ])('%s is no origin that can be allowed', async (origins) => {
    await expect(startEdge({ env: { CORS_ORIGINS: origins } })).rejects.toThrow('CORS_ORIGINS')
    edge = undefined
  })
})
