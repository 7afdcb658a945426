import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { manualClock } from '#shared/clock.ts'
import { latestExpiry } from '#shared/contracts/revocation.ts'
import { replaceTimers } from '#shared/deadline.ts'
import type { FeedEntry } from '#shared/firestore/revocation-feed.ts'
import type { TenantId } from '#shared/ids.ts'
import { silentLogger } from '#shared/log.ts'
import { revocations } from '#shared/tokens/revocations.ts'
import { waitingRoom } from '../../functions/auth/adapters/waiting-room.ts'
import { awaitRevocations } from '../../functions/auth/operations/await-revocations.ts'

const ACME = 'acme' as TenantId
const clock = manualClock(1_800_000_000_000)
let due: { atMs: number; run: () => void }[] = []
let restore = (): void => undefined

/** Real time is the clock's here: what waits runs when it is moved. */
const advance = async (ms: number): Promise<void> => {
  const untilMs = clock.now() + ms
  for (;;) {
    await new Promise((resolve) => setImmediate(resolve))
    const next = due.filter((one) => one.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0]
    if (next === undefined) break
    clock.set(next.atMs)
    due = due.filter((one) => one !== next)
    next.run()
  }
  clock.set(untilMs)
}

beforeEach(() => {
  due = []
  restore = replaceTimers({
    after: (ms, run) => {
      const one = { atMs: clock.now() + ms, run }
      due.push(one)
      return () => {
        due = due.filter((other) => other !== one)
      }
    },
    signalAfter: () => new AbortController().signal,
  })
})
afterEach(() => restore())

function setUp(places = { inAll: 3, perTenant: 2 }) {
  const stored: FeedEntry[] = []
  const state = { calls: 0, down: false }
  const view = revocations({
    feed: {
      shards: ['0'],
      now: async () => clock.now(),
      since: async (_shard, afterMs) => {
        state.calls += 1
        if (state.down) throw new Error('down')
        const entries = stored.filter((entry) => entry.atMs > afterMs)
        return { entries, readTimeMs: clock.now(), unreadable: 0 }
      },
    },
    clock,
    log: silentLogger,
  })
  const deps = { revocations: view, waitingRoom: waitingRoom(view, places) }
  const revoke = (id: string, tenantId = ACME): void => {
    const before = Math.floor(clock.now() / 1000)
    const expMs = latestExpiry(before) * 1000
    const kind = 'session'
    stored.push({ entryId: `e${stored.length}`, atMs: clock.now(), tenantId, kind, id, before, expMs })
  }
  const ask = (cursor: Awaited<ReturnType<typeof awaitRevocations>>['cursor'] | undefined, more = {}) =>
    awaitRevocations(deps, {
      ...{ tenantId: ACME, cursor, waitMs: 25_000, leave: new AbortController().signal },
      ...more,
    })
  return { revoke, ask, state }
}

describe('who asks what was revoked', () => {
  test('for the first time is answered at once, with all that matters', async () => {
    const { revoke, ask } = setUp()
    revoke('ses_1')
    expect(await ask(undefined)).toMatchObject({ entries: [{ id: 'ses_1' }], pollAfterSeconds: 0 })
  })

  test('waits, and is answered about a second after a revocation of its tenant and no other', async () => {
    const { revoke, ask } = setUp()
    const { cursor } = await ask(undefined)
    let answer: Awaited<ReturnType<typeof ask>> | undefined
    void ask(cursor).then((found) => {
      answer = found
    })
    await advance(5_000)
    revoke('ses_other', 'globex' as TenantId)
    await advance(5_000)
    expect(answer).toBeUndefined()
    revoke('ses_1')
    await advance(1_000)
    expect(answer).toMatchObject({ entries: [{ id: 'ses_1' }] })
  })

  test('is answered with nothing after 25 seconds, and goes on from there', async () => {
    const { revoke, ask } = setUp()
    const { cursor } = await ask(undefined)
    const first = ask(cursor)
    await advance(26_000)
    const second = await first
    expect(second).toMatchObject({ entries: [], pollAfterSeconds: 0 })
    revoke('ses_1')
    clock.advance(2_000)
    expect(await ask(second.cursor)).toMatchObject({ entries: [{ id: 'ses_1' }] })
  })

  test('shares one reading of the feed with all who wait', async () => {
    const { ask, state } = setUp({ inAll: 10, perTenant: 10 })
    const { cursor } = await ask(undefined)
    const calls = state.calls
    const all = Array.from({ length: 10 }, () => ask(cursor))
    await advance(26_000)
    await Promise.all(all)
    // One in 0.8 s, whoever waits.
    expect(state.calls - calls).toBeLessThanOrEqual(33)
  })

  test('and finds no place is told to come back, so that no tenant keeps others out', async () => {
    const { ask } = setUp({ inAll: 3, perTenant: 2 })
    const { cursor } = await ask(undefined)
    const waiting = [ask(cursor), ask(cursor)]
    await advance(100)
    expect(await ask(cursor)).toMatchObject({ entries: [], pollAfterSeconds: 5 })
    const other = ask(cursor, { tenantId: 'globex' })
    await advance(100)
    expect(await ask(cursor, { tenantId: 'initech' })).toMatchObject({ pollAfterSeconds: 5 })
    await advance(26_000)
    await Promise.all([...waiting, other])
    const next = ask(cursor)
    await advance(26_000)
    expect(await next).toMatchObject({ pollAfterSeconds: 0 })
  })

  test('leaves at once when the instance ends or the caller is gone', async () => {
    const { ask } = setUp()
    const { cursor } = await ask(undefined)
    const leaving = new AbortController()
    const waiting = ask(cursor, { leave: leaving.signal })
    await advance(3_000)
    leaving.abort()
    expect(await waiting).toMatchObject({ entries: [] })
  })

  test('waits through a short outage of the store, and is told of a long one', async () => {
    const { revoke, ask, state } = setUp()
    const { cursor } = await ask(undefined)
    const waiting = ask(cursor)
    state.down = true
    await advance(10_000)
    state.down = false
    revoke('ses_1')
    await advance(2_000)
    expect(await waiting).toMatchObject({ entries: [{ id: 'ses_1' }] })
    state.down = true
    clock.advance(61_000)
    await expect(ask(cursor)).rejects.toThrow('cannot be read')
  })
})
