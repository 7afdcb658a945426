import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startKms } from '#local/kms/index.ts'
import { manualClock } from '#shared/clock.ts'
import type { TenantId } from '#shared/ids.ts'
import { openAsDeployer } from '#shared/tenancy/operator.ts'
import { cloudKms } from '../../../functions/auth/adapters/cloud-kms.ts'
import { normalizeEmail } from '../../../functions/auth/domain/email-address.ts'
import { hashText, openText, type Sealed, sealText } from '../../../functions/auth/domain/personal-data.ts'
import { parsePerson } from '../../../functions/auth/domain/scim/person.ts'
import { createPerson, findPerson } from '../../../functions/auth/operations/scim-users.ts'
import { signInUser } from '../../../functions/auth/operations/sign-in-user.ts'
import { type AuthStack, startAuth } from '../support/auth-stack.ts'
import { pushFact } from '../support/tenant-facts.ts'

const ACME = 'acme' as TenantId
const KEY = Buffer.alloc(32, 1)
const NONCE = Buffer.alloc(12, 2)

describe('what is sealed', () => {
  const sealed = sealText(KEY, NONCE, ACME, 'email', 'ada@example.com')

  test('opens as it was, whatever the text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }).map((text) => text.toWellFormed()),
        (text) => {
          expect(openText(KEY, ACME, 'email', sealText(KEY, NONCE, ACME, 'email', text))).toBe(text)
        },
      ),
    )
  })

  test.each<[string, () => string]>([
    ['under another key', () => openText(Buffer.alloc(32, 9), ACME, 'email', sealed)],
    ['for another tenant', () => openText(KEY, 'globex' as TenantId, 'email', sealed)],
    ['for another purpose', () => openText(KEY, ACME, 'name', sealed)],
    ['of another form', () => openText(KEY, ACME, 'email', sealed.replace('v1', 'v2') as Sealed)],
    ['cut off', () => openText(KEY, ACME, 'email', sealed.slice(0, 30) as Sealed)],
    ['empty', () => openText(KEY, ACME, 'email', '' as Sealed)],
  ])('does not open %s', (_name, open) => {
    expect(open).toThrow()
  })

  test('does not open with any bit altered', () => {
    const bytes = Buffer.from(sealed.slice(3), 'base64url')
    for (let bit = 0; bit < bytes.length * 8; bit += 7) {
      const altered = Buffer.from(bytes)
      altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(() => openText(KEY, ACME, 'email', `v1.${altered.toString('base64url')}` as Sealed)).toThrow()
    }
  })

  test('is looked up by digests that tenants, purposes and keys do not share', () => {
    const digests = [
      hashText(KEY, ACME, 'email', 'ada'),
      hashText(KEY, ACME, 'scim-user-name', 'ada'),
      hashText(KEY, 'globex' as TenantId, 'email', 'ada'),
      hashText(Buffer.alloc(32, 9), ACME, 'email', 'ada'),
      hashText(KEY, ACME, 'email', 'bob'),
    ]
    expect(new Set(digests).size).toBe(5)
    expect(digests.every((digest) => /^h[\w-]{43}$/.test(digest))).toBe(true)
  })
})

describe('an address in the form that addresses are compared in', () => {
  test.each([
    ['Ada@Example.COM', 'ada@example.com'],
    ['ada+x@example.com', 'ada+x@example.com'],
    ['ada.b@bücher.example', 'ada.b@xn--bcher-kva.example'],
    ['Ä@example.com', 'ä@example.com'],
    ['Ä@example.com', 'ä@example.com'],
    ['"a b"@example.com', undefined],
    ['ada@localhost', undefined],
    ['ada@127.0.0.1', undefined],
    ['ada@[127.0.0.1]', undefined],
    ['ada@example.com:80', undefined],
    ['ada@example.com/x', undefined],
    ['ada@ex%61mple.com', undefined],
    ['ada@example.com.', undefined],
    ['ada@@example.com', undefined],
    ['a\u0000@example.com', undefined],
    ['a\u200b@example.com', undefined],
    [' ada@example.com', undefined],
    ['@example.com', undefined],
    [`${'a'.repeat(65)}@example.com`, undefined],
    ['', undefined],
  ])('%s is %s', (text, expected) => {
    expect(normalizeEmail(text)).toBe(expected)
  })
})

