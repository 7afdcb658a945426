import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { revocationRequested } from '#shared/contracts/events/revocation-requested.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import type { TenantId } from '#shared/ids.ts'
import { type AuthStack, startAuth } from './support/auth-stack.ts'
import { push, pushFact } from './support/tenant-facts.ts'

let stack: AuthStack
let tenant = 'acme'
let made = 0

beforeAll(async () => {
  stack = await startAuth()
}, 30_000)
afterAll(() => stack.close())
beforeEach(async () => {
  made += 1
  tenant = `tenant-${made}`
  await pushFact(stack, tenant, 'activated', 1)
  stack.clock.advance(5_000)
})

const ask = (data: object, more: { id?: string; source?: string; about?: string } = {}) => {
  const event = newEvent({
    id: more.id ?? `req-${made}`,
    source: more.source ?? '//energent.ai/security-tooling',
    type: revocationRequested.type,
    tenantId: (more.about ?? tenant) as TenantId,
    nowMs: stack.clock.now(),
    data: { tenantId: more.about ?? tenant, reason: 'device_stolen', ...data },
  })
  return push(stack, 'auth-events', Buffer.from(JSON.stringify(event)), {
    type: event.type,
    tenantid: more.about ?? tenant,
  })
}
const marks = async () => {
  stack.clock.advance(2_000)
  return stack.deps.platform.revocations.current()
}
const quarantined = () =>
  stack.firestore.dump('auth_quarantine').filter(({ data }) => JSON.stringify(data).includes(tenant))
const now = (): number => Math.floor(stack.clock.now() / 1000)

describe('a request to revoke', () => {
  test.each([
    ['user', 'user', 'usr_01KAR6YVZG8X9Y0Z1A2B3C4D5E'],
    ['session', 'session', 'ses_01KAR6Z1B0V7D8E9F0G1H2J3K4'],
    ['client', 'client', 'cid_other_0000000000000000'],
    ['key', 'apiKey', 'AAAAAAAAAAAAAAAA'],
  ] as const)('of a %s that nobody remembers kills its tokens all the same', async (kind, feedKind, id) => {
    const before = now()
    expect(await ask({ kind, id })).toBe(204)
    expect(quarantined()).toEqual([])
    const known = await marks()
    expect(known.isRevoked(tenant as TenantId, feedKind, id)).toBe(true)
    const entry = [...known.entriesOf(tenant as TenantId)].find((one) => one.id === id)
    expect(entry).toMatchObject({ kind: feedKind, before, reason: 'device_stolen' })
  })

  test('of a tenant raises its watermark for good', async () => {
    const before = now()
    expect(await ask({ kind: 'tenant', id: tenant })).toBe(204)
    const [state] = stack.firestore.dump(`tenants/${tenant}/auth_state`)
    const notBefore = Number(Object(state?.data).notBefore)
    // A little ahead: another process may be minting by a view that is two seconds old.
    expect(notBefore - before).toBeGreaterThanOrEqual(0)
    expect(notBefore - before).toBeLessThanOrEqual(5)
    expect((await marks()).watermark(tenant as TenantId, {})).toBe(notBefore)
  })

  test('that comes again later revokes nothing that was issued meanwhile', async () => {
    const user = 'usr_01KAR6YVZG8X9Y0Z1A2B3C4D5E'
    const before = now()
    await ask({ kind: 'user', id: user })
    stack.clock.advance(600_000)
    expect(await ask({ kind: 'user', id: user })).toBe(204)
    expect((await marks()).watermark(tenant as TenantId, { userId: user })).toBe(before)
  })

  test('is carried out though the store fails in between', async () => {
    let commits = 0
    stack.firestore.setFault((rpc) => {
      if (rpc !== 'Commit') return undefined
      commits += 1
      // The first is the effect; with its claim, and the marks of what was published, it goes wrong.
      return commits >= 2 ? { mode: 'refuse', code: 2 } : undefined
    })
    const first = await ask({ kind: 'tenant', id: tenant })
    stack.firestore.setFault(undefined)
    expect(first).toBe(500)
    expect(await ask({ kind: 'tenant', id: tenant })).toBe(204)
    expect((await marks()).watermark(tenant as TenantId, {})).toBeGreaterThan(0)
  })

  test.each([
    ['somebody who may not ask', { kind: 'user', id: 'usr_1' }, { source: '//energent.ai/billing' }],
    ['a tenant about another', { kind: 'tenant', id: 'globex' }, {}],
    ['a path', { kind: 'user', id: '../globex' }, {}],
    ['an unknown kind', { kind: 'galaxy', id: 'x' }, {}],
    ['free text as its reason', { kind: 'user', id: 'usr_1', reason: 'Jane lost her phone' }, {}],
  ])('from %s is set aside', async (_name, data, more) => {
    expect(await ask(data, more)).toBe(204)
    expect(quarantined()).toHaveLength(1)
    expect([...(await marks()).entriesOf(tenant as TenantId)].some(({ id }) => id === 'usr_1')).toBe(false)
  })

  test('about the operators is set aside: nobody signs them out by event', async () => {
    expect(await ask({ kind: 'tenant', id: 'platform' }, { about: 'platform', id: 'evil' })).toBe(204)
    expect((await marks()).watermark('platform' as TenantId, {})).toBe(0)
  })
})
