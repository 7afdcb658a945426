import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventClaim } from '#shared/firestore/claim.ts'
import type { ScopedDb, Write } from '#shared/firestore/scoped.ts'
import { increment } from '#shared/firestore/values.ts'
import { ok, refuse } from '#shared/result.ts'
import { firestoreEngines } from '../../support/engines.ts'
import { contextOf, openStore, parseAny, type TestStore } from '../support/store.ts'

const acme = contextOf('acme')

/** What a decision rests on without writing it (the doc comment of `optimistic` has the rule). */
describe.each(firestoreEngines())('a document that is only read, on $name', (engine) => {
  let store: TestStore
  let count = 0
  beforeAll(async () => {
    store = openStore(await engine.host())
  })
  afterAll(async () => {
    await store.close()
    await engine.close()
  })

  const freshId = (): string => {
    count += 1
    return `thing${count}`
  }
  const fresh = (): [string, string] => ['lifecycle_things', freshId()]
  const read = (path: readonly string[]) => store.tenants.withTenant(acme, (db) => db.find(path, parseAny))
  const commit = (write: <S>(db: ScopedDb<S>) => Write<S>[] | Promise<Write<S>[]>) =>
    store.tenants.optimistic(acme, undefined, async (db) => ok({ value: 1, writes: await write(db) }))
  const put = (path: readonly string[]) => commit((db) => [db.create(path, { n: 1 })])
  const change = (path: readonly string[]) =>
    commit(async (db) => {
      const found = await db.find(path, parseAny)
      if (found === undefined) throw new Error('it is there')
      return [db.update(path, found, { n: 2 })]
    })
  const remove = (path: readonly string[]) =>
    commit(async (db) => {
      const found = await db.find(path, parseAny)
      if (found === undefined) throw new Error('it is there')
      return [db.delete(path, found)]
    })

  /** Decides on `path`, while `meanwhile` happens once between reading it and the commit. */
  const decideOn = async (path: readonly string[], meanwhile: () => Promise<unknown>) => {
    const effect = fresh()
    const seen: unknown[] = []
    const outcome = await store.tenants.optimistic(acme, undefined, async (db) => {
      const found = await db.find(path, parseAny)
      seen.push(found?.value['n'])
      if (seen.length === 1) await meanwhile()
      return ok({ value: found?.value['n'], writes: [db.verify(path, found), db.create(effect, { n: 1 })] })
    })
    expect(outcome.ok).toBe(true)
    expect(await read(effect)).toBeDefined()
    return seen
  }

  test.each([
    ['changes', true, change, [1, 2]],
    ['is deleted', true, remove, [1, undefined]],
    ['comes to be', false, put, [undefined, 1]],
  ] as const)(
    'and %s before the commit is read and decided on again',
    async (_what, there, meanwhile, seen) => {
      const path = fresh()
      if (there) await put(path)

      expect(await decideOn(path, () => meanwhile(path))).toEqual(seen)
    },
  )

  test.each([
    ['there', true],
    ['not there', false],
  ])('and was %s stays exactly as it was', async (_what, there) => {
    const path = fresh()
    if (there) await put(path)
    const before = await read(path)

    expect(await decideOn(path, async () => {})).toHaveLength(1)
    const after = await read(path)
    expect(after?.value).toEqual(before?.value)
    // Guards of others on it must still hold.
    expect(after?.version).toBe(before?.version)
  })

  test('by many at once holds up none of them', async () => {
    const path = fresh()
    await put(path)
    const decisions = await Promise.all(Array.from({ length: 8 }, () => decideOn(path, async () => {})))
    expect(decisions.flat().filter((seen) => seen !== 1)).toEqual([])
  })

  test('of the top-level collections is guarded the same way', async () => {
    const id = freshId()
    let decided = 0
    const outcome = await store.tenants.optimistic(acme, undefined, async (db) => {
      const found = await store.system.find('tombstones', id, parseAny)
      decided += 1
      if (decided === 1) await store.system.commit([store.system.create('tombstones', id, {})], 'other')
      if (found !== undefined) return refuse('tenant.id_taken', id)
      return ok({ value: 1, writes: [db.verifySystem('tombstones', id, found), db.create(fresh(), {})] })
    })
    expect(outcome).toMatchObject({ ok: false, code: 'tenant.id_taken' })
  })

  test('leaves a claim of its own, and no trace besides', async () => {
    const path = fresh()
    await put(path)
    const claim = eventClaim({ source: 's', id: freshId() }, 'd')
    const look = () =>
      store.tenants.optimistic(acme, claim, async (db) =>
        ok({ value: 1, writes: [db.verify(path, await db.find(path, parseAny))] }),
      )
    expect(await look()).toMatchObject({ ok: true, value: { duplicate: false } })
    expect(await look()).toMatchObject({ ok: true, value: { duplicate: true } })
    expect((await read(path))?.value).toEqual({ n: 1, commitId: expect.any(String) })
  })

  // The client repeats a commit whose answer was lost: a look does not stop the second increment.
  test('guards no increment', async () => {
    const path = fresh()
    await put(path)
    const counting = commit(async (db) => [
      db.verify(path, await db.find(path, parseAny)),
      db.merge(fresh(), { n: increment(1) }),
    ])
    await expect(counting).rejects.toThrow('a merge needs a guarded write')
  })

  test('is not written in the same commit', async () => {
    const path = fresh()
    await put(path)
    const both = commit(async (db) => {
      const found = await db.find(path, parseAny)
      if (found === undefined) throw new Error('it is there')
      return [db.verify(path, found), db.update(path, found, { n: 2 })]
    })
    await expect(both).rejects.toThrow('verified and written in one commit')
    const other = commit(async (db) => [db.verify(fresh(), await db.find(path, parseAny))])
    await expect(other).rejects.toThrow('is not the document that was read')
    const unread = commit((db) => [db.verify(path, { id: path[1], value: {}, readTimeMs: 0 } as never)])
    await expect(unread).rejects.toThrow('needs the document as it was read')
  })
})
