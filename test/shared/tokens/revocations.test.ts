import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { manualClock } from '#shared/clock.ts'
import { latestExpiry } from '#shared/contracts/revocation.ts'
import { DependencyFailed } from '#shared/deadline.ts'
import type { FeedEntry, RevocationFeed } from '#shared/firestore/revocation-feed.ts'
import type { TenantId } from '#shared/ids.ts'
import { silentLogger } from '#shared/log.ts'
import { revocations } from '#shared/tokens/revocations.ts'

const ACME = 'acme' as TenantId
const START_MS = 1_800_000_000_000
const SHARDS = ['0', '1', '2', '3']

/** A feed in memory whose entries can be seen only some time after they were stamped. */
function fakeFeed(clock: { now(): number }) {
  const stored: { readonly shard: string; readonly entry: FeedEntry; readonly visibleAtMs: number }[] = []
  const state = { down: false, calls: 0, hold: undefined as Promise<void> | undefined }
  const answer = async <T>(make: () => T): Promise<T> => {
    await state.hold
    if (state.down) throw new Error('the store is down')
    return make()
  }
  const feed: RevocationFeed = {
    shards: SHARDS,
    now: () => answer(() => clock.now()),
    since: (shard, afterMs) => {
      state.calls += 1
      return answer(() => ({
        entries: stored
          .filter((one) => one.shard === shard && one.visibleAtMs <= clock.now() && one.entry.atMs > afterMs)
          .map((one) => one.entry),
        readTimeMs: clock.now(),
        unreadable: 0,
      }))
    },
  }
  const revoke = (sessionId: string, { lateMs = 0, shard = '0' } = {}): void => {
    const before = Math.floor(clock.now() / 1000)
    const expMs = latestExpiry(before) * 1000
    const entry = { entryId: `e${stored.length}`, atMs: clock.now(), tenantId: ACME, before, expMs } as const
    stored.push({
      shard,
      entry: { ...entry, kind: 'session', id: sessionId },
      visibleAtMs: clock.now() + lateMs,
    })
  }
  return { feed, state, revoke }
}

function setUp() {
  const clock = manualClock(START_MS)
  const { feed, state, revoke } = fakeFeed(clock)
  const view = revocations({ feed, clock, log: silentLogger })
  const knows = async (sid: string): Promise<boolean> =>
    (await view.current()).watermark(ACME, { sessionId: sid }) > 0
  return { clock, state, revoke, view, knows }
}

describe('the view', () => {
  test('knows at its first read what was revoked in the last hour', async () => {
    const { clock, revoke, knows } = setUp()
    revoke('ses_old', { shard: '3' })
    clock.advance(3_590_000)
    revoke('ses_new')
    expect(await knows('ses_old')).toBe(true)
    expect(await knows('ses_new')).toBe(true)
  })

  test('is two seconds old at most', async () => {
    const { clock, revoke, knows } = setUp()
    await knows('ses_1')
    revoke('ses_1', { shard: '2' })
    clock.advance(1_999)
    await knows('ses_1')
    clock.advance(1)
    expect(await knows('ses_1')).toBe(true)
  })

  test('asks each shard once, however many ask it at once', async () => {
    const { clock, state, view } = setUp()
    await Promise.all(Array.from({ length: 50 }, () => view.current()))
    expect(state.calls).toBe(SHARDS.length)
    clock.advance(5_000)
    await Promise.all(Array.from({ length: 50 }, () => view.current()))
    expect(state.calls).toBe(2 * SHARDS.length)
  })

  test('is read ahead, so that nobody waits in a process that is busy', async () => {
    const { clock, state, revoke, view, knows } = setUp()
    await view.current()
    clock.advance(1_500)
    revoke('ses_1')
    await view.current()
    expect(state.calls).toBe(2 * SHARDS.length)
    await view.refresh()
    // As old as the read ahead, not as the request before it.
    clock.advance(1_300)
    expect(await knows('ses_1')).toBe(true)
    expect(state.calls).toBe(2 * SHARDS.length)
  })

  test('of the process that revoked knows at once, even of what was written during a read', async () => {
    const { state, revoke, view, knows } = setUp()
    await view.current()
    revoke('ses_1')
    view.expire()
    expect(await knows('ses_1')).toBe(true)
    let release = (): void => undefined
    state.hold = new Promise((resolve) => {
      release = resolve
    })
    view.expire()
    const early = view.fresh()
    revoke('ses_2')
    view.expire()
    const late = view.fresh()
    state.hold = undefined
    release()
    await early
    expect((await late).watermark(ACME, { sessionId: 'ses_2' })).toBeGreaterThan(0)
    const calls = state.calls
    await view.fresh()
    expect(state.calls).toBe(calls)
  })

  test('reads everything again after a long sleep', async () => {
    const { clock, revoke, view, knows } = setUp()
    await view.current()
    clock.advance(24 * 3_600_000)
    revoke('ses_1')
    expect(await knows('ses_1')).toBe(true)
  })

  test('that is set back in time is read again', async () => {
    const { clock, state, view } = setUp()
    await view.current()
    clock.advance(-10_000)
    await view.current()
    expect(state.calls).toBe(2 * SHARDS.length)
  })
})

