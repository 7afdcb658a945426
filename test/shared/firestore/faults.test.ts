import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import type { FaultHook } from '#local/faults.ts'
import { systemClock } from '#shared/clock.ts'
import { eventClaim } from '#shared/firestore/claim.ts'
import { SYSTEM_COLLECTIONS } from '#shared/firestore/paths.ts'
import { increment } from '#shared/firestore/values.ts'
import { ok, refuse } from '#shared/result.ts'
import { aStep, contextOf, openStore, parseAny, type TestStore } from '../support/store.ts'

const TENANTS = ['acme', 'globex', 'initech'] as const
const COUNTER = ['lifecycle_things', 'counter'] as const

let engine: FirestoreEngine
let store: TestStore
beforeEach(async () => {
  engine = await startFirestoreEngine({ now: systemClock.now })
  store = openStore(engine.host)
})
afterEach(async () => {
  engine.setFault(undefined)
  await store.close()
  await engine.close()
})

/** Fails the first `count` calls of an rpc. */
function first(count: number, wanted: string, fault: ReturnType<FaultHook>): FaultHook {
  let left = count
  return (rpc) => (rpc === wanted && left-- > 0 ? fault : undefined)
}

function countOnce(tenantId: string, id: string) {
  return store.tenants.optimistic(contextOf(tenantId), eventClaim({ source: 's', id }, 'd'), async (db) =>
    ok({
      value: id,
      writes: [db.merge(COUNTER, { n: increment(1) })],
      events: [aStep(tenantId, `${tenantId}.${id}`)],
    }),
  )
}

async function counted(tenantId: string): Promise<unknown> {
  return (await store.tenants.withTenant(contextOf(tenantId), (db) => db.find(COUNTER, parseAny)))?.value['n']
}

describe('a commit whose answer was lost', () => {
  test.each([
    ['once', 1],
    ['twice', 2],
  ])('%s has happened once, and says so', async (_name, count) => {
    engine.setFault(first(count, 'Commit', { mode: 'lostAnswer', code: 14 }))
    const outcome = await countOnce('acme', 'e1')

    expect(outcome).toMatchObject({ ok: true, value: { duplicate: false, value: 'e1' } })
    expect(await counted('acme')).toBe(1)
    expect(store.published).toHaveLength(1)
  })

  test('of a changed document is recognised by its commit id', async () => {
    const ctx = contextOf('acme')
    await store.tenants.optimistic(ctx, undefined, async (db) =>
      ok({ value: 1, writes: [db.create(COUNTER, { n: 0 })] }),
    )
    let decided = 0
    engine.setFault(first(1, 'Commit', { mode: 'lostAnswer', code: 14 }))
    const outcome = await store.tenants.optimistic(ctx, undefined, async (db) => {
      decided += 1
      const found = await db.find(COUNTER, parseAny)
      if (found === undefined) return refuse('resource.not_found', '')
      return ok({ value: 1, writes: [db.update(COUNTER, found, { n: Number(found.value['n']) + 1 })] })
    })

    expect(outcome).toMatchObject({ ok: true })
    expect(decided).toBe(1)
    expect(await counted('acme')).toBe(1)
  })

  test('and whose failure was final is a duplicate when the event comes again', async () => {
    engine.setFault(first(1, 'Commit', { mode: 'lostAnswer', code: 13 }))
    await expect(countOnce('acme', 'e2')).rejects.toThrow()

    expect(await countOnce('acme', 'e2')).toMatchObject({ ok: true, value: { duplicate: true } })
    expect(await counted('acme')).toBe(1)
  })
})

test('a commit that never happened throws, and the next delivery does it', async () => {
  engine.setFault(first(100, 'Commit', { mode: 'error', code: 13 }))
  await expect(countOnce('acme', 'e3')).rejects.toThrow()
  engine.setFault(undefined)

  expect(await countOnce('acme', 'e3')).toMatchObject({ ok: true, value: { duplicate: false } })
  expect(await counted('acme')).toBe(1)
})

/** Every name that a request holds, whatever its form. */
function namesIn(request: unknown): string[] {
  if (typeof request === 'string') return request.includes('/documents') ? [request] : []
  if (typeof request !== 'object' || request === null || request instanceof Uint8Array) return []
  return Object.entries(request).flatMap(([key, value]) => [
    ...namesIn(value),
    ...(key.includes('/documents') ? [key] : []),
  ])
}

/** The names a query reads: its parent and the collection below. */
function collectionsIn(request: unknown): string[] {
  const { parent, structuredQuery } = request as {
    parent?: string
    structuredQuery?: { from?: { collectionId?: string; allDescendants?: boolean }[] }
  }
  return (structuredQuery?.from ?? []).map(
    ({ collectionId, allDescendants }) => `${parent}/${collectionId}${allDescendants === true ? '/**' : ''}`,
  )
}

