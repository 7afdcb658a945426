import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CALLED_BY_PAGES, type OperationId, ROUTES, type Route } from '#shared/catalogue/routes.ts'
import { TENANT_SCOPES } from '#shared/catalogue/scopes.ts'
import { startTestStack, type TestStack } from '../e2e/test-stack.ts'

// Every route there is, through the real gateway, on a stack with tenants in it.
let stack: TestStack
let almighty: { clientId: string; clientSecret: string }
const tokens = new Map<string, string>()

beforeAll(async () => {
  stack = await startTestStack('--caller-check', 'platform')
  const { operator, tenants } = stack.info()
  for (const [name, client] of [
    ['operator', operator] as const,
    ...tenants.map((one) => [one.tenantId, one] as const),
  ]) {
    tokens.set(name, await tokenOf(client))
  }
  // What the demo's own clients may is their story; here the tenant has one that may everything.
  const made = await fetch(`${stack.info().gatewayUrl}/v1/tenants/acme/clients`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tokens.get('operator')}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'all scopes', scopes: TENANT_SCOPES }),
  })
  almighty = (await made.json()) as typeof almighty
  tokens.set('acme', await tokenOf(almighty))
  for (const scope of ['usage:read', 'tenant:read']) tokens.set(scope, await tokenOf(almighty, scope))
}, 90_000)
afterAll(() => stack.close())

async function tokenOf(
  client: { clientId: string; clientSecret: string } | null,
  scope?: string,
): Promise<string> {
  const body = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: client?.clientId ?? '',
    client_secret: client?.clientSecret ?? '',
    ...(scope === undefined ? {} : { scope }),
  })
  const answer = await fetch(`${stack.info().gatewayUrl}/oauth2/token`, { method: 'POST', body })
  return String(((await answer.json()) as Record<string, unknown>)['access_token'])
}

const all = Object.entries(ROUTES as Record<OperationId, Route>).filter(
  ([, { security }]) => security !== 'scheduler',
)
const withToken = all.filter(([, { security }]) => security === 'token')
const ofTenant = withToken.filter(([, { path }]) => path.includes('{tenantId}'))
const withBody = all.filter(([, { maxBodyBytes }]) => maxBodyBytes > 0)

type Call = {
  readonly params?: Readonly<Record<string, string>>
  readonly query?: string
  readonly as?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array<ArrayBuffer>
}

