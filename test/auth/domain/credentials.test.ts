import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { systemIds, type TenantId } from '#shared/ids.ts'
import { newClientId, parseClientId } from '../../../functions/auth/domain/client-id.ts'
import {
  type ClientSecret,
  digestSecret,
  matchesSecret,
  newClientSecret,
  parseClientSecret,
  type StoredSecret,
} from '../../../functions/auth/domain/client-secret.ts'

const tenantId = fc.stringMatching(/^[a-z][a-z0-9-]{1,38}[a-z0-9]$/)
const secretBytes = fc.uint8Array({ minLength: 32, maxLength: 32 })
const NOW_MS = 1_000_000
const PEPPER = Buffer.alloc(32, 7)
const PEPPERS = new Map([[1, PEPPER]])

describe('client ids', () => {
  test('every id names the tenant it was made for', () => {
    fc.assert(
      fc.property(tenantId, (tenant) => {
        const clientId = newClientId(systemIds, tenant as TenantId)
        expect(parseClientId(clientId)).toEqual({ ok: true, value: { clientId, tenantId: tenant } })
      }),
    )
  })

  test('anything else is refused and never throws', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        expect(parseClientId(value).ok).toBe(false)
      }),
    )
  })

  test.each([
    'cid_acme_0000000000000001\n',
    ' cid_acme_0000000000000001',
    'CID_acme_0000000000000001',
    'cid_Acme_0000000000000001',
    'cid_acme_other_0000000000000001',
    'cid_a_0000000000000001',
    'cid_acme_000000000000000',
    'cid_acme_00000000000000011',
    'cid_../x_0000000000000001',
    'cid_acmé_0000000000000001',
  ])('%j is no client id', (value) => {
    expect(parseClientId(value).ok).toBe(false)
  })
})

describe('client secrets', () => {
  test('every secret made is one, and has 256 bits', () => {
    fc.assert(
      fc.property(secretBytes, (bytes) => {
        const secret = newClientSecret(bytes)
        expect(secret).toMatch(/^dcs_[A-Za-z0-9_-]{49}$/)
        expect(parseClientSecret(secret)).toEqual({ ok: true, value: secret })
        expect(Buffer.from(secret.slice(4, 47), 'base64url')).toEqual(Buffer.from(bytes))
      }),
    )
  })

  // The point of the checksum: a slip of the hand never costs a read.
  test('one changed character is always noticed', () => {
    const other = fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789')
    fc.assert(
      fc.property(secretBytes, fc.integer({ min: 4, max: 52 }), other, (bytes, at, character) => {
        const secret = newClientSecret(bytes)
        fc.pre(secret[at] !== character)
        const changed = secret.slice(0, at) + character + secret.slice(at + 1)
        expect(parseClientSecret(changed).ok).toBe(false)
      }),
    )
  })

  test('anything else is refused and never throws', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        expect(parseClientSecret(value).ok).toBe(false)
      }),
    )
  })
})

describe('comparing a secret with what is stored', () => {
  const secret = newClientSecret(Buffer.alloc(32, 1))
  const other = newClientSecret(Buffer.alloc(32, 2))
  const stored = (of: ClientSecret, more: Partial<StoredSecret> = {}): StoredSecret => ({
    id: 's',
    hmac: digestSecret(PEPPER, of),
    pepperVersion: 1,
    createdAt: 0,
    expiresAt: null,
    ...more,
  })

  test.each<[string, StoredSecret[], boolean]>([
    ['the only one', [stored(secret)], true],
    ['the second of two', [stored(other), stored(secret)], true],
    ['the one being replaced, in time', [stored(other), stored(secret, { expiresAt: NOW_MS + 1 })], true],
    ['none', [], false],
    ['another', [stored(other)], false],
    ['an expired one', [stored(secret, { expiresAt: NOW_MS })], false],
    ['a third, which cannot be', [stored(other), stored(other), stored(secret)], false],
    ['one of an unknown pepper', [stored(secret, { pepperVersion: 2 })], false],
    ['an empty digest', [stored(secret, { hmac: '' })], false],
    ['a digest of another length', [stored(secret, { hmac: 'AAAA' })], false],
  ])('%s', (_name, secrets, matches) => {
    expect(matchesSecret(secret, secrets, PEPPERS, NOW_MS)).toBe(matches)
  })

  test('the digest without its pepper recognises nothing', () => {
    const peppers = new Map([[1, Buffer.alloc(32, 8)]])

    expect(matchesSecret(secret, [stored(secret)], peppers, NOW_MS)).toBe(false)
  })
})
