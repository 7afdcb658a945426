import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MOST_PAGE_SIZE, paging, USUAL_PAGE_SIZE } from '#shared/http/paging.ts'
import { systemIds, type TenantId } from '#shared/ids.ts'
import { prove } from '#shared/tenancy/proofs.ts'

const pages = paging(Buffer.alloc(32, 7), systemIds)

type Over = {
  query?: Record<string, string>
  tenant?: string
  subject?: string
  params?: Record<string, string>
}

function asked(operationId: 'listTenants' | 'getUsage', over: Over = {}) {
  const { tenant = 'acme', subject = 'client:a', query = {}, params = {} } = over
  const claims = { subject, clientId: 'a', roles: [], tokenId: 'j', issuedAt: 1, expiresAt: 2 }
  const scopes = new Set<string>()
  const token = prove.token({ ...claims, tenant: tenant as TenantId, tier: 'basic', scopes })
  return { operationId, params, query, token }
}

const nextOf = (request: ReturnType<typeof asked>, position = 'p-1'): string =>
  pages.next(request, position) ?? 'none'

test('a token leads on to where the page ended, whatever the size of the next one', () => {
  const token = nextOf(asked('listTenants', { query: { tier: 'basic', pageSize: '5' } }), 'tenant-ü')
  const next = asked('listTenants', { query: { pageToken: token, pageSize: '9', tier: 'basic' } })

  expect(pages.read(next)).toEqual({ ok: true, value: { pageSize: 9, after: 'tenant-ü' } })
})

test('the first page needs neither parameter and the last one has no token', () => {
  expect(pages.read(asked('listTenants'))).toEqual({
    ok: true,
    value: { pageSize: USUAL_PAGE_SIZE, after: undefined },
  })
  expect(pages.next(asked('listTenants'), undefined)).toBeNull()
})

test.each(['0', '-1', '1e1', '1.5', '', ' 5', '05', '٣', '101', '1000', 'ten'])(
  'pageSize=%s is refused and named',
  (pageSize) => {
    const refused = pages.read(asked('listTenants', { query: { pageSize } }))
    expect(refused).toMatchObject({
      ok: false,
      code: 'request.malformed',
      hint: expect.stringMatching('pageSize'),
    })
  },
)

test('the largest page is taken', () => {
  const query = { pageSize: String(MOST_PAGE_SIZE) }
  expect(pages.read(asked('listTenants', { query }))).toMatchObject({ ok: true })
})

// A token is no key to another list: it would say how far that one goes.
test.each<[string, 'listTenants' | 'getUsage', Over]>([
  ['another route', 'getUsage', {}],
  ['another filter', 'listTenants', { query: { tier: 'basic' } }],
  ['another tenant of the path', 'listTenants', { params: { tenantId: 'globex' } }],
  ["another caller's tenant", 'listTenants', { tenant: 'globex' }],
  ['another caller', 'listTenants', { subject: 'client:b' }],
])('a token given out for a list is refused for %s', (_name, operationId, over) => {
  const query = { ...over.query, pageToken: nextOf(asked('listTenants')) }
  expect(pages.read(asked(operationId, { ...over, query }))).toMatchObject({
    ok: false,
    code: 'request.malformed',
    hint: expect.stringMatching('pageToken'),
  })
})

test('a token of another key is refused', () => {
  const other = paging(Buffer.alloc(32, 8), systemIds)
  const pageToken = other.next(asked('listTenants'), 'p') ?? ''
  expect(pages.read(asked('listTenants', { query: { pageToken } }))).toMatchObject({ ok: false })
})

test('no change of any character leaves a token valid', () => {
  const token = nextOf(asked('listTenants'))
  for (let at = 0; at < token.length; at += 1) {
    for (const char of ['A', 'B', '_', '9', '']) {
      const pageToken = `${token.slice(0, at)}${char}${token.slice(at + 1)}`
      if (pageToken === token) continue
      expect(pages.read(asked('listTenants', { query: { pageToken } })), pageToken).toMatchObject({
        ok: false,
      })
    }
  }
})

test('nothing made up is a token, and nothing throws', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ maxLength: 300 }), fc.base64String({ maxLength: 300 })), (pageToken) => {
      expect(pages.read(asked('listTenants', { query: { pageToken } }))).toMatchObject({ ok: false })
    }),
  )
})

test('a token tells nothing of the position, and two for one position differ', () => {
  const [one, two] = [nextOf(asked('listTenants'), 'tenant-42'), nextOf(asked('listTenants'), 'tenant-42')]
  expect(one).not.toBe(two)
  expect(Buffer.from(one, 'base64url').toString('latin1')).not.toContain('tenant')
})
