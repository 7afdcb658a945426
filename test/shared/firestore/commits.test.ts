import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import type { FaultHook } from '#local/faults.ts'
import { systemClock } from '#shared/clock.ts'
import { eventClaim } from '#shared/firestore/claim.ts'
import { increment } from '#shared/firestore/values.ts'
import { ok, refuse } from '#shared/result.ts'
import { contextOf, openStore, parseAny, type TestStore } from '../support/store.ts'

const acme = contextOf('acme')
const globex = contextOf('globex')
const PATH = ['lifecycle_things', 'a']

let engine: FirestoreEngine
let store: TestStore
beforeAll(async () => {
  engine = await startFirestoreEngine({ now: systemClock.now })
  store = openStore(engine.host)
})
afterAll(async () => {
  await store.close()
  await engine.close()
})
beforeEach(() => {
  engine.reset()
  engine.setFault(undefined)
})

const put = (fields: Record<string, unknown>, ctx = acme) =>
  store.tenants.optimistic(ctx, undefined, async (db) => ok({ value: 1, writes: [db.create(PATH, fields)] }))
const read = async () => (await store.tenants.withTenant(acme, (db) => db.find(PATH, parseAny)))?.value

describe('a conditional commit', () => {
  test('does not delete what changed since it was read', async () => {
    await put({ n: 1 })
    let decided = 0
    const outcome = await store.tenants.optimistic(acme, undefined, async (db) => {
      const found = await db.find(PATH, parseAny)
      if (found === undefined) return refuse('resource.not_found', '')
      decided += 1
      if (found.value['n'] === 2) return ok({ value: 'kept', writes: [] })
      // Somebody changes it between our read and our commit.
      await store.tenants.optimistic(acme, undefined, async (other) => {
        const theirs = await other.find(PATH, parseAny)
        return theirs === undefined
          ? refuse('resource.not_found', '')
          : ok({ value: 1, writes: [other.update(PATH, theirs, { n: 2 })] })
      })
      return ok({ value: 'deleted', writes: [db.delete(PATH, found)] })
    })

    expect(outcome).toMatchObject({ ok: true, value: { value: 'kept' } })
    expect(decided).toBe(2)
    expect(await read()).toMatchObject({ n: 2 })
  })

  test('refuses a change or a deletion of what was never read', async () => {
    await put({ n: 1 })
    for (const kind of ['update', 'delete'] as const) {
      const unread = { id: 'a', value: {}, readTimeMs: 0 } as never
      const attempt = store.tenants.optimistic(acme, undefined, async (db) => {
        const write = kind === 'update' ? db.update(PATH, unread, { n: 9 }) : db.delete(PATH, unread)
        return ok({ value: 1, writes: [write] })
      })
      await expect(attempt).rejects.toThrow(TypeError)
    }
    expect(await read()).toMatchObject({ n: 1 })
  })

  test.each([Number.NaN, 0.5, Number.POSITIVE_INFINITY, 2 ** 53])('never adds %d', (by) => {
    expect(() => increment(by)).toThrow(RangeError)
  })

  // The first attempt took effect although it looked lost, and what it wrote made the second one conflict.
  test('that was decided again recognises its own first attempt', async () => {
    await put({ n: 1 })
    const claim = eventClaim({ source: 's', id: 'again' }, 'd')
    let decided = 0
    // The store says of a commit that took effect that it was aborted, and cannot be read for a moment.
    engine.setFault(lostAsAborted(engine))
    const outcome = await store.tenants.optimistic(acme, claim, async (db) => {
      decided += 1
      const found = await db.find(PATH, parseAny)
      if (found === undefined) return refuse('resource.not_found', '')
      return ok({ value: decided, writes: [db.update(PATH, found, { n: Number(found.value['n']) + 1 })] })
    })

    expect(outcome).toMatchObject({ ok: true, value: { duplicate: false } })
    expect(await read()).toMatchObject({ n: 2 })
  })
})

describe('a claim of another tenant', () => {
  const deny = async () => refuse('tenant.state_conflict', 'no')

  test('says nothing about a refusal', async () => {
    const claim = eventClaim({ source: 's', id: 'one' }, 'd')
    await store.tenants.optimistic(globex, claim, async () => ok({ value: 1, writes: [] }))

    expect(await store.tenants.optimistic(acme, claim, deny)).toMatchObject({
      ok: false,
      code: 'tenant.state_conflict',
    })
    expect(await store.tenants.optimistic(globex, claim, deny)).toMatchObject({
      ok: true,
      value: { duplicate: true },
    })
  })

  test('makes an event of the same name a reused id, and changes nothing', async () => {
    const claim = eventClaim({ source: 's', id: 'two' }, 'd')
    await store.tenants.optimistic(globex, claim, async () => ok({ value: 1, writes: [] }))

    const outcome = await store.tenants.optimistic(acme, claim, async (db) =>
      ok({ value: 1, writes: [db.create(PATH, { n: 1 })] }),
    )
    expect(outcome).toMatchObject({ ok: false, code: 'event.id_reused' })
    expect(await read()).toBeUndefined()
  })
})

/** The first commit with a claim takes effect and is answered ABORTED; the look for it sees nothing yet. */
function lostAsAborted(on: FirestoreEngine): FaultHook {
  let commits = 0
  return (rpc) => {
    if (rpc !== 'Commit') return undefined
    commits += 1
    if (commits > 1) on.setFault(undefined)
    return commits === 1 ? { mode: 'lostAnswer', code: 10 } : undefined
  }
}