describe('the key of a tenant', () => {
  let stack: AuthStack
  beforeAll(async () => {
    stack = await startAuth()
  })
  afterAll(() => stack.close())
  let tenants = 0
  const aContext = async () => {
    tenants += 1
    await pushFact(stack, `keyed-${tenants}`, 'activated', 1)
    return openAsDeployer(`keyed-${tenants}` as TenantId, 'test', 'test', stack.clock.now())
  }

  // Cloud KMS knows no key of a tenant that is purged; made again, it would outlive the certificate.
  test.each([
    ['is being purged', 'purge-started', 'PURGING'],
    ['was never provisioned', 'provision-failed', 'PROVISION_FAILED'],
  ] as const)('is not made for a tenant that %s', async (_name, kind, state) => {
    const ctx = await aContext()
    await pushFact(stack, ctx.tenantId, kind, 2, { state })

    await expect(stack.deps.personalData.seal(ctx, 'x', 'name')).rejects.toThrow()

    expect(stack.kms.has(`tenant-${ctx.tenantId}`)).toBe(false)
  })

  test('is not made for a tenant that nobody has heard of', async () => {
    const ctx = openAsDeployer('unheard-of' as TenantId, 'test', 'test', stack.clock.now())

    await expect(stack.deps.personalData.seal(ctx, 'x', 'name')).rejects.toThrow()

    expect(stack.kms.has('tenant-unheard-of')).toBe(false)
  })

  test('is made once, however many processes seal first at once', async () => {
    const ctx = await aContext()
    const processes = [stack.deps, stack.another(), stack.another()]

    const sealed = await Promise.all(processes.map(({ personalData }) => personalData.seal(ctx, 'x', 'name')))

    for (const { personalData } of processes) {
      for (const text of sealed) expect(await personalData.open(ctx, text, 'name')).toBe('x')
    }
  })

  test('is kept for a minute and no longer: a key destroyed elsewhere opens nothing then', async () => {
    const ctx = await aContext()
    const other = stack.another()
    const sealed = await stack.deps.personalData.seal(ctx, 'x', 'name')
    expect(await other.personalData.open(ctx, sealed, 'name')).toBe('x')
    const asked = stack.kms.calls.length
    expect(await other.personalData.open(ctx, sealed, 'name')).toBe('x')
    expect(stack.kms.calls.length).toBe(asked)
    stack.kms.destroy(`tenant-${ctx.tenantId}`)

    stack.clock.advance(60_000)

    expect(await other.personalData.open(ctx, sealed, 'name')).toBeUndefined()
    await expect(stack.deps.personalData.seal(ctx, 'y', 'name')).rejects.toThrow(/destroyed/)
  })

  test('out of reach means later, not never, and nothing is stored in the clear instead', async () => {
    const ctx = await aContext()
    const sealed = await stack.deps.personalData.seal(ctx, 'x', 'name')
    stack.clock.advance(61_000)
    stack.kms.down = true

    await expect(stack.deps.personalData.open(ctx, sealed, 'name')).rejects.toThrow('down')
    const signIn = signInUser(stack.deps, {
      ctx,
      connection: { connectionId: 'con_main' },
      identity: { subject: 's', email: 'a@example.com', emailVerified: true, groups: [] },
      nowMs: stack.clock.now(),
    })
    await expect(signIn).rejects.toThrow('down')
    stack.kms.down = false

    expect(await stack.deps.personalData.open(ctx, sealed, 'name')).toBe('x')
    expect(await stack.deps.users.list(ctx, { limit: 5 })).toEqual([])
  })

  test('once destroyed, people are ids and no more, and their directory finds nobody', async () => {
    const ctx = await aContext()
    const person = parsePerson({ userName: 'ada@example.com' })
    if (!person.ok) throw new Error('not a person')
    const command = {
      ctx,
      nowMs: stack.clock.now(),
      ifMatch: () => ({ ok: true, value: undefined }) as const,
    }
    const made = await createPerson(stack.deps, command, person.value)
    if (!made.ok) throw new Error(made.code)

    await stack.deps.personalData.destroy(ctx, stack.clock.now())
    await stack.deps.personalData.destroy(ctx, stack.clock.now())

    expect(await findPerson(stack.deps, ctx, made.value.user.userId)).toBeUndefined()
    expect(await stack.deps.users.find(ctx, made.value.user.userId)).toMatchObject({ status: 'active' })
  })

  // Else whoever leaves is disabled as one of two, and stays signed in as the other.
  test('a first sign-in and a provisioning of the same person at once make one person', async () => {
    for (const slow of ['directory', 'person'] as const) {
      const ctx = await aContext()
      await stack.deps.personalData.seal(ctx, 'x', 'name')
      const person = parsePerson({ userName: 'ada@example.com' })
      if (!person.ok) throw new Error('not a person')
      const nowMs = stack.clock.now()
      const provision = () =>
        createPerson(
          stack.deps,
          { ctx, nowMs, ifMatch: () => ({ ok: true, value: undefined }) },
          person.value,
        )
      const signIn = () =>
        signInUser(stack.deps, {
          ctx,
          connection: { connectionId: 'con_main' },
          identity: { subject: 's', email: 'Ada@example.com', emailVerified: true, groups: [] },
          nowMs,
        })
      const [first, second] = slow === 'directory' ? [provision, signIn] : [signIn, provision]
      // The first has read what there is, and its commit is on the way while all of the second happens.
      let arrived = (): void => {}
      const onTheWay = new Promise<void>((resolve) => {
        arrived = resolve
      })
      let left = 1
      stack.firestore.setFault((rpc) => {
        if (rpc !== 'Commit' || left === 0) return undefined
        left -= 1
        arrived()
        return { mode: 'delay', delayMs: 400 }
      })
      const slowly = first()
      await onTheWay
      await second()
      await slowly
      const users = await stack.deps.users.list(ctx, { limit: 5 })
      expect(users).toHaveLength(1)
      expect(users[0]).toMatchObject({ idpLinks: [{ sub: 's' }], scim: { userNameHash: expect.any(String) } })
    }
  })
})

