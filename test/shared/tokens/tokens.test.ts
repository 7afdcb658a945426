import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { serveLoopback } from '#local/loopback.ts'
import { manualClock } from '#shared/clock.ts'
import { TENANT_STATES, type TenantState } from '#shared/contracts/events/tenant-fact.ts'
import type { AuthState } from '#shared/firestore/auth-state.ts'
import type { FeedEntry } from '#shared/firestore/revocation-feed.ts'
import { PLATFORM_TENANT, type TenantId } from '#shared/ids.ts'
import { VerifiedToken } from '#shared/tenancy/proofs.ts'
import { revocationMarks } from '#shared/tokens/revocation-marks.ts'
import { splitOwnJwt } from '#shared/tokens/strict-jwt.ts'
import { ACCESS_BY_STATE, scopesAllowed } from '#shared/tokens/tenant-access.ts'
import {
  accessTokenVerifier,
  PURPOSE_OF_FACTS,
  remoteKeys,
  type TokenVerifierDeps,
} from '#shared/tokens/verify-access-token.ts'
import {
  ACTIVE,
  accessClaims,
  BASE_URL,
  nothingRevoked,
  OWN_KID,
  ownPublicKey,
  START_MS,
  signAccess,
  userInfoOf,
} from '../support/platform.ts'

const SECONDS = START_MS / 1000
const b64 = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

function verifier(
  states: Record<string, AuthState> = { acme: ACTIVE, platform: ACTIVE },
  clock = manualClock(START_MS),
  revocations: TokenVerifierDeps['revocations'] = nothingRevoked,
) {
  return accessTokenVerifier({
    issuer: BASE_URL,
    audience: BASE_URL,
    keys: async (kid) => (kid === OWN_KID ? ownPublicKey : undefined),
    authState: async (tenantId) => (Object.hasOwn(states, tenantId) ? states[tenantId] : undefined),
    revocations,
    clock,
  })
}

const REFUSED = { ok: false, code: 'token.invalid' }

