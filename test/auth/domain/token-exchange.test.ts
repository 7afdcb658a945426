import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { decodeJwt } from 'jose'
import { describe, expect, test } from 'vitest'
import { TENANT_SCOPES } from '#shared/catalogue/scopes.ts'
import { systemIds } from '#shared/ids.ts'
import type { ActorClaim } from '../../../functions/auth/domain/access-token.ts'
import {
  isFor,
  isServiceAccountEmail,
  readGoogleAccount,
  readWorkload,
} from '../../../functions/auth/domain/foreign-claims.ts'
import { chainActors, type ExchangeParty } from '../../../functions/auth/domain/token-exchange.ts'
import { answerExchange } from '../../../functions/auth/operations/grants/token-exchange.ts'

const NOW = 1_800_000_000
const scopes = fc.subarray([...TENANT_SCOPES])
const party: fc.Arbitrary<ExchangeParty> = fc.record({
  subject: fc.constantFrom('usr_a', 'wl:tenant-acme/x', 'cid_acme_other'),
  scopes,
  roles: fc.subarray(['owner', 'viewer']),
  expiresAt: fc.integer({ min: NOW - 10, max: NOW + 4_000 }),
  lifeSeconds: fc.constantFrom(300, 600),
  watermarks: fc.array(fc.integer({ min: 0, max: NOW })),
  claims: fc.constant({}),
  act: fc.constant(undefined),
  clientId: fc.constantFrom(undefined, 'cid_acme_one', 'cid_acme_other'),
  jkt: fc.constantFrom(undefined, 'mine', 'theirs'),
})

const signer = { kid: 'k', key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey }
const deps = {
  issuer: 'https://api.energent.test',
  ids: systemIds,
  keyring: { signer: async () => signer },
  revocations: { fresh: async () => ({ watermark: () => 0 }) },
}

function exchange(
  subject: ExchangeParty,
  actor: ExchangeParty | undefined,
  own: {
    readonly held: readonly string[]
    readonly asked?: readonly string[] | undefined
    readonly jkt?: string | undefined
  },
) {
  const client = { clientId: 'cid_acme_one', tenantId: 'acme', scopes: own.held, notBefore: 0 }
  const state = { status: 'ACTIVE', tier: 'standard', version: 1, notBefore: 0 }
  const request = { client: { client, state }, jkt: own.jkt, nowMs: NOW * 1000, scopes: own.asked }
  return answerExchange(deps as never, request as never, subject, actor)
}

test('whatever is exchanged, nothing is gained: no scope, no time, no other key', async () => {
  const jkts = fc.constantFrom(undefined, 'mine')
  await fc.assert(
    fc.asyncProperty(
      party,
      fc.option(party, { nil: undefined }),
      scopes,
      fc.option(scopes, { nil: undefined }),
      jkts,
      async (subject, actor, held, asked, jkt) => {
        const answered = await exchange(subject, actor, { held, asked, jkt })
        const shared = subject.scopes.filter((scope) => (held as readonly string[]).includes(scope))
        if (!answered.ok) return
        const claims = decodeJwt(answered.value.accessToken)
        const given = String(claims['scope']).split(' ')
        expect(given.every((scope) => (shared as string[]).includes(scope))).toBe(true)
        if (asked !== undefined) expect([...given].sort()).toEqual([...asked].sort())
        const end = Math.min(subject.expiresAt, actor?.expiresAt ?? subject.expiresAt)
        expect(claims.exp).toBeLessThanOrEqual(end)
        expect(claims['oexp']).toBe(end)
        expect(Number(claims.exp)).toBeGreaterThan(Number(claims.iat))
        expect(Number(claims.exp) - Number(claims.iat)).toBeLessThanOrEqual(600)
        expect(claims.sub).toBe(subject.subject)
        expect(claims['roles']).toEqual(subject.roles)
        expect(subject.jkt === undefined || subject.jkt === jkt).toBe(true)
        expect(claims['cnf']).toEqual(jkt === undefined ? undefined : { jkt })
        // Nobody uses another client's token without being named.
        if (subject.clientId !== undefined && subject.clientId !== 'cid_acme_one')
          expect(claims['act']).toBeDefined()
        expect(answered.value.refreshToken).toBeUndefined()
      },
    ),
    { numRuns: 200 },
  )
})

