import { describe, expect, test } from 'vitest'
import { GRACE_MS, judgeRefresh, keptUntil, rotateSession } from '../../../functions/auth/domain/refresh.ts'
import { endSession, type Session } from '../../../functions/auth/domain/session.ts'
import { aSession, START_MS } from './a-session.ts'

const LATER_MS = START_MS + 600_000
const rotated = (session: Session): Session =>
  rotateSession(session, {
    scopes: ['tenant:read'],
    pepperVersion: 2,
    idleMs: 7 * 86_400_000,
    nowMs: LATER_MS,
  })

function judge(session: Session, more: Partial<Parameters<typeof judgeRefresh>[1]> = {}, nowMs = LATER_MS) {
  const judged = judgeRefresh(session, { counter: 1, asked: undefined, jkt: undefined, ...more }, [], nowMs)
  return judged.ok ? judged.value : judged.code
}

describe('a session that is over refreshes nothing, and no reuse ends it again', () => {
  test.each<[string, Session, readonly number[], number]>([
    ['ended', endSession(aSession(), 'administrator', START_MS), [], LATER_MS],
    ['idle for too long', aSession({ idleUntil: LATER_MS }), [], LATER_MS],
    ['at its end', aSession({ absoluteUntil: LATER_MS }), [], LATER_MS],
    ['under a watermark of its second', aSession(), [0, START_MS / 1000], LATER_MS],
    ['under a later watermark', aSession(), [START_MS / 1000 + 100], LATER_MS],
  ])('%s', (_name, session, watermarks, nowMs) => {
    for (const counter of [0, 1, 2]) {
      const judged = judgeRefresh(session, { counter, asked: undefined, jkt: undefined }, watermarks, nowMs)
      expect(judged).toMatchObject({ ok: false, code: 'grant.invalid' })
    }
  })
})

test('a millisecond before its end it still does', () => {
  expect(judge(aSession({ idleUntil: LATER_MS + 1, absoluteUntil: LATER_MS + 1 }))).toMatchObject({
    kind: 'rotate',
  })
})

describe('a bound session', () => {
  const bound = rotated(aSession({ jkt: 'key-1' }))

  test.each([
    ['with its key', 'key-1', { kind: 'rotate' }],
    ['with another key', 'key-2', 'grant.invalid'],
    ['without a key', undefined, 'grant.invalid'],
  ])('%s', (_name, jkt, expected) => {
    const judged = judge(bound, { counter: 2, jkt })
    expect(judged).toEqual(typeof expected === 'string' ? expected : expect.objectContaining(expected))
  })

  // Somebody who stole the token and not the key can do nothing with it; they must not be able to end it.
  test('is not ended by an old token without its key', () => {
    const late = LATER_MS + GRACE_MS + 1
    expect(judge(bound, { counter: 1, jkt: 'key-2' }, late)).toBe('grant.invalid')
    expect(judge(bound, { counter: 1, jkt: 'key-1' }, late)).toMatchObject({ kind: 'reused' })
  })
})

describe('scopes', () => {
  test('can be fewer at each refresh, and all of them again at the next', () => {
    const narrow = judge(aSession(), { asked: ['usage:read'] })
    expect(narrow).toEqual({ kind: 'rotate', scopes: ['usage:read'], openid: false })
    expect(judge(rotated(aSession()), { counter: 2 })).toEqual({
      kind: 'rotate',
      scopes: ['tenant:read', 'usage:read'],
      openid: false,
    })
  })

  test('name openid or not, where it was granted', () => {
    const session = aSession({ openid: true })
    expect(judge(session)).toMatchObject({ openid: true })
    expect(judge(session, { asked: ['openid', 'usage:read'] })).toMatchObject({
      scopes: ['usage:read'],
      openid: true,
    })
    expect(judge(session, { asked: ['usage:read'] })).toMatchObject({ scopes: ['usage:read'], openid: false })
    expect(judge(session, { asked: ['openid', 'users:manage'] })).toBe('scope.invalid')
  })

  test.each([['users:manage'], ['tenant:read users:manage'], ['openid']])(
    'can never be more than was granted: %s',
    (asked) => {
      expect(judge(aSession(), { asked: asked.split(' ') })).toBe('scope.invalid')
    },
  )

  test('of a repetition are at most those of the request it repeats', () => {
    const session = rotated(aSession())
    expect(judge(session, {})).toMatchObject({ kind: 'repeat', scopes: ['tenant:read'] })
    expect(judge(session, { asked: ['tenant:read'] })).toMatchObject({
      kind: 'repeat',
      scopes: ['tenant:read'],
    })
    expect(judge(session, { asked: ['usage:read'] })).toBe('scope.invalid')
  })
})

test('the grace ends with its thirtieth second, also for a clock that is behind', () => {
  const session = rotated(aSession())
  expect(judge(session, {}, LATER_MS + GRACE_MS)).toMatchObject({ kind: 'repeat' })
  expect(judge(session, {}, LATER_MS + GRACE_MS + 1)).toMatchObject({ kind: 'reused' })
  expect(judge(session, {}, LATER_MS - 4_000)).toMatchObject({ kind: 'repeat' })
})

test('a rotation moves the idle end, never beyond the absolute one', () => {
  const session = rotated(aSession({ absoluteUntil: LATER_MS + 1_000 }))
  expect(session).toMatchObject({
    counter: 2,
    pepperVersion: 2,
    rotatedAt: LATER_MS,
    idleUntil: LATER_MS + 1_000,
  })
  expect(keptUntil(session)).toBeGreaterThan(session.idleUntil)
})

test('what ended a session first stays the reason', () => {
  const ended = endSession(aSession(), 'refresh_reuse', LATER_MS)
  expect(endSession(ended, 'administrator', LATER_MS + 1)).toBe(ended)
  expect(keptUntil(ended)).toBeGreaterThan(LATER_MS + 24 * 3_600_000)
})