describe('an access token', () => {
  test('that is right says who, for which tenant and what', async () => {
    const verified = await verifier()(await signAccess(accessClaims()), undefined)
    if (!verified.ok) throw new Error(verified.detail)

    expect(VerifiedToken.is(verified.value)).toBe(true)
    expect(verified.value.claims).toMatchObject({
      tenant: 'acme',
      subject: 'client:cid_acme',
      clientId: 'cid_acme',
      roles: ['admin'],
      tokenId: 'j1',
      issuedAt: SECONDS,
      expiresAt: SECONDS + 300,
    })
    expect([...verified.value.claims.scopes]).toEqual(['tenant:read', 'usage:read'])
  })

  test('of an operators’ machine says who answers for it, if that reads like an id', async () => {
    const owned = await verifier()(await signAccess(accessClaims({ own: 'usr_1' })), undefined)
    expect(owned).toMatchObject({ ok: true, value: { claims: { owner: 'usr_1' } } })
    for (const own of ['', 'a b', 'x'.repeat(65), 7, null]) {
      expect(await verifier()(await signAccess(accessClaims({ own })), undefined)).toMatchObject(REFUSED)
    }
  })

  test.each(Object.keys(accessClaims()))('without %s is refused', async (claim) => {
    expect(await verifier()(await signAccess(accessClaims({ [claim]: undefined })), undefined)).toMatchObject(
      REFUSED,
    )
  })

  test.each(
    Object.keys(accessClaims())
      .flatMap((claim) => [7.5, true, null, {}, [1], ''].map((value) => [claim, value] as const))
      .filter(
        ([claim, value]) => !(claim === 'scope' && value === '') && !(claim === 'tier' && value === ''),
      ),
  )('whose %s is %j is refused', async (claim, value) => {
    const token = await signAccess(accessClaims({ [claim]: value })).catch(() => undefined)
    if (token !== undefined) expect(await verifier()(token, undefined)).toMatchObject(REFUSED)
  })

  test.each([
    ['a foreign issuer', { iss: 'https://evil.test' }],
    ['our issuer with a slash', { iss: `${BASE_URL}/` }],
    ['a foreign audience', { aud: 'https://evil.test' }],
    ['an audience among others', { aud: [BASE_URL, 'https://evil.test'] }],
    ['an expiry in the past', { iat: SECONDS - 600, exp: SECONDS - 6 }],
    ['an expiry in a string', { exp: String(SECONDS + 300) }],
    ['an issue in the future', { iat: SECONDS + 60, exp: SECONDS + 300 }],
    ['an end before its beginning, both within the skew', { iat: SECONDS + 4, exp: SECONDS - 2 }],
    ['an end at its beginning', { iat: SECONDS, exp: SECONDS }],
    ['a NUL in its subject', { sub: 'cid\u0000acme' }],
    ['a space in its client', { client_id: 'cid acme' }],
    ['a line end in its id', { jti: 'j1\n' }],
    ['a life of a day', { exp: SECONDS + 86_400 }],
    ['a start in the future', { nbf: SECONDS + 60 }],
    ['a tenant that is none', { tenant: 'Not A Tenant' }],
    ['a tenant of the prototype', { tenant: 'constructor' }],
    ['a tenant nobody knows', { tenant: 'nobody' }],
    ['a tenant in a list', { tenant: ['acme'] }],
    ['a role that is a number', { roles: [1] }],
    ['a key it is bound to', { cnf: { jkt: 'x' } }],
    ['an older policy version', { ver: 0 }],
    ['a subject of nothing', { sub: '' }],
    ['a subject as long as it likes', { sub: 'x'.repeat(300) }],
  ])('with %s is refused', async (_name, claims) => {
    expect(await verifier()(await signAccess(accessClaims(claims)), undefined)).toMatchObject(REFUSED)
  })

  test('holds until its last second and five more, and not longer', async () => {
    const clock = manualClock(START_MS)
    const verify = verifier({ acme: ACTIVE }, clock)
    const token = await signAccess(accessClaims())
    clock.set((SECONDS + 304) * 1000)
    expect(await verify(token, undefined)).toMatchObject({ ok: true })
    clock.set((SECONDS + 306) * 1000)
    expect(await verify(token, undefined)).toMatchObject(REFUSED)
  })

  test('issued at the watermark is refused, a second later is not', async () => {
    const token = await signAccess(accessClaims())
    expect(await verifier({ acme: { ...ACTIVE, notBefore: SECONDS } })(token, undefined)).toMatchObject(
      REFUSED,
    )
    expect(await verifier({ acme: { ...ACTIVE, notBefore: SECONDS - 1 } })(token, undefined)).toMatchObject({
      ok: true,
    })
  })

  test.each([
    ['kid of nobody', { kid: 'k2' }],
    ['no kid', { kid: undefined }],
    ['another type', { typ: 'JWT' }],
    ['no type', { typ: undefined }],
    ['a type of its own', { typ: 'dpop+jwt' }],
    ['a key inside', { jwk: { kty: 'EC' } }],
    ['a key address', { jku: 'https://evil.test' }],
    ['certificates', { x5c: [] }],
    ['another member', { zip: 'DEF' }],
  ])('with %s in its header is refused', async (_name, header) => {
    const token = await signAccess(accessClaims(), header)
    expect(await verifier()(token, undefined)).toMatchObject(REFUSED)
  })

  test('without an algorithm, or with our public key as a secret, is refused', async () => {
    const [, payload] = (await signAccess(accessClaims())).split('.')
    const raw = Buffer.from(await crypto.subtle.exportKey('spki', ownPublicKey))
    const confused = await new SignJWT(accessClaims())
      .setProtectedHeader({ alg: 'HS256', kid: OWN_KID, typ: 'at+jwt' })
      .sign(raw)
    for (const token of [
      confused,
      `${b64({ alg: 'none', kid: OWN_KID, typ: 'at+jwt' })}.${payload}.`,
      `${b64({ alg: 'none', kid: OWN_KID, typ: 'at+jwt' })}.${payload}.eA`,
      `${b64({ alg: 'NONE', kid: OWN_KID, typ: 'at+jwt' })}.${payload}.eA`,
    ]) {
      expect(await verifier()(token, undefined)).toMatchObject(REFUSED)
    }
  })

  test('of another key with our kid is refused, as is one with another payload', async () => {
    const foreign = await generateKeyPair('ES256')
    const forged = await new SignJWT(accessClaims())
      .setProtectedHeader({ alg: 'ES256', kid: OWN_KID, typ: 'at+jwt' })
      .sign(foreign.privateKey)
    const [header, , signature] = (await signAccess(accessClaims())).split('.')
    expect(await verifier()(forged, undefined)).toMatchObject(REFUSED)
    expect(
      await verifier()(`${header}.${b64(accessClaims({ tenant: 'platform' }))}.${signature}`, undefined),
    ).toMatchObject(REFUSED)
  })

  test('must be the very one that the gateway saw', async () => {
    const token = await signAccess(accessClaims())
    expect(await verifier()(token, userInfoOf(token))).toMatchObject({ ok: true })
    for (const other of [
      '',
      `${userInfoOf(token)}=`,
      userInfoOf(token).slice(1),
      userInfoOf(await signAccess(accessClaims({ jti: 'j2' }))),
    ]) {
      expect(await verifier()(token, other)).toMatchObject(REFUSED)
    }
  })

  test('whose tenant’s state cannot be read is our failure, not its own', async () => {
    const verify = accessTokenVerifier({
      issuer: BASE_URL,
      audience: BASE_URL,
      keys: async () => ownPublicKey,
      authState: () => Promise.reject(new Error('down')),
      revocations: nothingRevoked,
      clock: manualClock(START_MS),
    })
    await expect(verify(await signAccess(accessClaims()), undefined)).rejects.toThrow('down')
  })

  test.each(TENANT_STATES)('of a tenant that is %s may do what the table says', async (status) => {
    const scopes = ['tenant:read', 'tenant:manage', 'usage:write', 'billing:manage']
    const verify = verifier({ acme: { ...ACTIVE, status } })
    for (const roles of [['owner'], ['admin'], ['developer'], []]) {
      const verified = await verify(
        await signAccess(accessClaims({ scope: scopes.join(' '), roles })),
        undefined,
      )
      const allowed = scopesAllowed(status, roles, scopes)
      if (allowed.length === 0) expect(verified).toMatchObject(REFUSED)
      else expect(verified.ok && [...verified.value.claims.scopes]).toEqual(allowed)
    }
  })

  test.each<[string, Partial<FeedEntry>, Record<string, unknown>]>([
    ['its tenant', { kind: 'tenant', id: 'acme' }, {}],
    ['its subject', { kind: 'user', id: 'usr_1' }, { sub: 'usr_1' }],
    ['its client', { kind: 'client', id: 'cid_acme' }, {}],
    ['its session', { kind: 'session', id: 'ses_1' }, { sid: 'ses_1' }],
    ['its id', { kind: 'token', id: 'j1' }, {}],
    ['its key', { kind: 'signingKey', id: OWN_KID, tenantId: PLATFORM_TENANT }, {}],
    ['the actor', { kind: 'client', id: 'cid_a' }, { act: { sub: 'cid_a' } }],
    ['the actor’s actor', { kind: 'client', id: 'cid_b' }, { act: { sub: 'cid_a', act: { sub: 'cid_b' } } }],
  ])('is refused once %s is revoked, and good until then', async (_name, entry, claims) => {
    const marks = revocationMarks()
    const verify = verifier(undefined, undefined, { current: async () => marks })
    const token = await signAccess(accessClaims(claims))
    expect(await verify(token, undefined)).toMatchObject({ ok: true })
    marks.add([
      {
        ...{ entryId: 'e1', atMs: START_MS, tenantId: 'acme' as TenantId, kind: 'tenant', id: 'acme' },
        ...{ before: SECONDS, expMs: START_MS + 3_600_000, ...entry },
      },
    ])
    expect(await verify(token, undefined)).toMatchObject(REFUSED)
  })

  test('is refused by the watermark of its tenant’s state as well', async () => {
    const verify = verifier({ acme: { ...ACTIVE, notBefore: SECONDS } })
    expect(await verify(await signAccess(accessClaims()), undefined)).toMatchObject(REFUSED)
  })

  test.each([[{ sub: '' }], [{ sub: 'a', act: { sub: 'b', act: { sub: 'c', act: 'd' } } }], ['cid_a']])(
    'whose actors cannot be read is refused (%#)',
    async (act) => {
      expect(await verifier()(await signAccess(accessClaims({ act })), undefined)).toMatchObject(REFUSED)
    },
  )

  test('is judged by nobody while what is revoked cannot be known', async () => {
    const verify = verifier(undefined, undefined, { current: () => Promise.reject(new Error('down')) })
    await expect(verify(await signAccess(accessClaims()), undefined)).rejects.toThrow('down')
  })

  test('without scopes is taken only where the state allows everything', async () => {
    const token = await signAccess(accessClaims({ scope: '' }))
    expect(await verifier()(token, undefined)).toMatchObject({ ok: true })
  })
})

