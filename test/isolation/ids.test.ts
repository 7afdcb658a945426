import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { eventClaim, requestClaim } from '#shared/firestore/claim.ts'
import { auditDocumentPath, systemDocumentPath } from '#shared/firestore/paths.ts'
import type { ScopedDb } from '#shared/firestore/scoped.ts'
import { hashedId, isDocumentId, parseTenantId, type TenantId } from '#shared/ids.ts'
import { ok } from '#shared/result.ts'
import { contextOf, parseAny } from '../shared/support/store.ts'
import { secretOf } from './support/story.ts'
import { type IsolationWorld, type Reply, startWorld } from './support/world.ts'

/** What an id must never be, and what somebody will send as one. */
const HOSTILE: readonly string[] = [
  '',
  '.',
  '..',
  '...',
  '/',
  '//',
  'a/b',
  'a/b/c',
  '../globex',
  '../../tenants/globex',
  'a/../../globex',
  '\\',
  'a\\b',
  '__x__',
  '__id7__',
  '__name__',
  '_',
  '-',
  '-a',
  '_a',
  '\0',
  'a\0',
  '\0a',
  'a\nb',
  'a\r\nb',
  ' ',
  ' a',
  'a ',
  '\t',
  '%2e%2e',
  '%2e',
  '%2F',
  'a%2fb',
  '%00',
  '%',
  '%zz',
  '%252e%252e',
  'a'.repeat(129),
  'a'.repeat(1_501),
  '0'.repeat(40_000),
  'é',
  'ａｃｍｅ',
  'аcme',
  'acme\u200b',
  '\u202eemca',
  '😀',
  'ﬁ',
  'İ',
  '\ud800',
  '\u{10ffff}',
  'e\u0301',
  '\ufeffacme',
  '__proto__',
  '*',
  '**',
  '$',
  "'",
  '"',
  '`',
  ';',
  '{}',
  '[object Object]',
  'a.b',
  'a:b',
  'a@b',
  'a+b',
  'a=b',
  'a,b',
  'a~b',
]
/** Words of JavaScript's own: harmless as names, as long as nobody looks them up in an object. */
const WORDS = [
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'valueOf',
  'then',
  'null',
  'undefined',
  'true',
  'NaN',
  '0',
]

/** Whose id could be mistaken for another's: forms of a tenant id that is none. */
const NOT_TENANTS = [
  ...HOSTILE,
  'ACME',
  'Acme',
  'acme-',
  '-acme',
  '1acme',
  'a',
  'ac',
  'a'.repeat(41),
  'ac_me',
  'acme.',
  'acme\n',
  'hasOwnProperty',
  'NaN',
  '0',
]

/** Over the wire each kind is sent once; all of them with `ISOLATION_RUNS` set, as for a long run. */
const KINDS = [
  '',
  '..',
  'a/b',
  '../globex',
  '__x__',
  '\0',
  'a\nb',
  '%2e%2e',
  'a'.repeat(1_501),
  'аcme',
  '\ud800',
  '__proto__',
  'constructor',
  'ACME',
  'acme-',
  'a'.repeat(41),
]
const sent = (all: readonly string[]): string[] =>
  process.env['ISOLATION_RUNS'] === undefined ? all.filter((id) => KINDS.includes(id)) : [...all]

describe('ids and paths', () => {
  test.each(HOSTILE)('%j is no document id', (id) => {
    expect(isDocumentId(id)).toBe(false)
    expect(() => systemDocumentPath('lifecycle', 'timers', id)).toThrow(TypeError)
    expect(() => systemDocumentPath('lifecycle', id, 'a')).toThrow(TypeError)
    expect(() => auditDocumentPath('acme' as TenantId, 'lifecycle', id)).toThrow(TypeError)
  })
  test.each(NOT_TENANTS)('%j is no tenant id', (id) => {
    expect(parseTenantId(id)).toMatchObject({ ok: false, code: 'resource.not_found' })
  })
  test.each([
    undefined,
    null,
    7,
    {},
    [],
    ['acme'],
    { toString: () => 'acme' },
    new String('acme'),
    Symbol('acme'),
  ])('what is no text is no id (%#)', (id) => {
    expect(isDocumentId(id)).toBe(false)
    expect(parseTenantId(id).ok).toBe(false)
  })
  test.each(WORDS)('%s is a collection of no group', (word) => {
    expect(() => systemDocumentPath('lifecycle', word, 'a')).toThrow(TypeError)
  })
  test('whatever is hashed is an id, and no two lists of parts are the same one', () => {
    const sound = HOSTILE.filter((id) => !id.includes('\0'))
    const ids = sound.flatMap((id) => [hashedId(id), hashedId(id, ''), hashedId('', id), hashedId(id, id)])
    expect(ids.every(isDocumentId)).toBe(true)
    expect(new Set(ids).size).toBeGreaterThanOrEqual(ids.length - 3)
    expect(() => hashedId('a\0b')).toThrow(TypeError)
    expect(() => eventClaim({ source: 'a\0b', id: 'c' }, 'd')).toThrow(TypeError)
    expect(() => requestClaim('a', 'createTenant', 'k\0', 'd')).toThrow(TypeError)
    expect(hashedId('a', 'b')).not.toBe(hashedId('ab'))
  })
})

