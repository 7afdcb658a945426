import { ok, type Result, refuse } from '#shared/result.ts'
import type { Session } from '../../functions/auth/domain/session.ts'
import { parseSessionId } from '../../functions/auth/domain/session-id.ts'
import { isUserId, type UserId } from '../../functions/auth/domain/user.ts'
import {
  revokeAllSessions,
  revokeSession,
  revokeSessions,
} from '../../functions/auth/operations/end-sessions.ts'
import { listSessions } from '../../functions/auth/operations/list-sessions.ts'
import { type Answer, type Command, instantText, type Run, tableLines } from './command.ts'

const TENANT = { tenant: { value: 'ID', required: true, meaning: 'The tenant.' } } as const
const PAGE_SIZE = 200

/** What an operator does with people's sessions in an emergency. */
export const SESSION_COMMANDS: Readonly<Record<string, Command>> = {
  'list-sessions': {
    summary: 'Show the live sessions of a tenant, or of one user.',
    options: { ...TENANT, user: { value: 'ID', meaning: 'Only those of this user (usr_…).' } },
    run: list,
  },
  'revoke-session': {
    summary: 'End one session: no refresh any more, its tokens are refused within two seconds.',
    options: { ...TENANT, session: { value: 'ID', required: true, meaning: 'The session (ses_…).' } },
    run: revokeOne,
  },
  'revoke-sessions': {
    summary: 'End all sessions of a user, or with --all of the whole tenant.',
    details: 'With --all every token of the tenant ends, machines’ too: they get new ones at once.',
    options: {
      ...TENANT,
      user: { value: 'ID', meaning: 'The user (usr_…).' },
      all: { meaning: 'Everybody.' },
    },
    run: revokeMany,
  },
}

async function list(run: Run): Promise<Result<Answer>> {
  const ctx = await run.open(run.given.text('tenant') ?? '')
  if (!ctx.ok) return ctx
  const userId = userOf(run)
  if (!userId.ok) return userId
  const sessions: Session[] = []
  let after: string | undefined
  do {
    const query = {
      ctx: ctx.value,
      userId: userId.value,
      page: { pageSize: PAGE_SIZE, after },
      nowMs: run.nowMs,
    }
    const page = await listSessions(run.deps, query)
    if (!page.ok) return page
    sessions.push(...page.value.sessions)
    after = page.value.next
  } while (after !== undefined)
  const rows = sessions.map((session) => [
    session.sessionId,
    session.userId,
    session.clientId,
    instantText(session.createdAt),
    instantText(session.idleUntil),
  ])
  return ok({
    json: sessions.map(
      ({ sessionId, userId: user, clientId, connectionId, createdAt, idleUntil, absoluteUntil }) => ({
        ...{ sessionId, userId: user, clientId, connectionId },
        createdAt: new Date(createdAt).toISOString(),
        idleUntil: new Date(idleUntil).toISOString(),
        absoluteUntil: new Date(absoluteUntil).toISOString(),
      }),
    ),
    lines:
      rows.length === 0
        ? ['No live session.']
        : tableLines(['session', 'user', 'client', 'began', 'idle until'], rows),
  })
}

async function revokeOne(run: Run): Promise<Result<Answer>> {
  const ctx = await run.open(run.given.text('tenant') ?? '')
  if (!ctx.ok) return ctx
  const sessionId = parseSessionId(run.given.text('session'))
  if (sessionId === undefined) {
    return refuse('request.malformed', 'session id', 'That is no session id: they begin with ses_.')
  }
  // In an emergency a mistyped id must not read as success.
  if ((await run.deps.sessions.find(ctx.value, sessionId)) === undefined) {
    return refuse('resource.not_found', 'no such session', 'The tenant has no such session.')
  }
  const ended = await revokeSession(run.deps, {
    ctx: ctx.value,
    sessionId,
    reason: 'administrator',
    nowMs: run.nowMs,
  })
  return ended.ok ? ok(endedAnswer(ended.value ? [sessionId] : [])) : ended
}

async function revokeMany(run: Run): Promise<Result<Answer>> {
  const { deps, given, nowMs } = run
  const userId = userOf(run)
  if (!userId.ok) return userId
  if (given.flag('all') === (userId.value !== undefined)) {
    return refuse('request.malformed', 'whose', 'Give either --user or --all.')
  }
  const ctx = await run.open(given.text('tenant') ?? '')
  if (!ctx.ok) return ctx
  if (userId.value === undefined) {
    const all = await revokeAllSessions(deps, { ctx: ctx.value, nowMs })
    return all.ok
      ? ok({ json: { ended: 'all' }, lines: ['Every session and every token of the tenant ended.'] })
      : all
  }
  if ((await deps.users.find(ctx.value, userId.value)) === undefined) {
    return refuse('resource.not_found', 'no such user', 'The tenant has no such user.')
  }
  const selection = { userId: userId.value }
  const ended = await revokeSessions(deps, { ctx: ctx.value, selection, reason: 'administrator', nowMs })
  return ended.ok ? ok(endedAnswer(ended.value)) : ended
}

function endedAnswer(ended: readonly string[]): Answer {
  return {
    json: { ended },
    lines: ended.length === 0 ? ['Nothing to end: it had ended before.'] : ended.map((id) => `ended ${id}`),
  }
}

function userOf({ given }: Run): Result<UserId | undefined> {
  const text = given.text('user')
  if (text === undefined || isUserId(text)) return ok(text)
  return refuse('request.malformed', 'user id', 'That is no user id: they begin with usr_.')
}
