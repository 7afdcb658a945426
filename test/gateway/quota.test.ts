import { describe, expect, test } from 'vitest'
import { aStack, bearer, localReply, replyOf, type Stack, specOf } from './fixtures/stack.ts'

describe('E39–E45: gateway keys and quota', () => {
  const KEYS = new Map([
    ['good', { consumerNumber: '4711', state: 'active' }],
    ['other', { consumerNumber: '4712', state: 'active' }],
    ['expired', { consumerNumber: '1', state: 'expired' }],
    ['unknown', { consumerNumber: '1', state: 'notFound' }],
    ['disabled', { consumerNumber: '1', state: 'apiNotEnabled' }],
    ['ip', { consumerNumber: '1', state: 'ipBlocked' }],
    ['referer', { consumerNumber: '1', state: 'refererBlocked' }],
    ['app', { consumerNumber: '1', state: 'appBlocked' }],
    ['target', { consumerNumber: '1', state: 'targetBlocked' }],
  ] as const)
  const QUOTA = `x-google-management:
  metrics: [{ name: reads, displayName: Read requests, valueType: INT64, metricKind: DELTA }]
  quota: { limits: [{ name: read-limit, displayName: Reads per minute, metric: reads, unit: "1/min/{project}", values: { STANDARD: 3 } }] }`
  const keyed = (fields = '') =>
    `  /x: { get: { security: [{ gatewayKey: [] }], ${fields} responses: {} }, post: { security: [{ gatewayKey: [], user: [] }], responses: {} } }`

  test('E39: an absent key is 401', async () => {
    const stack = await aStack(specOf(keyed()), { apiKeys: KEYS })
    expect(await replyOf(await fetch(`${stack.url}/x`))).toEqual(
      localReply(
        401,
        "UNAUTHENTICATED: Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
      ),
    )
  })

  test.each([
    ['E40', 'never-issued', 400, 'INVALID_ARGUMENT: API key not valid. Please pass a valid API key.'],
    ['E40', 'expired', 400, 'INVALID_ARGUMENT: API key expired. Please renew the API key.'],
    ['E40', 'unknown', 400, 'INVALID_ARGUMENT: API key not found. Please pass a valid API key.'],
    ['E41', 'disabled', 403, 'PERMISSION_DENIED: API api.example is not enabled for the project.'],
    ['E42', 'ip', 403, 'PERMISSION_DENIED: IP address blocked.'],
    ['E42', 'referer', 403, 'PERMISSION_DENIED: Referer blocked.'],
    ['E42', 'app', 403, 'PERMISSION_DENIED: Client application blocked.'],
    [
      'E42',
      'target',
      403,
      'PERMISSION_DENIED:  The API targeted by this request is invalid for the given API key.',
    ],
  ])('%s: the key "%s" is %i', async (_row, apiKey, status, message) => {
    const stack = await aStack(specOf(keyed()), { apiKeys: KEYS })
    expect(await replyOf(await fetch(`${stack.url}/x`, { headers: { 'x-api-key': apiKey } }))).toEqual(
      localReply(status, message),
    )
    expect(stack.backend.seen).toHaveLength(0)
  })

  test('a good key tells the backend who calls', async () => {
    const stack = await aStack(specOf(keyed()), { apiKeys: KEYS })
    const headers = { 'x-api-key': 'good', 'X-Apigateway-Api-Consumer-Number': '666' }
    expect((await fetch(`${stack.url}/x`, { headers })).status).toBe(200)
    expect(stack.backend.seen[0]?.headers).toMatchObject({
      'x-apigateway-api-consumer-type': 'PROJECT',
      'x-apigateway-api-consumer-number': '4711',
    })
  })

  test('with neither token nor key the token is missed first, and a bad key charges no quota', async () => {
    const stack = await aStack(specOf(keyed()), { apiKeys: KEYS })
    expect(await replyOf(await fetch(`${stack.url}/x`, { method: 'POST' }))).toEqual(
      localReply(401, 'Jwt is missing'),
    )
    const response = await fetch(`${stack.url}/x`, { method: 'POST', headers: bearer() })
    expect((await replyOf(response)).body).toMatchObject({
      message: expect.stringContaining('UNAUTHENTICATED'),
    })
  })

  // The pairs of ESPv2's key location tables: declared places only, query before header, in order.
  test.each([
    ['key in the query', '?key=good', {}, 200],
    ['api_key in the query', '?api_key=good', {}, 200],
    ['the first declared of two', '?api_key=expired&key=good', {}, 200],
    ['the header', '', { 'X-API-KEY': 'good' }, 200],
    ['query before header', '?key=good', { 'x-api-key': 'expired' }, 200],
    ['an undeclared header', '', { 'x-other-key': 'good' }, 401],
    ['an empty key', '?key=', {}, 401],
  ])('E43: %s', async (_name, query, headers, status) => {
    const definitions = `  a: { type: apiKey, in: query, name: key }\n  b: { type: apiKey, in: query, name: api_key }`
    const stack = await aStack(
      specOf(
        '  /x: { get: { security: [{ a: [] }, { b: [] }, { gatewayKey: [] }], responses: {} } }',
        definitions,
      ),
      { apiKeys: KEYS },
    )
    expect((await fetch(`${stack.url}/x${query}`, { headers })).status).toBe(status)
  })

  test('an empty requirement beside a key makes the key optional', async () => {
    const stack = await aStack(
      specOf('  /x: { get: { security: [{ gatewayKey: [] }, {}], responses: {} } }'),
      { apiKeys: KEYS },
    )
    expect((await fetch(`${stack.url}/x`)).status).toBe(200)
    expect((await fetch(`${stack.url}/x`, { headers: { 'x-api-key': 'expired' } })).status).toBe(400)
  })

  const spend = async (stack: Stack, apiKey: string) =>
    (await fetch(`${stack.url}/x`, { headers: { 'x-api-key': apiKey } })).status

  test('E44: over the limit is 429 per project, until the next minute', async () => {
    const stack = await aStack(specOf(keyed('x-google-quota: { metricCosts: { reads: 2 } },'), QUOTA), {
      apiKeys: KEYS,
    })
    expect([await spend(stack, 'good'), await spend(stack, 'good'), await spend(stack, 'other')]).toEqual([
      200, 429, 200,
    ])
    expect(await replyOf(await fetch(`${stack.url}/x`, { headers: { 'x-api-key': 'good' } }))).toEqual(
      localReply(
        429,
        "RESOURCE_EXHAUSTED: Quota exceeded for quota metric 'Read requests' and limit 'Reads per minute' of service 'api.example' for consumer 'project_number:4711'.",
      ),
    )
    stack.clock.advance(60_000)
    expect(await spend(stack, 'good')).toBe(200)
  })

  test('E45: the lenient mode lets the first request over the limit through and no second', async () => {
    const stack = await aStack(specOf(keyed('x-google-quota: { metricCosts: { reads: 3 } },'), QUOTA), {
      apiKeys: KEYS,
      lenientQuota: true,
    })
    expect([await spend(stack, 'good'), await spend(stack, 'good'), await spend(stack, 'good')]).toEqual([
      200, 200, 429,
    ])
  })
})
