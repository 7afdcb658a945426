import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { jwtVerify } from 'jose'
import { expect, test } from 'vitest'
import type { TenantId } from '#shared/ids.ts'
import {
  type AccessClaims,
  accessClaims,
  type Grantee,
  signAccessToken,
} from '../../../functions/auth/domain/access-token.ts'

const NOW_MS = 1_800_000_000_999
const NOW_S = 1_800_000_000

const GRANTEE: Grantee = {
  issuer: 'https://api.energent.test',
  subject: 'cid_acme_0000000000000001',
  clientId: 'cid_acme_0000000000000001',
  scopes: ['usage:read'],
  tenantId: 'acme' as TenantId,
  tier: 'standard',
  roles: [],
  policyVersion: 1,
  watermark: 0,
}

const claims = (watermark: number, first = 0): AccessClaims =>
  accessClaims({ ...GRANTEE, watermark }, Buffer.from([first, ...Buffer.alloc(16, 1)]), NOW_MS)

test.each([
  [0, 600],
  [255, 570],
])('chance byte %i makes a life of %i s', (byte, life) => {
  const made = claims(0, byte)

  expect(made.exp - made.iat).toBe(life)
})

// A watermark is a whole second: a token of that very second would be dead at birth.
test.each([
  ['long ago', NOW_S - 100, NOW_S],
  ['a second ago', NOW_S - 1, NOW_S],
  ['this second', NOW_S, NOW_S + 1],
  ['a second ahead', NOW_S + 1, NOW_S + 2],
])('a watermark of %s never covers a new token', (_name, watermark, issuedAt) => {
  expect(claims(watermark).iat).toBe(issuedAt)
})

test('no two tokens share an id', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.uint8Array({ minLength: 17, maxLength: 17 }), {
        minLength: 2,
        maxLength: 2,
        selector: (bytes) => Buffer.from(bytes.subarray(1)).toString('hex'),
      }),
      (chances) => {
        const made = chances.map((chance) => accessClaims(GRANTEE, chance, NOW_MS).jti)
        expect(made[0]).not.toBe(made[1])
      },
    ),
  )
})

test('a signature verifies with its own key and with no other', async () => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const token = signAccessToken(claims(0), { kid: 'k', key: pair.privateKey })
  const options = { algorithms: ['ES256'], typ: 'at+jwt', currentDate: new Date(NOW_MS) }

  await expect(jwtVerify(token, pair.publicKey, options)).resolves.toMatchObject({
    payload: { tenant: 'acme' },
  })
  await expect(jwtVerify(token, other.publicKey, options)).rejects.toThrow()
  // r || s: 64 bytes; the DER of OpenSSL would be longer and verify nowhere.
  expect(Buffer.from(token.split('.')[2] ?? '', 'base64url')).toHaveLength(64)
})
