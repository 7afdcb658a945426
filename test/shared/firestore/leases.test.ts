import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { manualClock } from '#shared/clock.ts'
import { ok, refuse } from '#shared/result.ts'
import { held, holds, LEASE_MS, parked, takeOver } from '../../../functions/tenant-events/domain/lease.ts'
import type { RunningOperation } from '../../../functions/tenant-events/domain/tenant.ts'
import { contextOf, openStore, parseAny, type TestStore } from '../support/store.ts'

// The lease is the lifecycle's; that it can be trusted rests on the store: its time of reading, and
// commits that hold only if nothing changed since.
const acme = contextOf('acme')
const PATH = ['lifecycle_things', 'lease']
const START_MS = Date.parse('2026-11-23T09:00:00Z')
const DAY_MS = 86_400_000

const storeClock = manualClock(START_MS)
let engine: FirestoreEngine
let store: TestStore
beforeAll(async () => {
  engine = await startFirestoreEngine({ now: storeClock.now })
  store = openStore(engine.host)
})
afterAll(async () => {
  await store.close()
  await engine.close()
})

/** An operation that nobody works on, and what was done under each fence. */
async function begin(): Promise<void> {
  engine.reset()
  const op = {
    operationId: 'op_1',
    step: 'x',
    attempt: 0,
    fence: 0,
    leaseBy: '',
    leaseUntilMs: 0,
    dueAtMs: 0,
  }
  await store.tenants.optimistic(acme, undefined, async (db) =>
    ok({ value: 1, writes: [db.create(PATH, { op, done: [] })] }),
  )
}

type Stored = { readonly op: RunningOperation; readonly done: readonly number[] }

/** Reads, decides by the store's time, commits: as the lifecycle's store does. */
async function change(decide: (stored: Stored, readTimeMs: number) => Stored | undefined): Promise<boolean> {
  const outcome = await store.tenants.optimistic(acme, undefined, async (db) => {
    const found = await db.find(PATH, parseAny)
    if (found === undefined) return refuse('resource.not_found', '')
    const changed = decide(found.value as Stored, found.readTimeMs)
    return changed === undefined
      ? ok({ value: false, writes: [] })
      : ok({ value: true, writes: [db.update(PATH, found, changed)] })
  })
  return outcome.ok && !outcome.value.duplicate && outcome.value.value
}

/** A worker with a clock of its own, wrong by as much as it likes. */
function worker(name: string, skewMs: number) {
  const now = (): number => storeClock.now() + skewMs
  let fence: number | undefined
  return {
    take: async (): Promise<boolean> => {
      let next: number | undefined
      const taken = await change((stored, readTimeMs) => {
        const op = takeOver(stored.op, { operationId: 'op_1', leaseBy: name }, readTimeMs, now())
        if (typeof op === 'string') return undefined
        next = op.fence
        return { ...stored, op }
      })
      // Only what was committed: a decision that lost was decided again.
      if (taken) fence = next
      return taken
    },
    /** Records a piece of work, if nobody has taken over since. */
    work: (): Promise<boolean> =>
      change((stored, readTimeMs) => {
        if (fence === undefined || !holds(stored.op, { operationId: 'op_1', fence })) return undefined
        return { op: held(stored.op, readTimeMs, now()), done: [...stored.done, fence] }
      }),
  }
}

test('a lease lets one in at a time, whatever the workers’ clocks say', async () => {
  const skew = fc.integer({ min: -DAY_MS, max: DAY_MS })
  const act = fc.record({
    who: fc.constantFrom(0, 1),
    what: fc.constantFrom('take', 'take', 'work'),
    passesMs: fc.constantFrom(0, 1_000, LEASE_MS / 2, LEASE_MS - 1, LEASE_MS + 1),
  })
  await fc.assert(
    fc.asyncProperty(skew, skew, fc.array(act, { maxLength: 14 }), async (left, right, acts) => {
      await begin()
      const workers = [worker('a', left), worker('b', right)]
      let holder: number | undefined
      let untilMs = 0
      let worked = 0
      for (const { who, what, passesMs } of acts) {
        storeClock.advance(passesMs)
        const over = storeClock.now() >= untilMs
        const done = await workers[who]?.[what as 'take' | 'work']()
        if (what === 'take') expect(done).toBe(over)
        else expect(done).toBe(holder === who)
        if (done !== true) continue
        if (what === 'work') worked += 1
        holder = who
        untilMs = storeClock.now() + LEASE_MS
      }
      const found = await store.tenants.withTenant(acme, (db) => db.find(PATH, parseAny))
      const { done: fences = [] } = (found?.value ?? {}) as Partial<Stored>
      // Work stands in the order of the fences: nobody wrote after somebody else had taken over.
      expect(fences).toEqual([...fences].sort((one, other) => one - other))
      expect(fences).toHaveLength(worked)
    }),
    { numRuns: 20 },
  )
})

test('of many who find a lease over at once, one gets it', async () => {
  await begin()
  storeClock.advance(LEASE_MS + 1)
  const workers = Array.from({ length: 6 }, (_, n) => worker(`w${n}`, (n - 3) * DAY_MS))
  const taken = await Promise.all(workers.map((one) => one.take()))
  const worked = await Promise.all(workers.map((one) => one.work()))

  expect(taken.filter(Boolean)).toHaveLength(1)
  expect(worked).toEqual(taken)
})

test('what is parked is nobody’s, and waits for its time', () => {
  const op = { operationId: 'op_1', fence: 3, leaseUntilMs: 9e15, dueAtMs: 0 } as RunningOperation
  const waiting = parked(op, START_MS)
  expect(takeOver(waiting, { operationId: 'op_1', leaseBy: 'a' }, START_MS, START_MS - 60_000)).toBe(
    'not-due',
  )
  expect(takeOver(waiting, { operationId: 'op_1', leaseBy: 'a' }, START_MS, START_MS)).toMatchObject({
    fence: 4,
  })
  expect(takeOver(waiting, { operationId: 'op_2', leaseBy: 'a' }, START_MS, START_MS)).toBe('not-running')
})
