import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FieldValue, Firestore, Timestamp } from '@google-cloud/firestore'
import { beforeEach, expect, test, vi } from 'vitest'
import {
  type FirestoreEngine,
  type FirestoreEngineOptions,
  startFirestoreEngine,
} from '#local/engine/firestore/index.ts'
import { manualClock } from '#shared/clock.ts'
import { closeAfterTest } from '../../../support/close-after-test.ts'
import { codeOf } from '../../../support/code-of.ts'
import { startOtherProcess } from '../../../support/other-process.ts'
import { retrySooner } from '../../../support/quick-retries.ts'
import { temporaryFolder } from '../../../support/temporary-folder.ts'

const START = Date.UTC(2026, 0, 1)
const ENGINE = fileURLToPath(new URL('../../../../local/engine/firestore/index.ts', import.meta.url))

retrySooner()

let folder: string

beforeEach(() => {
  folder = temporaryFolder()
})

async function started(
  options: Partial<FirestoreEngineOptions> = {},
): Promise<{ engine: FirestoreEngine; db: Firestore }> {
  const engine = await startFirestoreEngine({ now: () => START, ...options })
  const db = client(engine.host)
  closeAfterTest(() => engine.close())
  return { engine, db }
}

function client(host: string): Firestore {
  const db = new Firestore({
    projectId: 'demo-engine',
    host,
    ssl: false,
    customHeaders: { Authorization: 'Bearer owner' },
  })
  closeAfterTest(() => db.terminate())
  return db
}

test('a restart on the same file brings back every document with its times, and later commits are later', async () => {
  const file = join(folder, 'store/firestore.sqlite')
  const first = await started({ file })
  await first.db
    .doc('a/1/b/2')
    .set({ n: 9007199254740991, at: new Timestamp(1, 2000), bytes: Buffer.from([0, 1]) })
  await first.db.doc('a/gone').set({})
  await first.db.doc('a/gone').delete()
  const before = await first.db.doc('a/1/b/2').get()
  await first.engine.close()

  const { db } = await started({ file })
  const after = await db.doc('a/1/b/2').get()
  const next = await db.doc('a/1/b/2').set({ n: 0 })

  expect(after.data()).toEqual(before.data())
  expect(after.updateTime?.valueOf()).toBe(before.updateTime?.valueOf())
  expect((await db.doc('a/gone').get()).exists).toBe(false)
  expect(next.writeTime.valueOf() > (before.updateTime?.valueOf() ?? '')).toBe(true)
})

// The process is killed while it writes: whatever was acknowledged must be there, and no batch in part.
test('commits acknowledged before kill -9 are there afterwards, none of them half', async () => {
  const file = join(folder, 'firestore.sqlite')
  const program = `
    import { startFirestoreEngine } from ${JSON.stringify(ENGINE)}
    const engine = await startFirestoreEngine({ now: () => ${START}, file: ${JSON.stringify(file)} })
    console.log(engine.host)`
  const other = await startOtherProcess(program)
  const writer = client(other.said)
  const acknowledged: number[] = []
  const exited = once(other.child, 'exit')
  const write = (n: number) => {
    const batch = writer.batch()
    batch.create(writer.doc(`left/${n}`), { n })
    batch.create(writer.doc(`right/${n}`), { n })
    const done = batch.commit().then(() => {
      acknowledged.push(n)
      if (acknowledged.length === 60) void other.kill('SIGKILL')
    })
    return codeOf(done)
  }
  // Eight writers, each one commit at a time: the kill falls between commits of all of them.
  const lanes = Array.from({ length: 8 }, async (_, lane) => {
    const codes: unknown[] = []
    for (let n = lane; n < 200; n += 8) codes.push(await write(n))
    return codes
  })
  await exited
  const before = [...acknowledged]

  // The same port: the client's own retries of what was in flight find the new engine.
  const { engine } = await started({ file, port: Number(other.said.split(':')[1]) })
  const left = new Set(engine.dump('left').map((document) => document.data['n']))
  const right = new Set(engine.dump('right').map((document) => document.data['n']))

  expect(before.length).toBeGreaterThanOrEqual(60)
  expect(before.filter((n) => !left.has(n))).toEqual([])
  expect(left).toEqual(right)
  // A retried create that had been applied finds itself: ALREADY_EXISTS, never a second document.
  expect(left.size).toBeLessThan(200)
  for (const code of (await Promise.all(lanes)).flat()) expect(['ok', 6]).toContain(code)
  expect(engine.dump()).toHaveLength(400)
})

