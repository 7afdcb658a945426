import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventClaim, requestClaim } from '#shared/firestore/claim.ts'
import { outboxRow } from '#shared/firestore/outbox.ts'
import type { Write } from '#shared/firestore/scoped.ts'
import { atLeast, commitTime, increment, removed, timestamp } from '#shared/firestore/values.ts'
import type { TenantId } from '#shared/ids.ts'
import { digestOf } from '#shared/json.ts'
import { ok, refuse } from '#shared/result.ts'
import { openAsDeployer } from '#shared/tenancy/operator.ts'
import { firestoreEngines } from '../../support/engines.ts'
import { START_MS } from '../support/platform.ts'
import { aStep, contextOf, openStore, parseAny, type TestStore } from '../support/store.ts'

const acme = contextOf('acme')
const globex = contextOf('globex')
const PATH = ['lifecycle_things', 'a'] as const
const claimOf = (id: string, content: unknown = 'c') => eventClaim({ source: 's', id }, digestOf(content))

describe.each(firestoreEngines())('the tenant store on $name', (engine) => {
  let store: TestStore
  beforeAll(async () => {
    store = openStore(await engine.host())
  })
  afterAll(async () => {
    await store.close()
    await engine.close()
  })

  const read = (ctx = acme, path: readonly string[] = PATH) =>
    store.tenants.withTenant(ctx, (db) => db.find(path, parseAny))
  const put = (path: readonly string[], fields: Record<string, unknown>, ctx = acme) =>
    store.tenants.optimistic(ctx, undefined, async (db) =>
      ok({ value: 1, writes: [db.create(path, fields)] }),
    )

  test('what one tenant writes, no other finds', async () => {
    await put(['lifecycle_things', 'own'], { n: 1 })

    expect((await read(acme, ['lifecycle_things', 'own']))?.value).toMatchObject({ n: 1 })
    expect(await read(globex, ['lifecycle_things', 'own'])).toBeUndefined()
    const listed = await store.tenants.withTenant(globex, (db) =>
      db.list(['lifecycle_things'], { limit: 10 }, parseAny),
    )
    expect(listed).toEqual([])
  })

  test('every kind of value comes back exact', async () => {
    const fields = {
      big: 2n ** 62n,
      least: -(2n ** 63n),
      n: 9007199254740991,
      negative: -1,
      half: 0.5,
      text: 'é\u{1f600}',
      yes: true,
      none: null,
      bytes: Buffer.from([0, 255]),
      list: [1, ['x'].length, { a: 1n }],
      nested: { 'a.b/c': { x: '' } },
    }
    await put(['lifecycle_things', 'values'], fields)

    const found = await read(acme, ['lifecycle_things', 'values'])
    const { commitId: _id, ...value } = found?.value ?? {}
    expect(value).toEqual({ ...fields, list: [1, 1, { a: 1 }], bytes: Buffer.from([0, 255]) })
  })

  test('a time to live is a timestamp of the store, and reads as milliseconds', async () => {
    await put(['lifecycle_things', 'ttl'], { expireAt: timestamp(START_MS + 1), at: commitTime() })

    expect((await read(acme, ['lifecycle_things', 'ttl']))?.value).toMatchObject({
      expireAt: START_MS + 1,
      at: expect.any(Number),
    })
  })

  test('commutative values add up and only rise, and a field can be removed', async () => {
    await put(['lifecycle_things', 'sum'], { n: 1, top: 5, gone: 1 })
    for (const id of ['m1', 'm2']) {
      await store.tenants.optimistic(acme, claimOf(id), async (db) =>
        ok({
          value: 1,
          writes: [
            db.merge(['lifecycle_things', 'sum'], { n: increment(2), top: atLeast(3), gone: removed() }),
          ],
        }),
      )
    }

    const value = (await read(acme, ['lifecycle_things', 'sum']))?.value
    expect(value).toMatchObject({ n: 5, top: 5 })
    expect(value).not.toHaveProperty('gone')
  })

  // The client repeats a commit whose answer was lost; unguarded, an increment would count twice.
  test('an increment with nothing to guard it is refused', async () => {
    const unguarded = store.tenants.optimistic(acme, undefined, async (db) =>
      ok({ value: 1, writes: [db.merge(['lifecycle_things', 'x'], { n: increment(1) })] }),
    )
    await expect(unguarded).rejects.toThrow(TypeError)
  })

  test('of ten at once who change one document from what they read, each counts once', async () => {
    await put(['lifecycle_things', 'hot'], { n: 0 })
    const change = (id: number) =>
      store.tenants.optimistic(acme, claimOf(`hot${id}`), async (db) => {
        const found = await db.find(['lifecycle_things', 'hot'], parseAny)
        if (found === undefined) return refuse('resource.not_found', 'gone')
        return ok({
          value: id,
          writes: [db.update(['lifecycle_things', 'hot'], found, { n: Number(found.value['n']) + 1 })],
        })
      })
    const outcomes = await Promise.all(Array.from({ length: 10 }, (_, id) => retry(() => change(id))))

    expect(outcomes.every((outcome) => outcome.ok)).toBe(true)
    expect((await read(acme, ['lifecycle_things', 'hot']))?.value['n']).toBe(10)
  })

  test('of ten deliveries of one event at once, one has an effect and the others learn of it', async () => {
    await put(['lifecycle_things', 'counted'], { n: 0 })
    const deliver = () =>
      store.tenants.optimistic(acme, claimOf('same'), async (db) =>
        ok({
          value: 1,
          writes: [db.merge(['lifecycle_things', 'counted'], { n: increment(1) })],
          events: [aStep('acme', 'op-once')],
        }),
      )
    const outcomes = await Promise.all(Array.from({ length: 10 }, deliver))

    expect(outcomes.filter((outcome) => outcome.ok && !outcome.value.duplicate)).toHaveLength(1)
    expect(outcomes.filter((outcome) => outcome.ok && outcome.value.duplicate)).toHaveLength(9)
    expect((await read(acme, ['lifecycle_things', 'counted']))?.value['n']).toBe(1)
    expect(
      store.published.filter(({ data }) => Buffer.from(data).toString().includes('op-once')),
    ).toHaveLength(1)
  })

  test('a redelivery that meets what the first one made is a duplicate and no refusal', async () => {
    const deliver = () =>
      store.tenants.optimistic(acme, claimOf('suspend'), async (db) => {
        if ((await db.find(['lifecycle_things', 'made'], parseAny)) !== undefined)
          return refuse('tenant.state_conflict', 'there already')
        return ok({ value: 1, writes: [db.create(['lifecycle_things', 'made'], {})] })
      })

    expect(await deliver()).toMatchObject({ ok: true, value: { duplicate: false } })
    expect(await deliver()).toMatchObject({ ok: true, value: { duplicate: true } })
  })

  test('a refusal without a claim, or of another event, stays a refusal', async () => {
    const deny = async () => refuse('tenant.state_conflict', 'no')
    expect(await store.tenants.optimistic(acme, undefined, deny)).toMatchObject({
      ok: false,
      code: 'tenant.state_conflict',
    })
    expect(await store.tenants.optimistic(acme, claimOf('never-seen'), deny)).toMatchObject({
      ok: false,
      code: 'tenant.state_conflict',
    })
  })

  test('an id used again with other content is refused, for events and for requests', async () => {
    const act = (claim: Parameters<typeof store.tenants.optimistic>[1], ctx = acme) =>
      store.tenants.optimistic(ctx, claim, async () => ok({ value: { answer: 7 }, writes: [] }))
    const request = (digest: string) => requestClaim('client:a', 'createTenant', 'key', digest)

    await act(claimOf('reused', 1))
    expect(await act(claimOf('reused', 2))).toMatchObject({ ok: false, code: 'event.id_reused' })
    await act(request('d1'))
    expect(await act(request('d1'))).toMatchObject({
      ok: true,
      value: { duplicate: true, answer: { answer: 7 } },
    })
    expect(await act(request('d2'))).toMatchObject({ ok: false, code: 'request.idempotency_mismatch' })
  })

  // An operator may send one Idempotency-Key to two tenants.
  test("one tenant's answer is never another's", async () => {
    const claim = requestClaim('client:operator', 'suspend', 'key', 'same')
    const act = (ctx: typeof acme) =>
      store.tenants.optimistic(ctx, claim, async () => ok({ value: `secret of ${ctx.tenantId}`, writes: [] }))

    expect(await act(acme)).toMatchObject({ ok: true, value: { value: 'secret of acme' } })
    expect(await act(globex)).toMatchObject({ ok: false, code: 'request.idempotency_mismatch' })
  })

  test('all writes happen or none', async () => {
    await put(['lifecycle_things', 'there'], {})
    const attempt = store.tenants.optimistic(acme, undefined, async (db) =>
      ok({
        value: 1,
        writes: [db.create(['lifecycle_things', 'new'], {}), db.create(['lifecycle_things', 'there'], {})],
        events: [aStep('acme', 'op-none')],
      }),
    )
    await expect(attempt).rejects.toThrow(/gave up/)
    expect(await read(acme, ['lifecycle_things', 'new'])).toBeUndefined()
    expect(store.published.some(({ data }) => Buffer.from(data).toString().includes('op-none'))).toBe(false)
  })

  test('a change is written with its audit: who, what and a seal', async () => {
    await store.tenants.optimistic(acme, undefined, async (db) =>
      ok({
        value: 1,
        writes: [db.create(['lifecycle_things', 'audited'], {})],
        audit: [{ action: 'made', target: 'audited' }],
      }),
    )

    const rows = await auditOf(store, await engine.host())
    expect(rows).toHaveLength(1)
    expect(rows[0]).toMatchObject({
      tenantId: 'acme',
      atMs: START_MS,
      root: expect.stringMatching(/^[0-9a-f]{64}$/),
      entries: [{ actor: 'event:test:e', action: 'made', target: 'audited' }],
    })
    expect(rows[0]?.['root']).toBe(digestOf(rows[0]?.['entries']))
  })

  test('an operator’s grant that is over touches nothing', async () => {
    const ctx = openAsDeployer('acme' as TenantId, 'ada', 'r', START_MS - 3_600_000)
    await expect(store.tenants.withTenant(ctx, (db) => db.find(PATH, parseAny))).rejects.toThrow(/over/)
    await expect(
      store.tenants.optimistic(ctx, undefined, async () => ok({ value: 1, writes: [] })),
    ).rejects.toThrow(/over/)
  })

  test('what is stored and does not parse is our failure', async () => {
    await put(['lifecycle_things', 'odd'], { n: 'x' })
    await expect(
      store.tenants.withTenant(acme, (db) =>
        db.find(['lifecycle_things', 'odd'], () => refuse('request.malformed', 'n')),
      ),
    ).rejects.toThrow(/does not parse/)
  })

  describe('what would break the wall is refused before it is sent', () => {
    type Db = Parameters<Parameters<TestStore['tenants']['withTenant']>[1]>[0]
    test.each<[string, (db: Db) => unknown]>([
      ["another group's collection", (db) => db.find(['auth_clients', 'a'], parseAny)],
      ["another group's collection in a list", (db) => db.list(['billing_invoices'], { limit: 1 }, parseAny)],
      ['a collection of no group', (db) => db.find(['things', 'a'], parseAny)],
      ['a path up and over', (db) => db.find(['lifecycle_things', '..', '..', 'globex'], parseAny)],
      ['an id with a slash', (db) => db.find(['lifecycle_things', 'a/../../globex'], parseAny)],
      ['an id of the store’s own', (db) => db.find(['lifecycle_things', '__id7__'], parseAny)],
      ['a NUL', (db) => db.find(['lifecycle_things', 'a\0'], parseAny)],
      ['a collection for a document', (db) => db.find(['lifecycle_things'], parseAny)],
      ['a document for a collection', (db) => db.list(['lifecycle_things', 'a'], { limit: 1 }, parseAny)],
      [
        'another tenant’s id in the fields',
        (db) => commit(db.create(['lifecycle_things', 'f1'], { deep: [{ tenantId: 'globex' }] })),
      ],
      ['a class', (db) => commit(db.create(['lifecycle_things', 'f2'], { at: new Date(0) }))],
      ['a function', (db) => commit(db.create(['lifecycle_things', 'f3'], { f: () => 1 }))],
      ['a map', (db) => commit(db.create(['lifecycle_things', 'f4'], { m: new Map() }))],
      ['an empty slot', (db) => commit(db.create(['lifecycle_things', 'f5'], { l: [undefined] }))],
      ['a forged write', () => commit({ kind: 'create' })],
      ['a system collection of another group', (db) => commit(db.createSystem('plans', 'a', {}))],
      ['a system collection of nobody', (db) => commit(db.createSystem('tenants', 'globex', {}))],
      ['an audit id with a slash', (db) => commit(db.createAudit('a/b', {}))],
    ])('%s', async (_name, act) => {
      await expect(store.tenants.withTenant(acme, async (db) => act(db as Db))).rejects.toThrow(TypeError)
    })

    const commit = (write: Write<unknown>) =>
      store.tenants.optimistic(acme, undefined, async () => ok({ value: 1, writes: [write as never] }))

    test('a write of another tenant, smuggled past the compiler', async () => {
      const foreign = await store.tenants.withTenant(
        globex,
        async (db) => db.create(['lifecycle_things', 'smuggled'], {}) as Write<unknown>,
      )
      await expect(commit(foreign)).rejects.toThrow(/another tenant/)
      expect(await read(globex, ['lifecycle_things', 'smuggled'])).toBeUndefined()
    })

    test('an event about another tenant', async () => {
      await expect(
        store.tenants.optimistic(acme, undefined, async () =>
          ok({ value: 1, writes: [], events: [aStep('globex', 'x')] }),
        ),
      ).rejects.toThrow(TypeError)
      expect(() =>
        outboxRow(
          { topic: 'tenant-work', event: { ...aStep('acme', 'x').event, tenantid: 'globex' } },
          'acme',
          0,
          0,
        ),
      ).toThrow(TypeError)
    })

    test('a change guarded by another document’s version', async () => {
      await put(['lifecycle_things', 'one'], {})
      const other = store.tenants.optimistic(acme, undefined, async (db) => {
        const found = await db.find(['lifecycle_things', 'one'], parseAny)
        return found === undefined
          ? refuse('resource.not_found', '')
          : ok({ value: 1, writes: [db.update(['lifecycle_things', 'two'], found, {})] })
      })
      await expect(other).rejects.toThrow(TypeError)
    })

    test.each([{ tenantId: 'acme' }, Object.create(acme), JSON.parse(JSON.stringify(acme)), undefined])(
      'a context that only looks like one (%#)',
      async (look) => {
        await expect(
          store.tenants.withTenant(look as never, (db) => db.find(PATH, parseAny)),
        ).rejects.toThrow(TypeError)
        await expect(
          store.tenants.optimistic(look as never, undefined, async () => ok({ value: 1, writes: [] })),
        ).rejects.toThrow(TypeError)
      },
    )

    test('any group but the lifecycle at the tenant’s own document', async () => {
      const auth = openStore(await engine.host(), 'auth')
      await expect(auth.tenants.withTenant(acme, (db) => db.find([], parseAny))).rejects.toThrow(TypeError)
      await auth.close()
    })
  })

  describe('the outbox', () => {
    test('publishes what was committed, as it was committed', async () => {
      await store.tenants.optimistic(acme, undefined, async () =>
        ok({ value: 1, writes: [], events: [aStep('acme', 'op-a'), aStep('acme', 'op-b')] }),
      )

      const sent = store.published.slice(-2)
      expect(sent.map(({ data }) => JSON.parse(Buffer.from(data).toString()).id)).toEqual(['op-a', 'op-b'])
      expect(sent[0]).toMatchObject({
        topic: 'tenant-work',
        orderingKey: 'acme',
        attributes: {
          type: 'ai.energent.tenant.step-continue.v1',
          tenantid: 'acme',
          'content-type': 'application/cloudevents+json',
        },
      })
    })

    test('keeps what could not be published, in order, and the sweep sends it after the grace and once', async () => {
      const own = openStore(await engine.host())
      own.failing.when = () => true
      const commit = (ctx: typeof acme, ids: string[]) =>
        own.tenants.optimistic(ctx, undefined, async () =>
          ok({ value: 1, writes: [], events: ids.map((id) => aStep(ctx.tenantId, id)) }),
        )
      expect(await commit(acme, ['a1', 'a2'])).toMatchObject({ ok: true })
      own.clock.advance(1)
      await commit(globex, ['g1'])
      own.clock.advance(1)
      await commit(acme, ['a3'])
      expect(own.published).toEqual([])

      own.failing.when = () => false
      expect(await own.outbox.sweep()).toEqual({ published: 0, failed: 0 })
      own.clock.advance(30_001)
      expect(await own.outbox.sweep()).toEqual({ published: 4, failed: 0 })
      const sent = own.published.map(({ data }) => JSON.parse(Buffer.from(data).toString()).id)
      expect(sent.filter((id) => id !== 'g1')).toEqual(['a1', 'a2', 'a3'])
      expect(await own.outbox.sweep()).toEqual({ published: 0, failed: 0 })
      await own.close()
    })

    test('a tenant whose rows fail waits, and holds up nobody else', async () => {
      const own = openStore(await engine.host())
      own.failing.when = () => true
      for (const ctx of [acme, globex]) {
        await own.tenants.optimistic(ctx, undefined, async () =>
          ok({ value: 1, writes: [], events: [1, 2].map((n) => aStep(ctx.tenantId, `${ctx.tenantId}${n}`)) }),
        )
      }
      own.failing.when = ({ attributes }) => attributes['tenantid'] === 'acme'
      own.clock.advance(31_000)

      expect(await own.outbox.sweep()).toEqual({ published: 2, failed: 2 })
      expect(own.published.map(({ attributes }) => attributes['tenantid'])).toEqual(['globex', 'globex'])
      await own.close()
    })
  })

  describe('a group’s own collections', () => {
    test('are read, created once, changed as read and merged', async () => {
      const first = store.system.create('lifecycle_quarantine', 'q1', { n: 1 })
      expect(await store.system.commit([first], 'c1')).toEqual({ kind: 'committed' })
      expect(
        await store.system.commit([store.system.create('lifecycle_quarantine', 'q1', { n: 2 })], 'c2'),
      ).toMatchObject({ kind: 'duplicate', existing: { n: 1 } })
      expect(await store.system.commit([first], 'c1')).toEqual({ kind: 'committed' })
      const found = await store.system.find('lifecycle_quarantine', 'q1', parseAny)
      if (found === undefined) throw new Error('not found')
      expect(
        await store.system.commit([store.system.update('lifecycle_quarantine', found, { n: 3 })], 'c3'),
      ).toEqual({ kind: 'committed' })
      expect(
        await store.system.commit([store.system.update('lifecycle_quarantine', found, { n: 4 })], 'c4'),
      ).toEqual({ kind: 'conflict' })
      await store.system.merge('lifecycle_quarantine', 'q1', { m: 1 })
      expect((await store.system.find('lifecycle_quarantine', 'q1', parseAny))?.value).toMatchObject({
        n: 3,
        m: 1,
      })
      await store.system.ping()
    })

    test.each(['auth_outbox', 'plans', 'tenants', 'keyrings', '../x'])(
      '%s is not among them',
      async (collection) => {
        await expect(async () => store.system.find(collection, 'a', parseAny)).rejects.toThrow(TypeError)
        await expect(async () => store.system.list(collection, { limit: 1 }, parseAny)).rejects.toThrow(
          TypeError,
        )
        await expect(async () => store.system.merge(collection, 'a', {})).rejects.toThrow(TypeError)
        expect(() => store.system.create(collection, 'a', {})).toThrow(TypeError)
      },
    )
  })
})

async function retry<T>(act: () => Promise<T>): Promise<T> {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    try {
      return await act()
    } catch (error) {
      if (!(error instanceof Error && error.name === 'Contention')) throw error
    }
  }
  throw new Error('contention did not end')
}

/** The audit lies outside every scope on purpose, so the test looks with the client itself. */
async function auditOf(store: TestStore, host: string): Promise<Record<string, unknown>[]> {
  const { Firestore } = await import('@google-cloud/firestore')
  const client = new Firestore({
    projectId: store.project,
    host,
    ssl: false,
    customHeaders: { Authorization: 'Bearer owner' },
  })
  const found = await client.collection('tenantAudit/acme/lifecycle_segments').get()
  await client.terminate()
  return found.docs.map((document) => document.data())
}
