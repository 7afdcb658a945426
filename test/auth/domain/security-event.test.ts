import { generateKeyPairSync } from 'node:crypto'
import { decodeProtectedHeader, jwtVerify } from 'jose'
import { describe, expect, test } from 'vitest'
import { REVOCATION_KINDS, type Revocation } from '#shared/contracts/revocation.ts'
import type { TenantId } from '#shared/ids.ts'
import { securityEvent, signSecurityEvent } from '../../../functions/auth/domain/security-event.ts'

const ISSUER = 'https://api.energent.test'
const NOW_MS = 1_800_000_000_123
const ACME = 'acme' as TenantId
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

const eventOf = (kind: Revocation['kind'], id: string, reason?: string) =>
  securityEvent(
    ISSUER,
    ACME,
    { kind, id, before: 1_800_000_000, exp: 1_800_003_600, ...(reason === undefined ? {} : { reason }) },
    { jti: 'revoked:1-0', nowMs: NOW_MS },
  )

describe('a security event token', () => {
  test.each(REVOCATION_KINDS)('of a %s is one that jose verifies, and nothing else takes', async (kind) => {
    const token = signSecurityEvent(eventOf(kind, 'x'), { kid: 'k1', key: privateKey })
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'ES256', typ: 'secevent+jwt', kid: 'k1' })
    const options = { issuer: ISSUER, audience: `${ISSUER}/security-events`, typ: 'secevent+jwt' }
    const { payload } = await jwtVerify(token, publicKey, options)
    // RFC 8417 §4: with a subject or an expiry somebody may take it for an ID token or an access token.
    expect(payload).not.toHaveProperty('sub')
    expect(payload).not.toHaveProperty('exp')
    expect(payload).toMatchObject({ iat: 1_800_000_000, jti: 'revoked:1-0' })
    expect(Object.keys(payload['events'] as object)).toHaveLength(1)
    await expect(jwtVerify(token, publicKey, { ...options, typ: 'at+jwt' })).rejects.toThrow()
    await expect(jwtVerify(token, publicKey, { audience: ISSUER })).rejects.toThrow()
  })

  test('speaks of a session as CAEP does', () => {
    expect(eventOf('session', 'ses_1', 'refresh_reuse')).toMatchObject({
      sub_id: {
        format: 'complex',
        session: { format: 'opaque', id: 'ses_1' },
        tenant: { format: 'opaque', id: 'acme' },
      },
      events: {
        'https://schemas.openid.net/secevent/caep/event-type/session-revoked': {
          event_timestamp: 1_800_000_000,
          reason_admin: { en: 'refresh_reuse' },
          before: 1_800_000_000,
        },
      },
    })
  })

  test('speaks of a user by issuer and subject, of a token by its id, of a key as a credential', () => {
    expect(eventOf('user', 'usr_1').sub_id).toMatchObject({
      user: { format: 'iss_sub', iss: ISSUER, sub: 'usr_1' },
    })
    expect(eventOf('token', 'j1').sub_id).toEqual({ format: 'jwt_id', iss: ISSUER, jti: 'j1' })
    expect(Object.values(eventOf('apiKey', 'k').events)[0]).toMatchObject({
      credential_type: 'api-key',
      change_type: 'revoke',
    })
  })
})