test('times only grow while the clock stands still or runs backwards', async () => {
  const clock = manualClock(START)
  const { db } = await started({ now: clock.now })
  const times = [(await db.doc('a/b').set({ n: 1 })).writeTime, (await db.doc('a/b').set({ n: 2 })).writeTime]
  clock.set(START - 60_000)
  times.push((await db.doc('a/b').set({ n: 3 })).writeTime)
  clock.set(START + 86_400_000)
  times.push((await db.doc('a/b').set({ n: 4 })).writeTime)

  const values = times.map((time) => time.valueOf())
  expect(values).toEqual([...new Set(values)].sort())
  expect(times[3]?.toMillis()).toBe(START + 86_400_000)
})

test('reset, snapshot and restore bring the documents back, and open transactions are over', async () => {
  const { engine, db } = await started()
  await db.doc('a/b').set({ n: 1 })
  const updateTime = (await db.doc('a/b').get()).updateTime
  const snapshot = engine.snapshot()
  await db.doc('a/b').set({ n: 2 })
  await db.doc('a/c').set({})
  engine.reset()
  expect(engine.dump()).toEqual([])

  engine.restore(snapshot)

  expect(engine.dump().map(({ path, data }) => ({ path, data }))).toEqual([{ path: 'a/b', data: { n: 1 } }])
  expect((await db.doc('a/b').get()).updateTime?.isEqual(updateTime ?? Timestamp.now())).toBe(true)
})

test('a file another engine holds is refused, not shared', async () => {
  const file = join(folder, 'firestore.sqlite')
  const { db } = await started({ file })
  await db.doc('a/b').set({})
  await expect(startFirestoreEngine({ now: () => START, file })).rejects.toThrow('another local stack')
})

test('a restored snapshot is what a restart finds', async () => {
  const file = join(folder, 'firestore.sqlite')
  const first = await started({ file })
  await first.db.doc('a/b').set({ n: 1 })
  const snapshot = first.engine.snapshot()
  await first.db.doc('a/c').set({ n: 2 })
  first.engine.restore(snapshot)
  await first.engine.close()

  const { engine } = await started({ file })
  expect(engine.dump().map((document) => document.path)).toEqual(['a/b'])
})

test('TTL deletes what has expired by the clock, and nothing else', async () => {
  const clock = manualClock(START)
  const { engine, db } = await started({
    now: clock.now,
    ttl: [{ collectionGroup: 'inbox', field: 'expireAt' }],
  })
  const at = (ms: number) => ({ expireAt: Timestamp.fromMillis(ms) })
  await db.doc('inbox/soon').set(at(START + 1000))
  await db.doc('t/1/inbox/soon').set(at(START + 1000))
  await db.doc('inbox/later').set(at(START + 5000))
  await db.doc('inbox/text').set({ expireAt: '1970-01-01' })
  await db.doc('outbox/soon').set(at(START + 1000))
  expect(engine.sweepTtl()).toBe(0)

  clock.advance(1000)

  expect(engine.sweepTtl()).toBe(2)
  expect(engine.dump().map((document) => document.path)).toEqual(['inbox/later', 'inbox/text', 'outbox/soon'])
})

