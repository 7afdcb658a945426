import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { latestExpiry, type RevocationKind } from '#shared/contracts/revocation.ts'
import type { FeedEntry, FeedKind } from '#shared/firestore/revocation-feed.ts'
import { PLATFORM_TENANT, type TenantId } from '#shared/ids.ts'
import { type RevocableToken, revocationMarks } from '#shared/tokens/revocation-marks.ts'

const ACME = 'acme' as TenantId
const GLOBEX = 'globex' as TenantId
const NOW = 1_800_000_000

let entryIds = 0
function entry(kind: FeedKind, id: string, before = NOW, more: Partial<FeedEntry> = {}): FeedEntry {
  entryIds += 1
  const tenantId = kind === 'signingKey' || kind === 'keyring' ? PLATFORM_TENANT : ACME
  const expMs = latestExpiry(before) * 1000
  return { entryId: `e${entryIds}`, atMs: before * 1000, tenantId, kind, id, before, expMs, ...more }
}

function token(more: Partial<RevocableToken> = {}): RevocableToken {
  return { iat: NOW, jti: 'j1', kid: 'k1', subjects: ['usr_1'], clientId: 'cid_1', sid: 'ses_1', ...more }
}

describe('a token', () => {
  test.each<[RevocationKind, FeedEntry]>([
    ['tenant', entry('tenant', 'acme')],
    ['user', entry('user', 'usr_1')],
    ['client', entry('client', 'cid_1')],
    ['session', entry('session', 'ses_1')],
    ['token', entry('token', 'j1', NOW - 30)],
    ['signingKey', entry('signingKey', 'k1')],
  ])('is refused by its %s, and one of another is not', (kind, revoked) => {
    const marks = revocationMarks()
    marks.add([revoked])
    const other = token({ jti: 'j2', kid: 'k2', subjects: ['usr_2'], clientId: 'cid_2', sid: 'ses_2' })
    expect(marks.findRevoked(ACME, token())).toBe(kind)
    if (kind !== 'tenant') expect(marks.findRevoked(ACME, other)).toBeUndefined()
    expect(marks.findRevoked(GLOBEX, token({ kid: 'k2' }))).toBeUndefined()
  })

  test('issued in the second after the watermark is good, in its own second it is not', () => {
    const marks = revocationMarks()
    marks.add([entry('session', 'ses_1')])
    expect(marks.findRevoked(ACME, token({ iat: NOW }))).toBe('session')
    expect(marks.findRevoked(ACME, token({ iat: NOW + 1 }))).toBeUndefined()
  })

  test('that one acts with for another falls with either of them', () => {
    const marks = revocationMarks()
    marks.add([entry('client', 'cid_actor')])
    expect(marks.findRevoked(ACME, token({ subjects: ['usr_1', 'cid_actor'] }))).toBe('client')
  })

  test('of its own id is refused even if it claims a later time', () => {
    const marks = revocationMarks()
    marks.add([entry('token', 'j1', NOW - 30)])
    expect(marks.findRevoked(ACME, token({ iat: NOW + 5 }))).toBe('token')
  })
})

const someEntry = fc
  .record({
    kind: fc.constantFrom<FeedKind>('tenant', 'user', 'client', 'session', 'token', 'state'),
    thing: fc.constantFrom('a', 'b'),
    tenantId: fc.constantFrom(ACME, GLOBEX),
    before: fc.integer({ min: NOW - 50, max: NOW + 50 }),
  })
  .map(({ kind, thing, tenantId, before }) =>
    entry(kind, kind === 'tenant' || kind === 'state' ? tenantId : thing, before, { tenantId }),
  )
const someToken = fc
  .record({ iat: fc.integer({ min: NOW - 60, max: NOW + 60 }), thing: fc.constantFrom('a', 'b') })
  .map(({ iat, thing }) => token({ iat, jti: thing, subjects: [thing], clientId: thing, sid: thing }))

test('entries say the same in every order and however often they come', () => {
  fc.assert(
    fc.property(
      fc.array(someEntry, { maxLength: 20 }),
      fc.array(someToken, { minLength: 1, maxLength: 10 }),
      fc.infiniteStream(fc.nat()),
      (entries, tokens, order) => {
        const once = revocationMarks()
        once.add(entries)
        const shuffled = revocationMarks()
        const keys = new Map(entries.map((one) => [one, order.next().value ?? 0]))
        const other = [...entries, ...entries].sort((a, b) => (keys.get(a) ?? 0) - (keys.get(b) ?? 0))
        for (const one of other) shuffled.add([one])
        for (const tenantId of [ACME, GLOBEX]) {
          for (const one of tokens) {
            expect(shuffled.findRevoked(tenantId, one)).toBe(once.findRevoked(tenantId, one))
          }
          const who = { userId: 'a', clientId: 'a', sessionId: 'b' }
          expect(shuffled.watermark(tenantId, who)).toBe(once.watermark(tenantId, who))
        }
        expect(shuffled.size).toBe(once.size)
      },
    ),
  )
})

