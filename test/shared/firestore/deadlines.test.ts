import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { manualClock, systemClock } from '#shared/clock.ts'
import { CALL_DEADLINE_MS, DeadlineExceeded } from '#shared/deadline.ts'
import { authStateSource } from '#shared/firestore/auth-state.ts'
import { findCredential } from '#shared/firestore/credentials.ts'
import { tenantIndex } from '#shared/firestore/tenant-index.ts'
import { increment } from '#shared/firestore/values.ts'
import type { TenantId } from '#shared/ids.ts'
import { ok } from '#shared/result.ts'
import { contextOf, openStore, parseAny, type TestStore } from '../support/store.ts'

const ROOT = join(import.meta.dirname, '../../..')
const ACME = 'acme' as TenantId
const PATH = ['lifecycle_things', 'a']

let engine: FirestoreEngine
let store: TestStore
beforeAll(async () => {
  engine = await startFirestoreEngine({ now: systemClock.now })
  store = openStore(engine.host)
  // Connected before any timer is taken over.
  await store.system.ping()
})
afterEach(() => {
  vi.useRealTimers()
  engine.setFault(undefined)
})
afterAll(async () => {
  await store.close()
  await engine.close()
})

const ctx = contextOf('acme')
const commit = (): Promise<unknown> =>
  store.tenants.optimistic(ctx, undefined, async (db) =>
    ok({ value: 1, writes: [db.create(PATH, { n: increment(1) })] }),
  )

/** Every way this library has of asking the store, and the call that hangs. */
const CALLS: readonly (readonly [name: string, rpc: string, call: () => Promise<unknown>])[] = [
  ['find', 'BatchGetDocuments', () => store.tenants.withTenant(ctx, (db) => db.find(PATH, parseAny))],
  [
    'list',
    'RunQuery',
    () => store.tenants.withTenant(ctx, (db) => db.list(['lifecycle_things'], { limit: 1 }, parseAny)),
  ],
  ['optimistic', 'Commit', commit],
  ['system.find', 'BatchGetDocuments', () => store.system.find('timers', 'a', parseAny)],
  ['system.list', 'RunQuery', () => store.system.list('timers', { limit: 1 }, parseAny)],
  ['system.commit', 'Commit', () => store.system.commit([store.system.create('timers', 'a', {})], 'c')],
  ['system.merge', 'Commit', () => store.system.merge('timers', 'a', { n: 1 })],
  ['system.ping', 'BatchGetDocuments', () => store.system.ping()],
  [
    'findCredential',
    'BatchGetDocuments',
    () => findCredential(store.database, ACME, 'auth_clients', 'c', parseAny),
  ],
  ['authState', 'BatchGetDocuments', () => authStateSource(store.database, manualClock(0))(ACME)],
  ['tenantIndex', 'RunQuery', () => tenantIndex(store.database, 'lifecycle').list({ limit: 1 }, parseAny)],
  ['outbox.sweep', 'RunQuery', () => store.outbox.sweep()],
]

describe('a store that does not answer holds nobody beyond the deadline', () => {
  test.each(CALLS)('%s', async (_name, rpc, call) => {
    expect(await endsAtTheDeadline(rpc, call)).toBe(true)
  })

  test('not even the look whether a failed commit was ours', async () => {
    await commit().catch(() => undefined)
    // The document is there: the commit fails at once, and the look for its commit id hangs.
    expect(await endsAtTheDeadline('BatchGetDocuments', commit)).toBe(true)
  })
})

/** Whether a call, when an rpc hangs, ends with DeadlineExceeded after the deadline and not before. */
async function endsAtTheDeadline(rpc: string, call: () => Promise<unknown>): Promise<boolean> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  let hanging = false
  engine.setFault((name) => {
    if (name !== rpc) return undefined
    hanging = true
    return { mode: 'delay', delayMs: 1_500 }
  })
  let ended: unknown
  const asked = call().then(
    () => {
      ended = 'answered'
    },
    (error: unknown) => {
      ended = error
    },
  )
  const startedMs = performance.now()
  while (!hanging && performance.now() - startedMs < 5_000) await new Promise(setImmediate)
  vi.advanceTimersByTime(CALL_DEADLINE_MS - 1)
  await new Promise(setImmediate)
  const early = ended
  vi.advanceTimersByTime(2)
  await asked
  return hanging && early === undefined && ended instanceof DeadlineExceeded
}

// A call added tomorrow must not be forgotten above.
describe('every call of the client in the source has its deadline', () => {
  const files = globSync('shared/firestore/*.ts', { cwd: ROOT })
  const waits =
    /\b(?:client|batch|reference|query|collection|doc|transaction)\b[\w.()[\]`${}'",\s-]*?\.(?:get|getAll|set|create|update|delete|commit|add|listDocuments|listCollections|runTransaction|recursiveDelete|bulkWriter|count|stream|onSnapshot)\(/g

  test.each(files)('%s', (file) => {
    const source = readFileSync(join(ROOT, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
    // Writes put into a batch, or reads made into one, wait for nothing themselves.
    const calls = [...source.matchAll(waits)]
      .map(([text]) => text)
      .filter((text) => !/\bbatch\.(?:create|set|update|delete)\($/.test(text))
    const deadlines = source.split('withDeadline(').length - 1
    expect(deadlines, calls.join('\n')).toBeGreaterThanOrEqual(calls.length)
  })

  test('and there are some', () => {
    const all = files.map((file) => readFileSync(join(ROOT, file), 'utf8')).join('\n')
    expect([...all.matchAll(waits)].length).toBeGreaterThan(5)
    expect('const work = client.doc(path(collection, id)).set(x)'.match(waits)).toHaveLength(1)
    expect('await client.getAll(a)'.match(waits)).toHaveLength(1)
    expect('cache.get(tenantId)'.match(waits)).toBeNull()
  })
})
