import { z } from 'zod'
import type { Doc, ScopedDb, Write } from '#shared/firestore/scoped.ts'
import type { Commit, TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { timestamp } from '#shared/firestore/values.ts'
import { parser } from '#shared/json.ts'
import { ok, type Result } from '#shared/result.ts'
import { type IssuedCode, parseIssuedCode } from '../domain/authorization-code.ts'
import { parseClient } from '../domain/client.ts'
import { keptUntil } from '../domain/refresh.ts'
import { parseSession, type Session } from '../domain/session.ts'
import { parseTenantAuthState } from '../domain/tenant-state.ts'
import { parseUser, type User } from '../domain/user.ts'
import {
  type FoundCode,
  type ListedSession,
  MOST_ENDED_AT_ONCE,
  type SessionCommit,
  type SessionSelection,
  type SessionStore,
} from '../ports/sessions.ts'
import { codeFields, codePath } from './code-store.ts'
import { commitWithAssertion } from './replay-store.ts'

const SESSIONS = 'auth_sessions'
const STATE = ['auth_state', 'current']

/** How often a user has signed in: changed by each sign-in, so that two at once cannot miss each other. */
const signInsPath = (userId: string) => ['auth_limits', userId]
const userPath = (userId: string) => ['auth_users', userId]

const parseSignIns = parser(z.object({ signIns: z.number().int().nonnegative() }))

/** What was read, and so can be changed under the guard of what it was. */
type Read<S> = {
  readonly sessions: readonly Doc<S, Session>[]
  readonly code?: Doc<S, IssuedCode> | undefined
  readonly user?: Doc<S, User> | undefined
  /** The user on whose standing the decision rests: disabled meanwhile, they get no token. */
  readonly standing?: Doc<S, User> | undefined
  /** Another write that belongs to the commit of a new session. */
  readonly guard?: Write<S>
}

export function firestoreSessionStore(tenants: TenantFirestore): SessionStore {
  return {
    change: (ctx, sessionId, decide, assertion) =>
      commitWithAssertion(tenants, ctx, assertion, async (db) => {
        const session = await db.find([SESSIONS, sessionId], parseSession)
        const user = session === undefined ? undefined : await findUser(db, session.value.userId)
        const found = session === undefined ? undefined : { session: session.value, user: user?.value }
        const read = { sessions: session === undefined ? [] : [session], standing: user }
        return committed(db, read, await decide(found))
      }),
    redeem: (ctx, codeHash, decide, assertion) =>
      commitWithAssertion(tenants, ctx, assertion, async (db) => {
        const code = await db.find(codePath(codeHash), parseIssuedCode)
        if (code === undefined) return committed(db, { sessions: [] }, await decide(undefined))
        const { found, read } = await surroundings(db, code)
        return committed(db, read, await decide(found))
      }),
    end: (ctx, selection, decide) =>
      commitWithAssertion(tenants, ctx, undefined, async (db) => {
        const sessions = await selected(db, selection)
        const user =
          'userId' in selection && selection.userId !== undefined
            ? await findUser(db, selection.userId)
            : undefined
        const values = sessions.map((session) => session.value)
        return committed(db, { sessions, user }, decide(values, user?.value))
      }),
    endAll: (ctx, decide) =>
      commitWithAssertion(tenants, ctx, undefined, async (db) => {
        const state = await db.find(STATE, parseTenantAuthState)
        const decided = decide(state?.value.notBefore)
        const commit = committed(db, { sessions: [] }, decided)
        if (!decided.ok || !commit.ok || state === undefined) return commit
        const raised = db.update(STATE, state, { notBefore: decided.value.notBefore })
        return ok({ ...commit.value, writes: [...commit.value.writes, raised] })
      }),
    find: (ctx, sessionId) =>
      tenants.withTenant(ctx, async (db) => {
        const session = await db.find([SESSIONS, sessionId], parseSession)
        return session === undefined ? undefined : (await withWatermarks(db, [session.value]))[0]
      }),
    list: (ctx, { userId }, { limit, after }) =>
      tenants.withTenant(ctx, async (db) => {
        // An operator may ask about a tenant that never was.
        if ((await db.find(STATE, parseTenantAuthState)) === undefined) return undefined
        const found = await db.list(
          [SESSIONS],
          {
            where: [
              ['status', '==', 'active'],
              ...(userId === undefined ? [] : [['userId', '==', userId] as const]),
            ],
            orderBy: [['__name__', 'asc']],
            limit,
            ...(after === undefined ? {} : { startAfter: [after] }),
          },
          parseSession,
        )
        return withWatermarks(
          db,
          found.map((session) => session.value),
        )
      }),
  }
}

/** What stands around a code, and the guard for a session made from it. */
async function surroundings<S>(
  db: ScopedDb<S>,
  code: Doc<S, IssuedCode>,
): Promise<{ found: FoundCode; read: Read<S> }> {
  const { sessionId, userId } = code.value
  if (sessionId !== null) {
    const made = await db.find([SESSIONS, sessionId], parseSession)
    const found = { code: code.value, made: made?.value, user: undefined, active: [] }
    return { found, read: { sessions: made === undefined ? [] : [made], code } }
  }
  const [user, signIns] = await Promise.all([
    findUser(db, userId),
    db.find(signInsPath(userId), parseSignIns),
  ])
  // After the guard: whatever another sign-in adds from here on changes the guard, and this commit fails.
  const active = await selected(db, { userId })
  const counted = { signIns: (signIns?.value.signIns ?? 0) + 1 }
  const guard =
    signIns === undefined
      ? db.create(signInsPath(userId), counted)
      : db.update(signInsPath(userId), signIns, counted)
  return {
    found: {
      code: code.value,
      made: undefined,
      user: user?.value,
      active: active.map((session) => session.value),
    },
    read: { sessions: active, code, guard, standing: user },
  }
}

async function selected<S>(db: ScopedDb<S>, selection: SessionSelection): Promise<Doc<S, Session>[]> {
  if ('sessionId' in selection) {
    const session = await db.find([SESSIONS, selection.sessionId], parseSession)
    const wanted =
      session?.value.status === 'active' &&
      (selection.userId === undefined || selection.userId === session.value.userId)
    return session !== undefined && wanted ? [session] : []
  }
  const where =
    'userId' in selection
      ? [['userId', '==', selection.userId] as const]
      : [
          ['connectionId', '==', selection.connectionId] as const,
          ...('idpSid' in selection ? [['idpSid', '==', selection.idpSid] as const] : []),
        ]
  return db.list(
    [SESSIONS],
    { where: [...where, ['status', '==', 'active']], limit: MOST_ENDED_AT_ONCE },
    parseSession,
  )
}

function committed<S, T>(
  db: ScopedDb<S>,
  read: Read<S>,
  decided: Result<SessionCommit<T>>,
): Result<Commit<S, T>> {
  if (!decided.ok) return decided
  const {
    value,
    sessions = [],
    code,
    userNotBefore,
    events = [],
    audit = [],
    revocations = [],
  } = decided.value
  const writes: Write<S>[] = sessions.map((session) => {
    const known = read.sessions.find((doc) => doc.id === session.sessionId)
    const path = [SESSIONS, session.sessionId]
    const fields = { ...session, expireAt: timestamp(keptUntil(session)) }
    return known === undefined ? db.create(path, fields) : db.update(path, known, fields)
  })
  if (code !== undefined) {
    if (read.code === undefined) throw new TypeError('a code changes only where it was read')
    writes.push(db.update(codePath(code.codeHash), read.code, codeFields(code)))
    if (read.guard !== undefined) writes.push(read.guard)
  }
  if (userNotBefore !== undefined && read.user !== undefined) {
    const { userId, notBefore, revision } = read.user.value
    const fields = { notBefore: Math.max(notBefore, userNotBefore), revision: revision + 1 }
    writes.push(db.update(userPath(userId), read.user, fields))
  }
  const { standing } = read
  if (standing !== undefined && writes.length > 0) {
    writes.push(db.verify(userPath(standing.value.userId), standing))
  }
  const outgoing = events.map((event) => ({ topic: 'auth-facts' as const, event }))
  return ok({ value, writes, events: outgoing, audit, revocations })
}

async function withWatermarks<S>(db: ScopedDb<S>, sessions: readonly Session[]): Promise<ListedSession[]> {
  if (sessions.length === 0) return []
  const state = await db.find(STATE, parseTenantAuthState)
  const userIds = [...new Set(sessions.map((session) => session.userId))]
  const clientIds = [...new Set(sessions.map((session) => session.clientId))]
  const users = await Promise.all(userIds.map((userId) => findUser(db, userId)))
  const clients = await Promise.all(clientIds.map((id) => db.find(['auth_clients', id], parseClient)))
  return sessions.map((session) => ({
    session,
    watermarks: [
      state?.value.notBefore,
      users.find((user) => user?.id === session.userId)?.value.notBefore,
      clients.find((client) => client?.id === session.clientId)?.value.notBefore,
      // Who is gone has no session, whatever the document says.
    ].map((watermark) => watermark ?? Number.POSITIVE_INFINITY),
  }))
}

function findUser<S>(db: ScopedDb<S>, userId: string): Promise<Doc<S, User> | undefined> {
  return db.find(userPath(userId), parseUser)
}
