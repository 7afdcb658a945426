import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { aStack, type Stack } from './stack.ts'

let stack: Stack
beforeAll(async () => {
  stack = await aStack()
})
afterAll(() => stack.close())
beforeEach(() => stack.forgetAll())

const create: Stack['create'] = (...asked) => stack.create(...asked)

describe('reading', () => {
  test('a foreign tenant and a missing one are the same 404', async () => {
    await create()
    const foreign = await stack.api('GET', '/v1/tenants/acme', { as: 'tenant:globex' })
    const missing = await stack.api('GET', '/v1/tenants/nobody', { as: 'tenant:globex' })
    const strip = ({ requestId: _r, instance: _i, ...rest }: Record<string, unknown>) => rest
    expect(foreign.status).toBe(404)
    expect(strip(foreign.body)).toEqual(strip(missing.body))
    expect((await stack.api('GET', '/v1/tenants/nobody')).status).toBe(404)
  })

  test("an operation is not found under another tenant's name", async () => {
    const { body } = await create()
    await create({ tenantId: 'globex' })
    for (const path of [
      `/v1/tenants/globex/operations/${body['operationId']}`,
      '/v1/tenants/acme/operations/op_none',
      '/v1/tenants/acme/operations/..%2F..',
    ]) {
      expect((await stack.api('GET', path)).status).toBe(404)
    }
  })

  test('pages through all tenants without a gap, filtered or not', async () => {
    for (let n = 10; n < 25; n += 1) {
      await create({ tenantId: `tenant-${n}`, tier: n % 2 === 0 ? 'basic' : 'premium' })
    }
    const walk = async (query: string): Promise<string[]> => {
      const ids: string[] = []
      let token: unknown = ''
      while (token !== null) {
        const page = await stack.api(
          'GET',
          `/v1/tenants?pageSize=4${query}${token === '' ? '' : `&pageToken=${token}`}`,
        )
        expect(page.status).toBe(200)
        ids.push(...(page.body['items'] as { tenantId: string }[]).map(({ tenantId }) => tenantId))
        token = page.body['nextPageToken']
      }
      return ids
    }
    const all = Array.from({ length: 15 }, (_, index) => `tenant-${index + 10}`)
    expect(await walk('')).toEqual(all)
    expect(await walk('&tier=basic&state=REQUESTED')).toEqual(all.filter((_, index) => index % 2 === 0))
    expect(await walk('&state=ACTIVE')).toEqual([])
  })

  test('takes no page token of another list and no nonsense', async () => {
    for (const tenantId of ['tenant-1', 'tenant-2']) await create({ tenantId })
    const { body } = await stack.api('GET', '/v1/tenants?pageSize=1')
    const token = body['nextPageToken']
    for (const query of [
      `pageSize=1&tier=basic&pageToken=${token}`,
      'pageToken=x',
      'pageToken=',
      'pageSize=0',
      'pageSize=101',
      'pageSize=1e1',
      'state=active',
      'order=desc',
    ]) {
      expect((await stack.api('GET', `/v1/tenants?${query}`)).status, query).toBe(400)
    }
  })

  test.each(['/v1/tenants', '/v1/tenants/acme/operations', '/v1/tenants/acme/timeline'])(
    '%s says of a parameter that nobody knows that it stands in the query',
    async (path) => {
      await create()
      const { status, body } = await stack.api('GET', `${path}?foo=1`)

      expect(status).toBe(400)
      expect(JSON.stringify(body)).toContain('query: Unrecognized key')
    },
  )

  // A scope in the wrong token must not be enough: operators live in a tenant of their own.
  test('of all tenants, or creating one, is not for a tenant that holds the scope by mistake', async () => {
    await create()
    expect((await stack.api('GET', '/v1/tenants', { as: 'impostor:globex' })).status).toBe(403)
    expect((await create({ tenantId: 'initech' }, {}, 'impostor:globex')).status).toBe(403)
    expect((await stack.api('GET', '/v1/tenants/acme', { as: 'impostor:globex' })).status).toBe(404)
  })

  test('is not for tenants', async () => {
    expect((await stack.api('GET', '/v1/tenants', { as: 'tenant:acme' })).status).toBe(403)
  })
})
