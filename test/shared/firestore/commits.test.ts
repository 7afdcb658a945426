import { Client, credentials } from '@grpc/grpc-js'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { getService, loadServices } from '#local/engine/protos.ts'
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

  // A commit that was answered as failed arrives after all, when the next attempt is already under way.
  test('that was decided again recognises its own first attempt, which came late', async () => {
    await put({ n: 1 })
    const late = lateCommit(engine)
    let decided = 0
    const claim = eventClaim({ source: 's', id: 'again' }, 'd')
    const outcome = await store.tenants.optimistic(acme, claim, async (db) => {
      decided += 1
      if (decided === 2) await late.arrive()
      const found = await db.find(PATH, parseAny)
      if (found === undefined) return refuse('resource.not_found', '')
      return ok({ value: decided, writes: [db.update(PATH, found, { n: Number(found.value['n']) + 1 })] })
    })

    expect(outcome).toMatchObject({ ok: true, value: { duplicate: false } })
    expect(decided).toBe(2)
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

/** Holds the next commit back and answers that it failed; `arrive` lets it take effect. */
function lateCommit(on: FirestoreEngine): { arrive(): Promise<void> } {
  const services = loadServices('@google-cloud/firestore', 'build/protos/v1.json', {
    longs: String,
    enums: String,
  })
  const method = getService(services, 'google.firestore.v1.Firestore')['Commit']
  if (method === undefined) throw new Error('no Commit')
  let held: unknown
  on.setFault((rpc, request) => {
    if (rpc !== 'Commit' || held !== undefined) return undefined
    held = request
    return { mode: 'refuse', code: 9 }
  })
  return {
    arrive: async () => {
      const client = new Client(on.host, credentials.createInsecure())
      const bytes = method.requestSerialize(held as object)
      const same = (value: Buffer): Buffer => value
      await new Promise<void>((resolve, reject) => {
        client.makeUnaryRequest(method.path, same, same, bytes, (error) =>
          error === null ? resolve() : reject(error),
        )
      })
      client.close()
    },
  }
}
