import { expect, test } from 'vitest'
import { GRACE_MS, judgeRefresh, rotateSession } from '../../../functions/auth/domain/refresh.ts'
import { endSession, type Session } from '../../../functions/auth/domain/session.ts'
import { aSession, START_MS } from './a-session.ts'

/**
 * Two processes and a store that takes a write only if nothing has changed since the read: every order in
 * which reads and commits can happen is walked, for every choice of tokens and of pauses between them.
 */
type Answer = { readonly presented: number; readonly told: number } | 'refused' | 'reused'

type Request = {
  readonly presented: number
  readonly atMs: number
  /** What it read, and which version of it; undefined before it has read. */
  readonly read?: { readonly session: Session; readonly version: number } | undefined
  readonly answer?: Answer | undefined
}

type World = {
  readonly session: Session
  readonly version: number
  readonly requests: readonly Request[]
  /** What the store looked like at each decision that counted, in their order. */
  readonly decided: readonly { readonly request: number; readonly before: Session; readonly atMs: number }[]
}

/** One step of a request: it reads; or it commits what follows from its read, or reads again. */
function step(world: World, at: number): World {
  const request = world.requests[at]
  if (request === undefined) throw new Error('no such request')
  const become = (next: Partial<Request>, more: Partial<World> = {}): World => ({
    ...world,
    ...more,
    requests: world.requests.map((other, index) => (index === at ? { ...request, ...next } : other)),
  })
  if (request.read === undefined) {
    return become({ read: { session: world.session, version: world.version } })
  }
  const { session, version } = request.read
  const outcome = decide(session, request)
  const { changed } = outcome
  // Nothing to write: what it read was true when it read it, whatever has happened since.
  if (changed === undefined) {
    return become({ answer: outcome.answer }, { decided: noted(world, at, session, request.atMs) })
  }
  if (version !== world.version) return become({ read: undefined })
  return become(
    { answer: outcome.answer },
    {
      session: changed,
      version: version + 1,
      decided: noted(world, at, session, request.atMs),
    },
  )
}

function noted(world: World, request: number, before: Session, atMs: number): World['decided'] {
  return [...world.decided, { request, before, atMs }]
}

function decide(session: Session, request: Request): { answer: Answer; changed?: Session } {
  const attempt = { counter: request.presented, asked: undefined, jkt: undefined }
  const judged = judgeRefresh(session, attempt, [], request.atMs)
  if (!judged.ok) return { answer: 'refused' }
  if (judged.value.kind === 'reused') {
    return { answer: 'reused', changed: endSession(session, 'refresh_reuse', request.atMs) }
  }
  if (judged.value.kind === 'repeat') {
    return { answer: { presented: request.presented, told: session.counter } }
  }
  const scopes = judged.value.scopes
  const changed = rotateSession(session, {
    scopes,
    pepperVersion: 1,
    idleMs: 86_400_000,
    nowMs: request.atMs,
  })
  return { answer: { presented: request.presented, told: changed.counter }, changed }
}

const MOST_AT_ONCE = 2

/** Every way in which the requests can run, `MOST_AT_ONCE` of them side by side, begun in their order. */
function* runs(world: World): Generator<World> {
  const open = world.requests.flatMap((request, at) => (request.answer === undefined ? [at] : []))
  if (open.length === 0) {
    yield world
    return
  }
  for (const at of open.slice(0, MOST_AT_ONCE)) yield* runs(step(world, at))
}

function worldOf(presented: readonly number[], pausesMs: readonly number[]): World {
  let atMs = START_MS
  const requests = presented.map((counter, at) => {
    atMs += pausesMs[at] ?? 0
    return { presented: counter, atMs }
  })
  return { session: aSession(), version: 0, requests, decided: [] }
}

function* choices<T>(values: readonly T[], length: number): Generator<readonly T[]> {
  if (length === 0) return yield []
  for (const rest of choices(values, length - 1)) for (const value of values) yield [...rest, value]
}

/** The rule as `auth.md` §4 has it, said once more and otherwise: what a token gets from a session. */
function ruled(session: Session, presented: number, atMs: number): Answer {
  if (session.status !== 'active' || presented > session.counter) return 'refused'
  const age = session.counter - presented
  if (age === 0) return { presented, told: presented + 1 }
  return age === 1 && atMs - session.rotatedAt <= GRACE_MS ? { presented, told: session.counter } : 'reused'
}

const PAUSES_MS = [0, GRACE_MS, GRACE_MS + 1]

