import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { systemClock } from '#shared/clock.ts'
import type { OutgoingMessage } from '#shared/pubsub/publisher.ts'
import { ok } from '#shared/result.ts'
import { aStep, contextOf, openStore, type TestStore } from '../support/store.ts'

const TENANTS = ['acme', 'globex', 'initech'] as const
const TEN_MINUTES_MS = 600_000

type Step =
  | { readonly do: 'commit'; readonly tenant: string; readonly by: number; readonly events: number }
  | { readonly do: 'sweep'; readonly by: number }
  | { readonly do: 'publishFails'; readonly count: number }
  | { readonly do: 'markFails'; readonly mode: 'lostAnswer' | 'error' }

const by = fc.constantFrom(0, 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('commit' as const),
      tenant: fc.constantFrom(...TENANTS),
      by,
      events: fc.integer({ min: 1, max: 3 }),
    }),
  },
  fc.record({ do: fc.constant('sweep' as const), by }),
  fc.record({ do: fc.constant('publishFails' as const), count: fc.integer({ min: 1, max: 4 }) }),
  fc.record({
    do: fc.constant('markFails' as const),
    mode: fc.constantFrom('lostAnswer' as const, 'error' as const),
  }),
)

describe('the order in which a tenant’s events leave', () => {
  let engine: FirestoreEngine
  let stores: TestStore[]
  const left: string[] = []
  let failures = 0

  beforeAll(async () => {
    engine = await startFirestoreEngine({ now: systemClock.now })
    const first = openStore(engine.host)
    // Another instance of the same function, whose clock is ten minutes slow.
    const second = openStore(engine.host, 'lifecycle', first.project)
    second.clock.advance(-TEN_MINUTES_MS)
    stores = [first, second]
    for (const store of stores) store.failing.when = publishing
  })
  afterAll(async () => {
    await Promise.all(stores.map((store) => store.close()))
    await engine.close()
  })

  /** Hears of every publish, of either instance; fails as many as it is told to. */
  const publishing = (message: OutgoingMessage): boolean => {
    if (failures > 0) {
      failures -= 1
      return true
    }
    left.push(JSON.parse(Buffer.from(message.data).toString()).id)
    return false
  }
  const storeOf = (at: number): TestStore => {
    const store = stores[at]
    if (store === undefined) throw new Error('no such instance')
    return store
  }
  const commit = (tenant: string, ids: readonly string[], at = 0) =>
    storeOf(at).tenants.optimistic(contextOf(tenant), undefined, async () =>
      ok({ value: 1, writes: [], events: ids.map((id) => aStep(tenant, id)) }),
    )
  const sweepAll = async (): Promise<void> => {
    for (const store of stores) {
      store.clock.advance(2 * TEN_MINUTES_MS)
      await store.outbox.sweep()
    }
  }

  test('is the order of their commits, whichever instance, publish, mark or sweep fails on the way', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), async (steps) => {
        engine.reset()
        engine.setFault(undefined)
        left.length = 0
        failures = 0
        const committed = new Map<string, string[]>(TENANTS.map((tenant) => [tenant, []]))
        for (const next of steps) {
          if (next.do === 'publishFails') failures = next.count
          if (next.do === 'markFails') failMark(engine, next.mode)
          if (next.do === 'sweep') {
            storeOf(next.by).clock.advance(40_000)
            await storeOf(next.by).outbox.sweep()
          }
          if (next.do === 'commit') {
            const known = committed.get(next.tenant) ?? []
            const ids = Array.from({ length: next.events }, (_, n) => `${next.tenant}.${known.length + n}`)
            expect(await commit(next.tenant, ids, next.by)).toMatchObject({ ok: true })
            known.push(...ids)
          }
        }
        engine.setFault(undefined)
        failures = 0
        await sweepAll()
        for (const tenant of TENANTS) {
          // A copy may come again later; what counts is when each was first seen.
          const firsts = [...new Set(left)].filter((id) => id.startsWith(`${tenant}.`))
          expect(firsts).toEqual(committed.get(tenant))
        }
      }),
      { numRuns: 12 },
    )
  })

  test('holds when a later commit could be published and an earlier one could not', async () => {
    engine.reset()
    left.length = 0
    failures = 1
    await commit('acme', ['first'])
    expect(left).toEqual([])
    await commit('globex', ['elsewhere'], 1)
    await commit('acme', ['second'], 1)

    expect(left).toEqual(['elsewhere', 'first', 'second'])
  })

  test('many commits of one tenant at once publish each event, and hardly any twice', async () => {
    engine.reset()
    left.length = 0
    await Promise.all(Array.from({ length: 20 }, (_, n) => commit('acme', [`burst.${n}`])))

    expect(new Set(left).size).toBe(20)
    expect(left).toHaveLength(20)
  })

  test('a tenant with a long backlog is left to the sweep, which sends it in order', async () => {
    engine.reset()
    left.length = 0
    failures = 1_000
    const ids = Array.from({ length: 120 }, (_, n) => `long.${n}`)
    for (let at = 0; at < ids.length; at += 20) await commit('acme', ids.slice(at, at + 20))
    failures = 0
    await commit('acme', ['long.last'])
    expect(left).toEqual([])
    await sweepAll()

    expect(left).toEqual([...ids, 'long.last'])
  })
})

/** The next write that marks a row as sent goes wrong, once. */
function failMark(engine: FirestoreEngine, mode: 'lostAnswer' | 'error'): void {
  let armed = true
  engine.setFault((rpc, request) => {
    const marks = rpc === 'Commit' && JSON.stringify(request).includes('"sent"')
    if (!armed || !marks) return undefined
    armed = false
    return { mode, code: 13 }
  })
}
