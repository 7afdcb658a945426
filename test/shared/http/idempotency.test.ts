import { expect, test } from 'vitest'
import { requestClaim } from '#shared/firestore/claim.ts'
import { claimOf } from '#shared/http/idempotency.ts'
import type { TenantId } from '#shared/ids.ts'
import { digestOf } from '#shared/json.ts'
import { prove } from '#shared/tenancy/proofs.ts'

function asked(key: string | undefined, over: { tenantId?: string; subject?: string } = {}) {
  const token = prove.token({
    tenant: 'acme' as TenantId,
    tier: 'basic',
    subject: over.subject ?? 'client:a',
    clientId: 'a',
    scopes: new Set(),
    roles: [],
    tokenId: 'j',
    issuedAt: 1,
    expiresAt: 2,
  })
  const params: Record<string, string> = over.tenantId === undefined ? {} : { tenantId: over.tenantId }
  const header = (name: string) => (name === 'idempotency-key' ? key : undefined)
  return { operationId: 'createClient' as const, params, header, token }
}

const idOf = (...args: Parameters<typeof asked>): string | undefined => {
  const claim = claimOf(asked(...args), { a: 1 })
  return claim.ok ? claim.value?.id : undefined
}

// Claims of requests answered before a deployment must be met by their repetition after it.
test('a claim is of who asks, the route with the tenant of its path, and the key', () => {
  expect(claimOf(asked('k', { tenantId: 'acme' }), { a: 1 })).toEqual({
    ok: true,
    value: requestClaim('client:a', 'createClient/acme', 'k', digestOf({ a: 1 })),
  })
  expect(claimOf(asked('k'), { a: 1 })).toEqual({
    ok: true,
    value: requestClaim('client:a', 'createClient', 'k', digestOf({ a: 1 })),
  })
})

test('two callers, two tenants and two keys have claims of their own', () => {
  const ids = [
    idOf('k', { tenantId: 'acme' }),
    idOf('k', { tenantId: 'globex' }),
    idOf('k', { tenantId: 'acme', subject: 'client:b' }),
    idOf('l', { tenantId: 'acme' }),
  ]
  expect(new Set(ids).size).toBe(4)
})

test('without a key there is no claim', () => {
  expect(claimOf(asked(undefined), {})).toEqual({ ok: true, value: undefined })
})

test.each(['', ' ', 'a b', 'ü', '\u0000', '\u007f', 'x'.repeat(256)])('%j is no key', (key) => {
  expect(claimOf(asked(key), {})).toMatchObject({ ok: false, code: 'request.malformed' })
})

test.each(['a', '!', '~', 'x'.repeat(255)])('%s is a key', (key) => {
  expect(claimOf(asked(key), {})).toMatchObject({ ok: true, value: { kind: 'request' } })
})
