import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { systemClock } from '#shared/clock.ts'
import { authStateSource } from '#shared/firestore/auth-state.ts'
import { closeDatabase } from '#shared/firestore/database.ts'
import type { ApiRequest } from '#shared/http/types.ts'
import { ok } from '#shared/result.ts'
import { accessTokenVerifier } from '#shared/tokens/verify-access-token.ts'
import { BASE_URL, OWN_KID, ownPublicKey } from '../shared/support/platform.ts'
import { type EdgeServer, startEdge } from './support.ts'

// The official client on the embedded engine: what is slow or failing is what it talks to.
const DEADLINE_MS = 400
/** For timers and a busy machine; far below what any of the faults takes. */
const GRACE_MS = 600

let engine: FirestoreEngine
let edge: EdgeServer
const signals: AbortSignal[] = []
const works = new Set<Promise<unknown>>()

beforeAll(async () => {
  engine = await startFirestoreEngine({ port: 0, now: systemClock.now })
  edge = await startEdge({
    deadlineMs: DEADLINE_MS,
    env: { FIRESTORE_EMULATOR_HOST: engine.host },
    platform: (made) => ({
      verifyToken: accessTokenVerifier({
        issuer: BASE_URL,
        audience: BASE_URL,
        keys: async (kid) => (kid === OWN_KID ? ownPublicKey : undefined),
        authState: authStateSource(made.database, made.clock),
        revocations: made.revocations,
        clock: made.clock,
      }),
    }),
  })
  edge.behave((request) => {
    const work = useStore(request)
    works.add(work)
    return work
  })
  await edge.platform.system.ping()
}, 30_000)

afterEach(() => {
  engine.setFault(undefined)
  signals.length = 0
})

afterAll(async () => {
  await edge.close()
  // What was given up still runs in the store; its client is closed when it has ended.
  await Promise.allSettled(works)
  await closeDatabase(edge.platform.database)
  await engine.close()
})

/** A read, a query and a commit, one after the other, as an operation does. */
async function useStore(request: ApiRequest) {
  signals.push(request.signal)
  const { system } = edge.platform
  await system.ping()
  await system.list('lifecycle_outbox', { limit: 1 }, ok)
  const write = system.create('lifecycle_inbox', `a${request.requestId}`, { at: 1 })
  await system.commit([write], request.requestId)
  return ok({ status: 200, json: {} })
}

async function timed(path: string, headers: Record<string, string>) {
  const startedMs = performance.now()
  const answer = await fetch(`${edge.url}${path}`, { headers })
  return { answer, ms: performance.now() - startedMs, body: await answer.json() }
}

test('a store that is well is waited for', async () => {
  const { answer } = await timed('/health/tenants', await edge.headersFor())
  expect(answer.status).toBe(200)
  expect(signals.map(({ aborted }) => aborted)).toEqual([false])
})

test.each([
  ['reads', 'BatchGetDocuments', { mode: 'delay', delayMs: 1_500 }],
  ['queries', 'RunQuery', { mode: 'delay', delayMs: 1_500 }],
  ['commits', 'Commit', { mode: 'delay', delayMs: 1_500 }],
  // UNAVAILABLE and RESOURCE_EXHAUSTED are retried by the client itself, the latter after a minute.
  ['reads', 'BatchGetDocuments', { mode: 'error', code: 14 }],
  ['queries', 'RunQuery', { mode: 'error', code: 14 }],
  ['commits', 'Commit', { mode: 'error', code: 14 }],
  ['reads', 'BatchGetDocuments', { mode: 'error', code: 8 }],
  ['commits', 'Commit', { mode: 'error', code: 8 }],
  ['commits', 'Commit', { mode: 'lostAnswer', code: 14 }],
] as const)(
  'a store whose %s (%s) go wrong by %j holds no request beyond its deadline',
  async (_what, rpc, fault) => {
    engine.setFault((operation) => (operation.includes(rpc) ? fault : undefined))
    const { answer, ms, body } = await timed('/health/tenants', await edge.headersFor())

    expect(ms).toBeLessThan(DEADLINE_MS + GRACE_MS)
    if (fault.mode === 'lostAnswer') {
      // It had its effect, and recognises itself; or the deadline came first. Nothing else.
      expect([200, 503]).toContain(answer.status)
      return
    }
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
    expect(body).toMatchObject({ code: 'service.unavailable' })
    expect(JSON.stringify(body)).not.toMatch(/took longer|firestore/i)
  },
)

test('a handler hears that its time is over', async () => {
  engine.setFault(() => ({ mode: 'delay', delayMs: 1_500 }))
  const { answer } = await timed('/health/tenants', await edge.headersFor())

  expect(answer.status).toBe(503)
  expect(signals.map(({ aborted }) => aborted)).toEqual([true])
  expect(signals[0]?.reason).toMatchObject({ name: 'DeadlineExceeded' })
})

// Before there is a handler: the tenant's state is read for every token.
test('a store that is slow before the handler holds no request either', async () => {
  engine.setFault(() => ({ mode: 'delay', delayMs: 1_500 }))
  const { answer, ms } = await timed('/v1/tenants/acme', await edge.headersFor())

  expect(answer.status).toBe(503)
  expect(ms).toBeLessThan(DEADLINE_MS + GRACE_MS)
  expect(signals).toEqual([])
})

test('forty slow requests at once are each answered in time, and the next one as ever', async () => {
  engine.setFault(() => ({ mode: 'delay', delayMs: 1_500 }))
  const headers = await edge.headersFor()
  const answers = await Promise.all(Array.from({ length: 40 }, () => timed('/health/tenants', headers)))

  expect(answers.map(({ answer }) => answer.status)).toEqual(answers.map(() => 503))
  expect(Math.max(...answers.map(({ ms }) => ms))).toBeLessThan(DEADLINE_MS + 2 * GRACE_MS)
  engine.setFault(undefined)
  await expect
    .poll(async () => (await timed('/health/tenants', headers)).answer.status, { timeout: 5_000 })
    .toBe(200)
})