// The store stamps an entry when its commit arrives and shows it when it is done: never in that order.
test('no entry is missed that can be seen within ten seconds of its stamp', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          waitMs: fc.integer({ min: 0, max: 4_000 }),
          lateMs: fc.integer({ min: 0, max: 9_000 }),
          shard: fc.constantFrom(...SHARDS),
          look: fc.boolean(),
        }),
        { minLength: 1, maxLength: 25 },
      ),
      async (steps) => {
        const { clock, revoke, knows } = setUp()
        const due: { sid: string; knownAtMs: number }[] = []
        for (const [index, { waitMs, lateMs, shard, look }] of steps.entries()) {
          clock.advance(waitMs)
          revoke(`ses_${index}`, { lateMs, shard })
          due.push({ sid: `ses_${index}`, knownAtMs: clock.now() + lateMs + 2_000 })
          if (!look) continue
          await knows('ses_0')
          for (const { sid, knownAtMs } of due) {
            if (knownAtMs <= clock.now()) expect(await knows(sid)).toBe(true)
          }
        }
        clock.advance(11_000)
        for (const { sid } of due) expect(await knows(sid)).toBe(true)
      },
    ),
    { numRuns: 60 },
  )
})

describe('while the store is down', () => {
  test('tokens are verified with the last view for a minute, then not at all, and again once it is back', async () => {
    const { clock, state, revoke, view, knows } = setUp()
    revoke('ses_1')
    await view.current()
    state.down = true
    for (const at of [2_000, 30_000, 60_000]) {
      clock.set(START_MS + at)
      expect(await knows('ses_1')).toBe(true)
    }
    clock.set(START_MS + 60_001)
    await expect(view.current()).rejects.toThrow(DependencyFailed)
    state.down = false
    clock.advance(1_500)
    expect(await knows('ses_1')).toBe(true)
  })

  test('nothing is minted from the moment the view is two seconds old', async () => {
    const { clock, state, view } = setUp()
    await view.fresh()
    state.down = true
    clock.advance(1_999)
    await view.fresh()
    clock.advance(1)
    await expect(view.fresh()).rejects.toThrow(DependencyFailed)
    await expect(view.fresh()).rejects.toThrow(DependencyFailed)
    state.down = false
    clock.advance(1_001)
    await view.fresh()
  })

  test('the store is not asked more than once a second, and nobody waits for it twice', async () => {
    const { clock, state, view } = setUp()
    await view.current()
    state.down = true
    clock.advance(2_000)
    await view.current()
    const calls = state.calls
    for (let ask = 0; ask < 20; ask += 1) {
      clock.advance(40)
      await view.current()
    }
    expect(state.calls).toBe(calls)
  })

  test('a process without any view answers nothing, and tries again at the next request', async () => {
    const { state, view } = setUp()
    state.down = true
    await expect(view.current()).rejects.toThrow(DependencyFailed)
    state.down = false
    await view.current()
  })

  test('a read that hangs holds no request for longer than a second', async () => {
    const { clock, state, view } = setUp()
    await view.current()
    let release = (): void => undefined
    state.hold = new Promise((resolve) => {
      release = resolve
    })
    clock.advance(5_000)
    const began = process.hrtime.bigint()
    await view.current()
    expect(Number(process.hrtime.bigint() - began) / 1e6).toBeLessThan(3_000)
    release()
  })
})
