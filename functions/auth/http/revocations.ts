import { createHash } from 'node:crypto'
import type { HandlersOf } from '#shared/http/edge.ts'
import { NONCE_BYTES, open, seal } from '#shared/http/paging.ts'
import { onRelief } from '#shared/http/relief.ts'
import type { TenantHandler } from '#shared/http/types.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { AuthDeps } from '../deps.ts'
import {
  type FeedNews,
  formatCursor,
  parseCursor,
  type RevocationCursor,
} from '../domain/revocation-cursor.ts'
import { awaitRevocations } from '../operations/await-revocations.ts'
import { pageKey } from './pages.ts'

const LONGEST_WAIT_SECONDS = 25
/** A hundred entries of the last seconds; far below what a URL may hold. */
const MOST_CURSOR_LENGTH = 4_096

/** `GET /v1/revocations?since=&waitSeconds=`: what workloads poll back to back (`auth.md` §6). */
export function revocationHandlers(deps: AuthDeps): Pick<HandlersOf<'auth'>, 'getRevocations'> {
  return { getRevocations: handler(deps) }
}

function handler(deps: AuthDeps): TenantHandler {
  const key = pageKey(deps.platform.config)
  return async ({ ctx, query, signal }) => {
    const binding = createHash('sha256').update(`revocations\0${ctx.tenantId}`, 'utf8').digest()
    const waitMs = readWait(query['waitSeconds'])
    if (!waitMs.ok) return waitMs
    const cursor = readCursor(key, query['since'], binding)
    if (!cursor.ok) return cursor
    const leaving = new AbortController()
    const leave = (): void => leaving.abort()
    const forget = onRelief(leave)
    signal.addEventListener('abort', leave, { once: true })
    try {
      const { tenantId } = ctx
      const asked = { tenantId, cursor: cursor.value, waitMs: waitMs.value, leave: leaving.signal }
      const found = await awaitRevocations(deps, asked)
      return ok({
        status: 200,
        headers: { 'cache-control': 'no-store' },
        json: {
          cursor: seal(key, deps.platform.ids.bytes(NONCE_BYTES), formatCursor(found.cursor), binding),
          entries: found.entries.map(viewOf),
          pollAfterSeconds: found.pollAfterSeconds,
        },
      })
    } finally {
      forget()
    }
  }
}

function viewOf({ kind, id, before, atMs, expMs, reason }: FeedNews) {
  return {
    ...{ kind, id, before, exp: Math.ceil(expMs / 1000), at: new Date(atMs).toISOString() },
    ...(reason === undefined ? {} : { reason }),
  }
}

function readWait(text = String(LONGEST_WAIT_SECONDS)): Result<number> {
  if (/^\d{1,2}$/.test(text) && Number(text) <= LONGEST_WAIT_SECONDS) return ok(Number(text) * 1000)
  return refuse('request.malformed', 'waitSeconds', `waitSeconds: must be 0 to ${LONGEST_WAIT_SECONDS}`)
}

function readCursor(
  key: Uint8Array,
  text: string | undefined,
  binding: Buffer,
): Result<RevocationCursor | undefined> {
  if (text === undefined) return ok(undefined)
  const opened = open(key, text, binding, MOST_CURSOR_LENGTH)
  const cursor = opened === undefined ? undefined : parseCursor(opened)
  if (cursor !== undefined) return ok(cursor)
  return refuse('request.malformed', 'since', 'since: not a cursor that this tenant was given; leave it out')
}