describe('wherever an id comes in', () => {
  let engine: FirestoreEngine
  let world: IsolationWorld
  let operator = ''
  let member = ''
  let before = ''

  beforeAll(async () => {
    let now = (): number => 0
    engine = await startFirestoreEngine({ now: () => now() })
    world = await startWorld(engine.host, 'demo-ids')
    now = world.clock.now
    operator = await tokenFor(world.operator)
    await activate('acme')
    member = await tokenFor(await clientOf('acme'))
    await activate('globex')
  })
  afterAll(async () => {
    await world.close()
    await engine.close()
  })
  beforeEach(() => {
    before = ofGlobex()
  })

  /** All that belongs to the bystander: nothing of it may change, whatever is sent. */
  const ofGlobex = (): string =>
    JSON.stringify([engine.dump('tenants/globex'), engine.dump('tenantAudit/globex')])
  const tokenFor = async ({
    clientId,
    clientSecret,
  }: {
    clientId: string
    clientSecret: string
  }): Promise<string> => {
    const form = { grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret }
    return String((await world.ask('auth', 'POST', '/oauth2/token', { form })).json['access_token'])
  }
  const activate = async (tenantId: string): Promise<void> => {
    const body = {
      tenantId,
      displayName: secretOf(tenantId),
      tier: 'basic',
      deploymentModel: 'multi_tenant',
      region: 'us-central1',
    }
    await world.ask('tenants-api', 'POST', '/v1/tenants', { token: operator, body })
    for (let next = world.waiting.shift(); next !== undefined; next = world.waiting.shift()) {
      await world.push(next.subscription.listener, next.subscription.name, next.message)
    }
  }
  const clientOf = async (tenantId: string) => {
    const body = { scopes: ['tenant:read', 'usage:read', 'usage:write', 'invoices:read', 'clients:manage'] }
    const made = await world.ask('auth', 'POST', `/v1/tenants/${tenantId}/clients`, { token: operator, body })
    return made.json as { clientId: string; clientSecret: string }
  }
  const expectHarmless = (reply: Reply, allowed: readonly number[]): void => {
    expect(allowed, reply.text.slice(0, 300)).toContain(reply.status)
    expect(reply.text).not.toContain(secretOf('globex'))
    expect(ofGlobex()).toBe(before)
  }

  const ids = sent([...HOSTILE, ...WORDS])
  const sendable = ids.filter((id) => id !== '').map((id) => encodeURIComponent(id.toWellFormed()))
  test.each([
    ...sendable,
    '%C0%AE%C0%AE',
    '%ff',
    '..%2fglobex',
    'globex%00',
    'globex%20',
    'globex;a',
    'globex.',
  ])('a path with %s', async (id) => {
    const nobody = { tenants: [], verifying: 'acme' }
    const own = { tenants: ['acme'], verifying: 'acme' }
    const any = { tenants: [], verifying: 'platform' }
    const gone = [400, 404, 405]
    for (const path of [`/v1/tenants/${id}`, `/v1/tenants/${id}/operations/op_1`]) {
      expectHarmless(
        await world.acting(nobody, () => world.ask('tenants-api', 'GET', path, { token: member })),
        gone,
      )
    }
    for (const path of [`/v1/tenants/${id}/usage`, `/v1/tenants/${id}/invoices/upcoming`]) {
      expectHarmless(
        await world.acting(nobody, () => world.ask('billing-api', 'GET', path, { token: member })),
        gone,
      )
    }
    const body = { scopes: ['tenant:read'] }
    for (const [token, whom] of [
      [member, nobody],
      [operator, { ...any, tenants: [id] }],
    ] as const) {
      const path = `/v1/tenants/${id}/clients`
      expectHarmless(await world.acting(whom, () => world.ask('auth', 'POST', path, { token, body })), gone)
    }
    const operation = `/v1/tenants/acme/operations/${id}`
    expectHarmless(
      await world.acting(own, () => world.ask('tenants-api', 'GET', operation, { token: member })),
      gone,
    )
    const meter = `/v1/tenants/acme/usage?meter=${id}`
    expectHarmless(
      await world.acting(own, () => world.ask('billing-api', 'GET', meter, { token: member })),
      [400],
    )
    const page = `/v1/tenants?pageToken=${id}`
    expectHarmless(
      await world.acting({ ...any, listing: true }, () =>
        world.ask('tenants-api', 'GET', page, { token: operator }),
      ),
      [400],
    )
  })

  test.each(sent(NOT_TENANTS))('a new tenant called %j', async (tenantId) => {
    const body = {
      tenantId,
      displayName: 'x',
      tier: 'basic',
      deploymentModel: 'multi_tenant',
      region: 'us-central1',
    }
    const ask = () => world.ask('tenants-api', 'POST', '/v1/tenants', { token: operator, body })
    expectHarmless(await world.acting({ tenants: [], verifying: 'platform' }, ask), [400])
  })

  test.each(ids)('a client called %j', async (id) => {
    for (const client_id of [
      id,
      `cid_${id}_0000000000000000`,
      `cid_globex_${id}`,
      `cid_acme/../globex_${'0'.repeat(16)}`,
    ]) {
      const form = { grant_type: 'client_credentials', client_id, client_secret: `dcs_${'a'.repeat(43)}` }
      const looksReal = /^cid_[a-z][a-z0-9-]{1,38}[a-z0-9]_[0-9A-Za-z]{16}$/.test(client_id)
      const tenants = looksReal ? [client_id.split('_')[1] ?? ''] : []
      expectHarmless(
        await world.acting({ tenants }, () => world.ask('auth', 'POST', '/oauth2/token', { form })),
        [400, 401, 413],
      )
    }
  })

  test.each(ids.filter((id) => id.length < 5_000))('an event about, from or called %j', async (id) => {
    const good = {
      specversion: '1.0',
      id: 'e1',
      source: '//energent.ai/billing',
      type: 'ai.energent.billing.subscription-ready.v1',
      subject: 'tenants/acme',
      tenantid: 'acme',
      time: '2026-11-23T09:00:00.000Z',
      data: { tenantId: 'acme', operationId: 'op_1', subscriptionId: 'sub_1', planId: 'p' },
    }
    const about = [
      { ...good, subject: `tenants/${id}` },
      { ...good, subject: 'elsewhe/acme' },
      { ...good, subject: id },
      { ...good, tenantid: id },
      { ...good, data: { ...good.data, tenantId: id } },
    ]
    for (const event of about)
      expect(await pushed('tenant-events', 'billing-facts-to-tenant-events', event, [])).toBe(204)
    const named = [
      { ...good, id },
      { ...good, source: id },
      { ...good, data: { ...good.data, operationId: id } },
    ]
    for (const event of named)
      expect(await pushed('tenant-events', 'billing-facts-to-tenant-events', event, ['acme'])).toBe(204)
    const step = {
      ...good,
      type: 'ai.energent.tenant.step-continue.v1',
      data: { tenantId: 'acme', operationId: id },
    }
    expect(await pushed('tenant-events', 'tenant-work-to-tenant-events', step, ['acme'])).toBe(204)
    const command = {
      ...good,
      type: 'ai.energent.billing.subscription-requested.v1',
      data: { tenantId: 'acme', operationId: id, tier: 'basic' },
    }
    expect(await pushed('billing', 'billing-commands-to-billing', command, ['acme'])).toBe(204)
    const usage = { ...good, type: 'ai.energent.usage.workflow_runs.v1', data: { value: '1' } }
    for (const event of [
      { ...usage, id },
      { ...usage, source: id },
    ]) {
      expect(await pushed('billing', 'billing-events-to-billing', event, ['acme'])).toBe(204)
    }
    expect(
      await pushed(
        'billing',
        'billing-events-to-billing',
        { ...usage, tenantid: undefined, subject: `tenants/${id}` },
        parseTenantId(id).ok ? [id] : [],
      ),
    ).toBe(204)
    expect(ofGlobex()).toBe(before)
  })

  const pushed = async (
    listener: 'billing' | 'tenant-events',
    subscription: string,
    event: object,
    tenants: readonly string[],
  ) => {
    const text = JSON.stringify(event)
    const message = { data: Buffer.from(text), attributes: {} }
    const named = [...text.matchAll(/tenants\/([a-z0-9-]+)/g)].flatMap(([, name]) => name ?? [])
    return (await world.acting({ tenants, named }, () => world.push(listener, subscription, message))).status
  }

  test.each(
    ids.filter((id) => id.length < 5_000 && /^[\x20-\x7e]*$/.test(id) && id.trim() === id && id !== ''),
  )('an Idempotency-Key %j', async (key) => {
    const headers = { 'idempotency-key': key }
    const body = { name: `k`, scopes: ['tenant:read'] }
    const ask = () => world.ask('auth', 'POST', '/v1/tenants/acme/clients', { token: member, body, headers })
    expectHarmless(await world.acting({ tenants: ['acme'], verifying: 'acme' }, ask), [200, 201, 400, 409])
  })

  type Act = (db: ScopedDb<never>, id: string) => unknown
  const acts: readonly (readonly [string, Act])[] = [
    ['find', (db, id) => db.find(['lifecycle_things', id], parseAny)],
    ['find in a collection', (db, id) => db.find([id, 'a'], parseAny)],
    ['find below', (db, id) => db.find(['lifecycle_things', 'a', id, 'b'], parseAny)],
    ['list', (db, id) => db.list([id], { limit: 1 }, parseAny)],
    ['list below', (db, id) => db.list(['lifecycle_things', id, 'x'], { limit: 1 }, parseAny)],
    ['create', (db, id) => db.create(['lifecycle_things', id], {})],
    ['merge', (db, id) => db.merge(['lifecycle_things', id], {})],
    ['update', (db, id) => db.update(['lifecycle_things', id], { id, version: '1.0' } as never, {})],
    ['delete', (db, id) => db.delete(['lifecycle_things', id], { id, version: '1.0' } as never)],
    ['createSystem', (db, id) => db.createSystem('timers', id, {})],
    ['createSystem in a collection', (db, id) => db.createSystem(id, 'a', {})],
    ['createAudit', (db, id) => db.createAudit(id, {})],
  ]
  test.each(acts)('%s of the scoped store', async (_name, act) => {
    const { tenants } = world.platforms.lifecycle
    await world.acting({ tenants: [] }, async () => {
      for (const id of HOSTILE) {
        const asked = tenants.withTenant(contextOf('acme'), async (db) => act(db as never, id))
        await expect(asked, JSON.stringify(id).slice(0, 40)).rejects.toThrow(TypeError)
      }
    })
  })

  test('every act of a group’s own collections', async () => {
    const { system } = world.platforms.lifecycle
    await world.acting({ tenants: [] }, async () => {
      for (const id of HOSTILE) {
        await expect(async () => system.find('timers', id, parseAny)).rejects.toThrow(TypeError)
        await expect(async () => system.find(id, 'a', parseAny)).rejects.toThrow(TypeError)
        await expect(async () => system.list(id, { limit: 1 }, parseAny)).rejects.toThrow(TypeError)
        await expect(async () => system.merge('timers', id, {})).rejects.toThrow(TypeError)
        expect(() => system.create('timers', id, {})).toThrow(TypeError)
        expect(() => system.update('timers', { id, version: '1.0' } as never, {})).toThrow(TypeError)
      }
    })
  })

  test('a name of a field leads nowhere', async () => {
    const { tenants } = world.platforms.lifecycle
    const fields = Object.fromEntries(
      [...HOSTILE, ...WORDS]
        .filter((id) => id !== '' && id.length < 1_000 && !/^__.*__$/.test(id) && id.isWellFormed())
        .map((id) => [id, 1]),
    )
    const written = await world.acting({ tenants: ['acme'] }, () =>
      tenants.optimistic(contextOf('acme'), undefined, async (db) =>
        ok({ value: 1, writes: [db.create(['lifecycle_things', 'odd'], { fields })] }),
      ),
    )
    expect(written).toMatchObject({ ok: true })
    expect(ofGlobex()).toBe(before)
  })
})