async function call(route: Route, { params = {}, query = '', as, headers = {}, body }: Call = {}) {
  const names = { tenantId: 'acme', operationId: 'op_01JD0000000000000000000000', ...params }
  const path = route.path.replace(/\{(\w+)\}/g, (_all, name: keyof typeof names) => names[name])
  const token = as === undefined ? undefined : (tokens.get(as) ?? as)
  const type =
    body === undefined && route.accepts === undefined ? {} : { 'content-type': route.accepts?.[0] ?? '' }
  const sent = body ?? (route.accepts === undefined ? undefined : '{}')
  const answer = await fetch(`${stack.info().gatewayUrl}${path}${query}`, {
    method: route.method,
    headers: { ...type, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
    ...(sent === undefined ? {} : { body: sent }),
  })
  const text = await answer.text()
  return { status: answer.status, headers: answer.headers, text }
}

/** All that a caller could tell two answers apart by, but for their ids. */
function seenBy(answer: Awaited<ReturnType<typeof call>>) {
  const { requestId, ...body } = JSON.parse(answer.text)
  expect(requestId).toBe(answer.headers.get('x-request-id'))
  const headers = [...answer.headers].filter(([name]) => !['x-request-id', 'date'].includes(name))
  return { status: answer.status, headers, body, length: answer.text.length }
}

describe.each(ofTenant)('%s', (_id, route) => {
  // Whoever could tell these apart would know who our customers are.
  test('of another tenant is the 404 of one that does not exist, in every byte but the request id', async () => {
    const missing = seenBy(await call(route, { params: { tenantId: 'no-such-tenant' }, as: 'acme' }))
    expect(missing).toMatchObject({ status: 404, body: { code: 'resource.not_found' } })
    for (const tenantId of ['globex', 'initech', 'platform', 'system', 'GLOBEX', 'x', 'a%00b', 'a%2fb']) {
      const answer = await call(route, { params: { tenantId }, as: 'acme' })
      if (answer.headers.get('x-request-id') === null) expect([400, 404], tenantId).toContain(answer.status)
      else expect(seenBy(answer), tenantId).toEqual(missing)
    }
  })

  test('of a tenant that never was is no different for an operator than for others', async () => {
    const answer = await call(route, { params: { tenantId: 'no-such-tenant' }, as: 'operator' })
    expect([400, 404]).toContain(answer.status)
  })
})

describe.each(withToken)('%s', (_id, route) => {
  test.each([undefined, 'nonsense', 'a.b.c'])('with the token %s is 401 at the gateway', async (as) => {
    expect((await call(route, as === undefined ? {} : { as })).status).toBe(401)
  })

  test('with a token that has another scope alone is refused', async () => {
    const operators = route.scope?.startsWith('platform:') === true
    const other = route.scope === 'usage:read' ? 'tenant:read' : 'usage:read'
    const answer = await call(route, { as: operators ? 'acme' : other })

    // Accepting an invitation takes no scope: whoever signed in to the tenant may show one.
    if (route.scope === undefined) expect(answer.status).not.toBe(200)
    else expect([answer.status, JSON.parse(answer.text).code]).toEqual([403, 'token.insufficient_scope'])
  })

  test('with a parameter named twice, or broken, is refused', async () => {
    const as = route.scope?.startsWith('platform:') === true ? 'operator' : 'acme'
    for (const query of ['?a=1&a=2', '?a=1&%61=2', '?a=%zz', '?a=%ff', '?a=%00', `?${'b=1&'.repeat(40)}`]) {
      const { status, text } = await call(route, { query, as })
      expect([status, JSON.parse(text).code], query).toEqual([400, 'request.malformed'])
    }
  })
})

describe.each(withBody)('%s', (_id, route) => {
  const as = route.scope?.startsWith('platform:') === true ? 'operator' : 'acme'
  const who = route.security === 'token' ? { as } : {}

  test('takes no byte more than its limit', async () => {
    const body = new Uint8Array(route.maxBodyBytes + 1).fill(0x61)
    expect((await call(route, { ...who, body })).status).toBe(413)
  })

  test('takes no other media type, charset or encoding', async () => {
    const send = (headers: Record<string, string>) => call(route, { ...who, headers, body: '{}' })
    const type = route.accepts?.[0] ?? ''
    const statuses = [
      (await send({ 'content-type': 'text/plain' })).status,
      (await send({ 'content-type': `${type}; charset=latin1` })).status,
      (await send({ 'content-encoding': 'gzip' })).status,
    ]

    expect(statuses).toEqual([415, 400, 415])
  })
})

test.each(all.filter(([, { method }]) => method === 'GET'))('%s takes no body', async (_id, route) => {
  const as = route.scope?.startsWith('platform:') === true ? 'operator' : 'acme'
  const head = await fetch(`${stack.info().gatewayUrl}${route.path.replace(/\{\w+\}/g, 'acme')}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tokens.get(as)}` },
    body: '{}',
  })
  // Only where the path has a POST of its own is there anything to take it.
  const posted = all.some(([, other]) => other.method === 'POST' && other.path === route.path)
  if (!posted) expect(head.status).toBe(405)
})

test.each([...new Set(all.map(([, { path }]) => path))])(
  'a page asks about %s and gets an answer if it is for pages',
  async (path) => {
    const { gatewayUrl } = stack.info()
    const ask = (origin: string) =>
      fetch(`${gatewayUrl}${path.replace(/\{\w+\}/g, 'acme')}`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'GET' },
      })
    const [ours, others] = [await ask(gatewayUrl), await ask('https://evil.test')]

    expect([ours.status, others.status]).toEqual(CALLED_BY_PAGES.test(path) ? [204, 204] : [405, 405])
    expect(others.headers.get('access-control-allow-origin')).toBeNull()
    if (!CALLED_BY_PAGES.test(path)) return
    expect(ours.headers.get('access-control-allow-origin')).toBe(gatewayUrl)
    const methods = all.filter(([, route]) => route.path === path).map(([, { method }]) => method)
    expect(ours.headers.get('access-control-allow-methods')?.split(', ')).toEqual(methods.sort())
  },
)