test('a refused call has no effect, a lost answer has, and a delay only waits', async () => {
  const { engine, db } = await started()
  // INTERNAL is not retried for a commit by the client, so each fault is seen once.
  const failOnce = (mode: 'refuse' | 'lostAnswer' | 'error' | 'delay') => {
    let left = 1
    engine.setFault((rpc) => (rpc === 'Commit' && left-- > 0 ? { mode, code: 13, delayMs: 5 } : undefined))
  }
  failOnce('refuse')
  expect(await codeOf(db.doc('a/refused').create({}))).toBe(13)
  failOnce('error')
  expect(await codeOf(db.doc('a/failed').create({}))).toBe(13)
  failOnce('lostAnswer')
  expect(await codeOf(db.doc('a/lost').create({}))).toBe(13)
  failOnce('delay')
  expect(await codeOf(db.doc('a/late').create({}))).toBe('ok')
  expect(engine.dump().map((document) => document.path)).toEqual(['a/late', 'a/lost'])
})

// The official client repeats a commit whose answer was lost: the bug our conditional commits exist for.
test('a lost answer makes the client count twice, unless a create guards the batch', async () => {
  const { engine, db } = await started()
  const loseOne = () => {
    let left = 1
    engine.setFault((rpc) => (rpc === 'Commit' && left-- > 0 ? { mode: 'lostAnswer' } : undefined))
  }
  loseOne()
  await db.doc('a/plain').set({ n: FieldValue.increment(1) }, { merge: true })
  loseOne()
  const guarded = db.batch()
  guarded.create(db.doc('a/claim'), {})
  guarded.set(db.doc('a/guarded'), { n: FieldValue.increment(1) }, { merge: true })
  const code = await codeOf(guarded.commit())

  expect((await db.doc('a/plain').get()).get('n')).toBe(2)
  expect(code).toBe(6)
  expect((await db.doc('a/guarded').get()).get('n')).toBe(1)
})

test('onCommit hears each commit once, after it took effect, and a failing listener harms nobody', async () => {
  const { engine, db } = await started()
  const heard: unknown[] = []
  const complaint = vi.spyOn(console, 'error').mockImplementation(() => {})
  engine.onCommit(() => {
    throw new Error('a listener of mine is broken')
  })
  const stop = engine.onCommit(({ changes }) => {
    heard.push(changes.map(({ path, before, after }) => [path, before !== undefined, after !== undefined]))
  })
  await db.doc('a/b').set({ n: 1 })
  await db.doc('a/b').delete()
  stop()
  await db.doc('a/c').set({})
  expect(heard).toEqual([[['a/b', false, true]], [['a/b', true, false]]])
  expect(complaint).toHaveBeenCalledTimes(3)
  complaint.mockRestore()
})

test('a transaction that idled for more than a minute is over; the client runs it again', async () => {
  const clock = manualClock(START)
  const { db } = await started({ now: clock.now })
  let runs = 0
  await db.runTransaction(async (transaction) => {
    runs++
    await transaction.get(db.doc('a/b'))
    if (runs === 1) clock.advance(61_000)
    transaction.set(db.doc('a/b'), { runs })
  })
  expect((await db.doc('a/b').get()).get('runs')).toBe(2)
})

test('reads reach back an hour and no further', async () => {
  const clock = manualClock(START)
  const { db } = await started({ now: clock.now })
  await db.doc('a/b').set({ n: 1 })
  clock.advance(1000)
  await db.doc('a/b').set({ n: 2 })
  const readAt = (ms: number) =>
    db.runTransaction(async (transaction) => (await transaction.get(db.doc('a/b'))).get('n'), {
      readOnly: true,
      readTime: Timestamp.fromMillis(ms),
    })
  expect(await readAt(START + 500)).toBe(1)
  clock.advance(3600_000)
  expect(await codeOf(readAt(START + 500))).toBe(9)
})

test('dump shows the documents below a path and not those of a namesake', async () => {
  const { engine, db } = await started()
  await Promise.all(['t/a', 't/a/s/1', 't/ab', 'u/a'].map((path) => db.doc(path).set({ path })))
  expect(engine.dump('t/a').map((document) => document.path)).toEqual(['t/a', 't/a/s/1'])
})
