import { z } from 'zod'
import { TOPIC_NAMES } from '#shared/contracts/topics.ts'
import type { HandlersOf } from '#shared/http/edge.ts'
import { claimOf } from '#shared/http/idempotency.ts'
import type { Paging } from '#shared/http/paging.ts'
import type { TenantHandler } from '#shared/http/types.ts'
import { parser } from '#shared/json.ts'
import { ok } from '#shared/result.ts'
import {
  type DeadLetterDeps,
  listDeadLetters,
  readDeadLetter,
  settleDeadLetter,
} from '../operations/dead-letters.ts'

type Routes = 'listDeadLetters' | 'getDeadLetter' | 'redriveDeadLetter' | 'discardDeadLetter'

/** Messages that Pub/Sub gave up on, of all groups: for the operators alone. */
export function deadLetterHandlers(
  deps: DeadLetterDeps,
  pages: Paging,
): Pick<HandlersOf<'tenants-api'>, Routes> {
  return {
    listDeadLetters: onList(deps, pages),
    getDeadLetter: async ({ params, signal }) => {
      const letter = await readDeadLetter(deps, params['deadLetterId'], signal)
      return letter.ok ? ok({ status: 200, headers: NOT_KEPT, json: letter.value }) : letter
    },
    redriveDeadLetter: async (request) => {
      const { ctx, params, signal } = request
      const id = params['deadLetterId']
      const claim = claimOf(request, { id })
      if (!claim.ok) return claim
      const settled = await settleDeadLetter(deps, {
        ...{ ctx, id, signal },
        verdict: 'redriven',
        claim: claim.value,
      })
      return settled.ok ? ok({ status: 202, json: settled.value }) : settled
    },
    discardDeadLetter: async ({ ctx, params, signal }) => {
      const id = params['deadLetterId']
      const settled = await settleDeadLetter(deps, {
        ...{ ctx, id, signal },
        verdict: 'discarded',
        claim: undefined,
      })
      return settled.ok ? ok({ status: 204 }) : settled
    },
  }
}

const NOT_KEPT = { 'cache-control': 'no-store' }

const parseQuery = parser(
  z.strictObject({
    topic: z.enum(TOPIC_NAMES as readonly [(typeof TOPIC_NAMES)[number]]),
    pageSize: z.string().optional(),
    pageToken: z.string().optional(),
  }),
  'request.malformed',
  'query',
)

function onList(deps: DeadLetterDeps, pages: Paging): TenantHandler {
  return async (request) => {
    const query = parseQuery(request.query)
    if (!query.ok) return query
    const page = pages.read(request)
    if (!page.ok) return page
    const { topic } = query.value
    const { items, next, complete } = await listDeadLetters(deps, {
      topic,
      ...page.value,
      signal: request.signal,
    })
    const nextPageToken = pages.next(request, next)
    return ok({ status: 200, headers: NOT_KEPT, json: { items, nextPageToken, complete } })
  }
}