test('a token minted after the watermark of everything it is for is never refused by a watermark', () => {
  fc.assert(
    fc.property(fc.array(someEntry, { maxLength: 20 }), (entries) => {
      const marks = revocationMarks()
      marks.add(entries)
      const iat = marks.watermark(ACME, { userId: 'a', clientId: 'a', sessionId: 'a' }) + 1
      const minted = token({ iat, jti: 'new', subjects: ['a'], clientId: 'a', sid: 'a' })
      expect(marks.findRevoked(ACME, minted)).toBeUndefined()
    }),
  )
})

// Whatever is forgotten to save memory must not bring a revoked token back to life.
test('a tenant with too many entries is revoked as a whole, and nobody else is', () => {
  fc.assert(
    fc.property(
      fc.array(someEntry, { minLength: 1, maxLength: 40 }),
      fc.array(someToken),
      (entries, tokens) => {
        const exact = revocationMarks()
        const bounded = revocationMarks({ mostPerTenant: 3, mostInAll: 5 })
        for (const one of entries) {
          exact.add([one])
          bounded.add([one])
          expect(bounded.size).toBeLessThanOrEqual(5)
        }
        for (const tenantId of [ACME, GLOBEX]) {
          for (const one of tokens) {
            const why = exact.findRevoked(tenantId, one)
            // Of a single token the entry holds its own `iat`, which these made-up ones do not keep to.
            if (why !== undefined && why !== 'token') {
              expect(bounded.findRevoked(tenantId, one)).toBeDefined()
            }
          }
        }
        if (entries.every(({ tenantId }) => tenantId === ACME)) {
          expect(tokens.every((one) => bounded.findRevoked(GLOBEX, one) === undefined)).toBe(true)
        }
      },
    ),
  )
})

test('folding keeps every watermark', () => {
  const marks = revocationMarks({ mostPerTenant: 2, mostInAll: 100 })
  marks.add([entry('session', 'ses_1', NOW), entry('user', 'usr_9', NOW - 9), entry('token', 'j9', NOW - 5)])
  expect(marks.size).toBe(1)
  expect([...marks.entriesOf(ACME)]).toMatchObject([{ kind: 'tenant', id: 'acme', before: NOW }])
  expect(marks.findRevoked(ACME, token({ sid: 'ses_1' }))).toBe('tenant')
  expect(marks.findRevoked(ACME, token({ iat: NOW + 1, sid: 'ses_1' }))).toBeUndefined()
})

test('what no token can be about any more is forgotten, and nothing else', () => {
  const marks = revocationMarks()
  marks.add([
    entry('session', 'ses_1', NOW),
    entry('session', 'ses_1', NOW - 4_000),
    entry('user', 'old', NOW - 4_000),
    entry('signingKey', 'k_old', NOW - 4_000),
  ])
  marks.prune(NOW * 1000)
  expect(marks.size).toBe(1)
  expect(marks.watermark(ACME, { sessionId: 'ses_1' })).toBe(NOW)
  expect(marks.isRevoked(ACME, 'user', 'old')).toBe(false)
  expect(marks.isCompromised('k_old')).toBe(false)
  marks.prune(latestExpiry(NOW) * 1000)
  expect(marks.size).toBe(0)
})

test('a change of a tenant’s state gives its state another generation, and no token is refused for it', () => {
  const marks = revocationMarks()
  const first = marks.stateGeneration(ACME)
  marks.add([entry('state', 'acme', NOW)])
  const second = marks.stateGeneration(ACME)
  expect(second).not.toBe(first)
  expect(marks.findRevoked(ACME, token())).toBeUndefined()
  marks.add([entry('user', 'usr_1')])
  expect(marks.stateGeneration(ACME)).toBe(second)
  marks.add([entry('tenant', 'acme')])
  expect(marks.stateGeneration(ACME)).not.toBe(second)
  expect(marks.stateGeneration(GLOBEX)).toBe(first)
})

test('the generation of a key ring only rises', () => {
  const marks = revocationMarks()
  marks.add([entry('keyring', 'access', 7), entry('keyring', 'access', 5)])
  expect(marks.keyringGeneration('access')).toBe(7)
  expect(marks.keyringGeneration('events')).toBe(0)
})

test('no tenant but the platform can take one of our keys away, or tell what a ring is at', () => {
  const marks = revocationMarks()
  marks.add([
    entry('signingKey', 'k1', NOW, { tenantId: ACME }),
    entry('keyring', 'access', 9, { tenantId: ACME }),
  ])
  expect(marks.isCompromised('k1')).toBe(false)
  expect(marks.findRevoked(ACME, token())).toBeUndefined()
  expect(marks.keyringGeneration('access')).toBe(0)
})

test('every tenant is told of a bad key of ours', () => {
  const marks = revocationMarks()
  marks.add([entry('signingKey', 'k1'), entry('keyring', 'access', 9)])
  expect([...marks.entriesOf(GLOBEX)]).toMatchObject([{ kind: 'signingKey', id: 'k1' }])
})