describe('the chain of actors', () => {
  const chain = (depth: number): ActorClaim | undefined =>
    depth === 0
      ? undefined
      : { sub: `actor-${depth}`, ...(depth === 1 ? {} : { act: chain(depth - 1) as ActorClaim }) }
  const depthOf = (act: ActorClaim | undefined): number => (act === undefined ? 0 : 1 + depthOf(act.act))

  test.each([0, 1, 2])('of %i gets one more, with the newest outermost', (depth) => {
    const subject = { subject: 'usr_a', clientId: 'cid_acme_other', act: chain(depth) }
    const chained = chainActors(subject, undefined, 'cid_acme_one')
    expect(chained.ok && chained.value?.sub).toBe('cid_acme_one')
    expect(chained.ok && depthOf(chained.value)).toBe(depth + 1)
  })

  test('ends at three, and stays as it is where nobody new acts', () => {
    const subject = { subject: 'usr_a', clientId: 'cid_acme_other', act: chain(3) }
    expect(chainActors(subject, undefined, 'cid_acme_one').ok).toBe(false)
    expect(chainActors(subject, undefined, 'cid_acme_other')).toEqual({ ok: true, value: chain(3) })
    expect(chainActors({ ...subject, act: undefined }, undefined, 'cid_acme_other')).toEqual({
      ok: true,
      value: undefined,
    })
  })

  test('names a person or workload that acts together with its client', () => {
    const subject = { subject: 'usr_a', clientId: 'cid_acme_one', act: undefined }
    const person = chainActors(subject, { subject: 'usr_b', clientId: 'cid_acme_one' }, 'cid_acme_one')
    expect(person).toEqual({ ok: true, value: { sub: 'usr_b', client_id: 'cid_acme_one' } })
    const workload = chainActors(
      subject,
      { subject: 'wl:tenant-acme/x', clientId: undefined },
      'cid_acme_one',
    )
    expect(workload).toEqual({ ok: true, value: { sub: 'wl:tenant-acme/x' } })
  })
})

describe('claims of others', () => {
  test('no payload makes a reader throw', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.anything()), (payload) => {
        readWorkload(payload)
        readGoogleAccount(payload)
        isFor(payload, 'x')
      }),
    )
  })

  test('a workload is of the tenant whose namespace it is in, and of no other', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9-]{1,38}[a-z0-9]$/)
    const account = fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,60}[a-z0-9])?$/)
    fc.assert(
      fc.property(name, account, (tenant, sa) => {
        const ns = `tenant-${tenant}`
        const read = readWorkload({
          sub: `system:serviceaccount:${ns}:${sa}`,
          'kubernetes.io': { namespace: ns, serviceaccount: { name: sa } },
        })
        expect(read).toMatchObject({ ok: true, value: { tenantId: tenant, ns, sa } })
      }),
    )
  })

  test.each([
    ['a@p.iam.gserviceaccount.com', true],
    ['123-compute@developer.gserviceaccount.com', true],
    ['p@appspot.gserviceaccount.com', true],
    ['a@gserviceaccount.com', false],
    ['a@b@p.iam.gserviceaccount.com', false],
    ['a@p.iam.gserviceaccount.com.evil.example', false],
    ['a@evilgserviceaccount.com', false],
    ['A@p.iam.gserviceaccount.com', false],
    ['a@p.iam.gserviceaccount.com\n', false],
    ['a b@p.iam.gserviceaccount.com', false],
    ['person@gmail.com', false],
    ['', false],
  ])('%j is %s', (email, is) => {
    expect(isServiceAccountEmail(email)).toBe(is)
  })
})