test('in every order of four requests in two processes, each gets what the rule gives it', () => {
  let walked = 0
  for (const presented of choices([1, 2, 3], 4)) {
    for (const pauses of choices(PAUSES_MS, 3)) {
      for (const world of runs(worldOf(presented, [0, ...pauses]))) {
        walked += 1
        checkRule(world)
        checkSuccessors(world)
      }
    }
  }
  expect(walked).toBeGreaterThan(100_000)
}, 30_000)

/** Every answer is the one that the rule gives for the session as it was at that decision. */
function checkRule(world: World): void {
  for (const { request, before, atMs } of world.decided) {
    const { presented = 0, answer } = world.requests[request] ?? {}
    const expected = ruled(before, presented, atMs)
    if (JSON.stringify(answer) !== JSON.stringify(expected)) {
      expect({ answer, world }).toEqual({ answer: expected, world })
    }
  }
}

/** No token ever has two successors; once a session has ended, it stays so. */
function checkSuccessors(world: World): void {
  const told = world.requests.flatMap(({ answer }) => (typeof answer === 'object' ? [answer] : []))
  if (told.some(({ presented, told: next }) => next !== presented + 1)) expect(told).toBe('successors')
  const reused = world.requests.some(({ answer }) => answer === 'reused')
  if (reused !== (world.session.status === 'ended')) expect(world).toBe('ended by reuse alone')
}

/**
 * An honest client has one token at a time. It may send it twice at once (two windows), and it loses
 * answers; it asks again with the same token within the grace, and with a new one once it has it.
 */
test('an honest client never loses its session, whatever answers are lost', () => {
  let walked = 0
  const walk = (session: Session, held: number, atMs: number, left: number): void => {
    if (left === 0) return
    for (const twice of [false, true]) {
      const requests = twice ? [held, held] : [held]
      const world: World = {
        ...worldOf([], []),
        session,
        requests: requests.map((presented) => ({ presented, atMs })),
      }
      for (const ended of runs(world)) {
        walked += 1
        const answers = ended.requests.map(({ answer }) => answer)
        const expected = requests.map((presented) => ({ presented, told: held + 1 }))
        if (JSON.stringify(answers) !== JSON.stringify(expected))
          expect({ answers, session }).toEqual(expected)
        // All answers lost, and the same token again, at the last moment of the grace; or one that came.
        const retryMs = session.counter === held ? atMs + GRACE_MS : atMs
        if (retryMs - ended.session.rotatedAt <= GRACE_MS) walk(ended.session, held, retryMs, left - 1)
        walk(ended.session, held + 1, atMs, left - 1)
        walk(ended.session, held + 1, atMs + 600_000, left - 1)
      }
    }
  }
  walk(aSession(), 1, START_MS, 4)
  expect(walked).toBeGreaterThan(1_000)
})

/**
 * A thief has a copy of some token. Whoever of the two comes second with a token that was rotated away
 * ends the session: from then on neither has anything.
 */
test('once both the client and a thief have used a token, neither keeps the session', () => {
  for (const first of ['client', 'thief'] as const) {
    let session = aSession()
    const held = { client: 1, thief: 1 }
    const use = (who: 'client' | 'thief', atMs: number): Answer => {
      const { answer, changed } = decide(session, { presented: held[who], atMs })
      session = changed ?? session
      if (typeof answer === 'object') held[who] = answer.told
      return answer
    }
    const second = first === 'client' ? 'thief' : 'client'
    expect(use(first, START_MS + 600_000)).toMatchObject({ told: 2 })
    expect(use(second, START_MS + 600_000 + GRACE_MS + 1)).toBe('reused')
    expect([use(first, START_MS + 700_000), use(second, START_MS + 700_000)]).toEqual(['refused', 'refused'])
  }
})

// Within the grace a thief gets the same token as the client, so that the next rotation gives one of them away.
test('a thief within the grace is found out at the rotation after the next', () => {
  let session = aSession()
  const present = (presented: number, atMs: number): Answer => {
    const { answer, changed } = decide(session, { presented, atMs })
    session = changed ?? session
    return answer
  }
  expect(present(1, START_MS + 1_000)).toMatchObject({ told: 2 })
  expect(present(1, START_MS + 2_000)).toMatchObject({ told: 2 })
  expect(present(2, START_MS + 600_000)).toMatchObject({ told: 3 })
  expect(present(2, START_MS + 640_000)).toBe('reused')
  expect(session).toMatchObject({ status: 'ended', endReason: 'refresh_reuse' })
})