// Whoever rotates a key tidies up some day, and takes the old version for unused.
test('after a rotation of the tenant’s key the old version can be destroyed', async () => {
  const clock = manualClock(Date.parse('2026-11-23T09:00:00Z'))
  const server = await startKms({ keyRing: RING, now: clock.now })
  const tokens = { token: async () => 't', forget: () => {} }
  const stack = await startAuth()
  try {
    const process = () => stack.another({ kms: cloudKms({ apiUrl: server.url, keyRing: RING, tokens }) })
    await pushFact(stack, 'rotated', 'activated', 1)
    const ctx = openAsDeployer('rotated' as TenantId, 'test', 'test', stack.clock.now())
    const sealed = await process().personalData.seal(ctx, 'x', 'name')
    const key = `${server.url}/v1/${RING}/cryptoKeys/tenant-rotated`
    const post = (path: string, body: object = {}) =>
      fetch(`${key}${path}`, { method: 'POST', body: JSON.stringify(body) })
    await post('/cryptoKeyVersions')
    await post(':updatePrimaryVersion', { cryptoKeyVersionId: '2' })

    expect(await process().personalData.open(ctx, sealed, 'name')).toBe('x')
    await post('/cryptoKeyVersions/1:destroy')

    expect(await process().personalData.open(ctx, sealed, 'name')).toBe('x')
    await post('/cryptoKeyVersions/2:destroy')
    expect(await process().personalData.open(ctx, sealed, 'name')).toBeUndefined()
  } finally {
    await stack.close()
    await server.close()
  }
})
const RING = 'projects/demo-test/locations/us-central1/keyRings/tenants'