describe('whatever is asked, only what belongs to the caller is sent', () => {
  const hostile = fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.constantFrom(
      '..',
      '.',
      '',
      '/',
      'a/b',
      '../globex',
      'lifecycle_things',
      '__name__',
      '\0',
      '%2e%2e',
      'globex',
      'tenants',
      'a'.repeat(1600),
      'lifecycle_',
      'auth_clients',
      'lifecycle_x/../../globex/lifecycle_x',
    ),
    fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,8}$/),
  )
  const path = fc.array(fc.oneof(hostile, fc.constantFrom('lifecycle_things', 'lifecycle_operations')), {
    maxLength: 5,
  })

  test('every name starts at the tenant or at a collection of the group', async () => {
    const sent: string[] = []
    let total = 0
    engine.setFault((_rpc, request) => {
      sent.push(...namesIn(request).filter((name) => !name.endsWith('/documents')), ...collectionsIn(request))
      return undefined
    })
    const root = `projects/${store.project}/databases/(default)/documents`
    const system = SYSTEM_COLLECTIONS.lifecycle.map((collection) => `${root}/${collection}`)
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...TENANTS),
        path,
        fc.constantFrom('find', 'list', 'write', 'system'),
        hostile,
        async (tenantId, at, act, id) => {
          engine.reset()
          sent.length = 0
          const ctx = contextOf(tenantId)
          await perform(store, ctx, act, at, id).catch((error: unknown) => {
            if (!(error instanceof TypeError)) throw error
          })
          const own = [`${root}/tenants/${tenantId}`, `${root}/tenantAudit/${tenantId}`, ...system]
          total += sent.length
          for (const name of sent) {
            expect(
              own.some((prefix) => name === prefix || name.startsWith(`${prefix}/`)),
              name,
            ).toBe(true)
            expect(name).not.toMatch(/\/\.\.?(\/|$)|\*\*/)
          }
        },
      ),
      { numRuns: 300 },
    )
    expect(total).toBeGreaterThan(50)
  })

  async function perform(
    on: TestStore,
    ctx: ReturnType<typeof contextOf>,
    act: string,
    at: string[],
    id: string,
  ): Promise<unknown> {
    if (act === 'find') return on.tenants.withTenant(ctx, (db) => db.find(at, parseAny))
    if (act === 'list') return on.tenants.withTenant(ctx, (db) => db.list(at, { limit: 5 }, parseAny))
    return on.tenants
      .optimistic(ctx, undefined, async (db) =>
        ok({
          value: 1,
          writes: [
            act === 'write' ? db.create(at, { id: 'x' }) : db.createSystem(at[0] ?? '', id, {}),
            db.createAudit(`a${on.project}`, {}),
          ],
        }),
      )
      .catch((error: unknown) => {
        if (!(error instanceof Error && error.name === 'Contention')) throw error
      })
  }
})

describe('any sequence of commands of three tenants', () => {
  const command = fc.record({
    tenant: fc.constantFrom(...TENANTS),
    event: fc.nat({ max: 5 }),
    fault: fc.constantFrom('none', 'none', 'lostAnswer', 'error', 'publish'),
  })

  test('counts every event of each tenant once, and publishes it at least once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 25 }), async (commands) => {
        engine.reset()
        store.published.length = 0
        const model = new Map<string, Set<string>>(TENANTS.map((tenant) => [tenant, new Set()]))
        for (const { tenant, event, fault } of commands) {
          const id = `${tenant}-${event}`
          engine.setFault(
            fault === 'lostAnswer' || fault === 'error'
              ? first(1, 'Commit', { mode: fault, code: 13 })
              : undefined,
          )
          store.failing.when = () => fault === 'publish'
          const known = model.get(tenant)
          const outcome = await countOnce(tenant, id).catch(() => undefined)
          if (outcome?.ok === true) expect(outcome.value.duplicate).toBe(known?.has(id))
          if (fault !== 'error') known?.add(id)
        }
        engine.setFault(undefined)
        store.failing.when = () => false
        store.clock.advance(31_000)
        await store.outbox.sweep()
        for (const tenant of TENANTS) {
          const events = model.get(tenant) ?? new Set()
          expect((await counted(tenant)) ?? 0).toBe(events.size)
          const ids = store.published
            .filter(({ attributes }) => attributes['tenantid'] === tenant)
            .map(({ data }) => JSON.parse(Buffer.from(data).toString()).id)
          expect(new Set(ids)).toEqual(new Set([...events].map((id) => `${tenant}.${id}`)))
        }
      }),
      { numRuns: 40 },
    )
  })
})