describe('what a state allows', () => {
  const none: TenantState[] = [
    'REQUESTED',
    'PROVISIONING',
    'PROVISION_FAILED',
    'REJECTED',
    'PURGING',
    'PURGED',
  ]
  const all: TenantState[] = ['ACTIVE', 'TIER_CHANGING']
  const suspended: TenantState[] = ['SUSPENDING', 'SUSPENDED', 'RESUMING']
  const leaving: TenantState[] = ['OFFBOARDING', 'GRACE']
  const scopes = [
    'tenant:read',
    'tenant:manage',
    'invoices:read',
    'billing:manage',
    'audit:read',
    'usage:write',
    'scim',
    'platform:read',
  ]

  test('is settled for every state', () => {
    expect([...none, ...all, ...suspended, ...leaving].sort()).toEqual([...TENANT_STATES].sort())
    expect(Object.keys(ACCESS_BY_STATE).sort()).toEqual([...TENANT_STATES].sort())
  })

  test.each(none)('%s: nothing for anyone', (state) =>
    expect(scopesAllowed(state, ['owner'], scopes)).toEqual([]),
  )
  test.each(all)('%s: everything', (state) => expect(scopesAllowed(state, [], scopes)).toEqual(scopes))
  test.each(suspended)('%s: owners and admins read and pay', (state) => {
    for (const role of ['owner', 'admin'])
      expect(scopesAllowed(state, [role], scopes)).toEqual([
        'tenant:read',
        'invoices:read',
        'billing:manage',
        'audit:read',
      ])
    for (const roles of [[], ['billing'], ['developer'], ['viewer'], ['Owner'], ['owner ']])
      expect(scopesAllowed(state, roles, scopes)).toEqual([])
  })
  test.each(leaving)('%s: as suspended, and they can go or stay', (state) => {
    expect(scopesAllowed(state, ['owner'], scopes)).toEqual([
      'tenant:read',
      'tenant:manage',
      'invoices:read',
      'billing:manage',
      'audit:read',
    ])
    expect(scopesAllowed(state, ['viewer'], scopes)).toEqual([])
  })
})

