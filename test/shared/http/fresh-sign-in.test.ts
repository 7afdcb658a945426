import { describe, expect, test } from 'vitest'
import { FRESH_SIGN_IN } from '#shared/catalogue/fresh-sign-in.ts'
import { ROUTES, type Route } from '#shared/catalogue/routes.ts'
import { authorize } from '#shared/http/authorize.ts'
import { checkFreshSignIn } from '#shared/http/fresh-sign-in.ts'
import { problemReply } from '#shared/http/problem.ts'
import type { TenantId } from '#shared/ids.ts'
import { type AccessTokenClaims, prove } from '#shared/tenancy/proofs.ts'

const NOW_MS = 1_800_000_000_000
const NOW = NOW_MS / 1000
const USER = 'usr_01KAR6YVZG8X9Y0Z1A2B3C4D5E'

function token(more: Partial<AccessTokenClaims> = {}) {
  return prove.token({
    tenant: 'acme' as TenantId,
    tier: 'standard',
    subject: USER,
    clientId: 'cid_acme_0000000000000001',
    scopes: new Set(),
    roles: [],
    tokenId: 't',
    issuedAt: NOW,
    expiresAt: NOW + 600,
    signIn: { sessionId: 'ses_1', authTime: NOW - 3_600 },
    ...more,
  })
}
const signedIn = (secondsAgo: number) => ({ signIn: { sessionId: 'ses_1', authTime: NOW - secondsAgo } })

describe('an operation that needs a fresh sign-in', () => {
  test.each<[string, Partial<AccessTokenClaims>, boolean]>([
    ['is open an hour after it', signedIn(3_600), true],
    ['is closed a second later', signedIn(3_601), false],
    ['is open to a machine', { subject: 'cid_acme_0000000000000001', signIn: undefined }, true],
    ['is open to a workload', { subject: 'wl:tenant-acme/worker', signIn: undefined }, true],
    ['is closed to whoever acts for a person', { signIn: undefined }, false],
    ['is open to a clock that is ahead', signedIn(-4), true],
    ['is closed to a sign-in of the future', signedIn(-6), false],
  ])('%s', (_name, claims, open) => {
    expect(checkFreshSignIn('createApiKey', token(claims), NOW_MS).ok).toBe(open)
  })

  test('says how recent it must be, in the words of RFC 9470', () => {
    const refused = checkFreshSignIn('endSessions', token(signedIn(9_999)), NOW_MS)
    if (refused.ok) throw new Error('not refused')
    const bearer = problemReply(refused, 'r')
    const bound = problemReply(refused, 'r', 'DPoP')

    expect(bearer.status).toBe(401)
    expect(bearer.headers?.['www-authenticate']).toBe(
      'Bearer error="insufficient_user_authentication", max_age="3600"',
    )
    expect(bound.headers?.['www-authenticate']).toMatch(
      /^DPoP error="insufficient_user_authentication", max_age="3600", algs="/,
    )
  })

  test('takes a token and is not just a look', () => {
    for (const id of Object.keys(FRESH_SIGN_IN)) {
      const route: Route = ROUTES[id as keyof typeof ROUTES]
      expect([route.security, route.method === 'GET'], id).toEqual(['token', false])
    }
  })
})

test('every other operation is open however long ago it was', () => {
  expect(checkFreshSignIn('listSessions', token(signedIn(80 * 86_400)), NOW_MS).ok).toBe(true)
})

describe('what a user does to themselves without a scope', () => {
  const own = (
    claims: Partial<AccessTokenClaims>,
    userId: string | undefined,
    route: Route = ROUTES.listUserSessions,
  ) => {
    const allowed = authorize(route, token(claims), 'acme', NOW_MS, userId)
    return allowed.ok ? 'allowed' : allowed.code
  }
  test.each<[string, string]>([
    ['themselves', own({}, USER)],
    ['where somebody else acts for them', own({ signIn: undefined }, USER)],
    ['somebody else', own({}, 'usr_01KAR6YVZG8X9Y0Z1A2B3C4D5F')],
    ['nobody', own({}, undefined)],
    ['on another route', own({}, USER, ROUTES.listSessions)],
    ['with the scope', own({ scopes: new Set(['sessions:manage']), signIn: undefined }, USER)],
  ])('%s: %s', (name, outcome) => {
    const allowed = ['themselves', 'with the scope'].includes(name)
    expect(outcome).toBe(allowed ? 'allowed' : 'token.insufficient_scope')
  })
})