describe('a JWT before any cryptography', () => {
  const header = { alg: 'ES256', typ: 'at+jwt', kid: 'k' }
  const good = `${b64(header)}.${b64({ a: 1 })}.c2ln`

  test('is split when every byte is as a serializer writes it', () => {
    expect(splitOwnJwt(good)).toEqual({
      ok: true,
      value: { header, payload: { a: 1 }, payloadSegment: b64({ a: 1 }) },
    })
  })

  test.each([
    ['nothing', ''],
    ['two parts', 'a.b'],
    ['four parts', `${good}.a`],
    ['an empty signature', `${b64(header)}.${b64({})}.`],
    ['a space before', ` ${good}`],
    ['a newline after', `${good}\n`],
    ['padding', `${b64(header)}=.${b64({})}.c2ln`],
    ['characters of plain base64', `${b64(header)}.${b64({})}.+/+/`],
    ['bits that say nothing', `${b64(header)}.${b64({})}.c2lnaR`],
    ['white space in the JSON', `${b64(header)}.${b64('{"a": 1}')}.c2ln`],
    ['a member twice', `${b64(header)}.${b64('{"tenant":"a","tenant":"b"}')}.c2ln`],
    ['a member twice, once escaped', `${b64(header)}.${b64('{"tenant":"a","\\u0074enant":"b"}')}.c2ln`],
    ['an escape that was not needed', `${b64(header)}.${b64('{"a":"\\u0061"}')}.c2ln`],
    ['a number in another form', `${b64(header)}.${b64('{"exp":1e3}')}.c2ln`],
    ['a number too large', `${b64(header)}.${b64('{"exp":9007199254740993}')}.c2ln`],
    ['an array for claims', `${b64(header)}.${b64([])}.c2ln`],
    ['null for claims', `${b64(header)}.${b64('null')}.c2ln`],
    ['a text for a header', `${b64('"x"')}.${b64({})}.c2ln`],
    ['crit', `${b64({ ...header, crit: ['exp'] })}.${b64({})}.c2ln`],
    ['b64', `${b64({ ...header, b64: false })}.${b64({})}.c2ln`],
    ['__proto__ in the header', `${b64('{"alg":"ES256","__proto__":{}}')}.${b64({})}.c2ln`],
    [
      'bytes that are no UTF-8',
      `${b64(header)}.${Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]).toString('base64url')}.c2ln`,
    ],
    ['a byte order mark', `${b64(header)}.${b64('\ufeff{}')}.c2ln`],
    ['letters that look alike', good.replace(/^e/, 'е')],
    ['more than 8 KiB', `${b64(header)}.${b64({ a: 'x'.repeat(8192) })}.c2ln`],
  ])('with %s is refused', (_name, token) => {
    expect(splitOwnJwt(token)).toMatchObject(REFUSED)
  })
})

test('keys of our facts, published beside those of tokens, are no keys of tokens', async () => {
  const { publicKey } = await generateKeyPair('ES256')
  const jwk = { ...(await exportJWK(publicKey)), use: 'sig', alg: 'ES256' }
  const keys = [
    { ...jwk, kid: 'tokens', purpose: 'tokens' },
    { ...jwk, kid: 'facts', purpose: PURPOSE_OF_FACTS },
  ]
  const server = await serveLoopback(0, async () => ({ status: 200, body: JSON.stringify({ keys }) }))
  try {
    const find = remoteKeys(server.url)
    expect(await find('tokens')).toBeDefined()
    expect(await find('facts')).toBeUndefined()
    expect(await find('nobody')).toBeUndefined()
  } finally {
    await server.close()
  }
})
