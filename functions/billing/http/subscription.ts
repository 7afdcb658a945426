import type { HandlersOf } from '#shared/http/edge.ts'
import { checkIfMatch, revisionTag } from '#shared/http/etag.ts'
import { claimOf } from '#shared/http/idempotency.ts'
import type { TenantRequest } from '#shared/http/types.ts'
import { PLATFORM_TENANT } from '#shared/ids.ts'
import { parseJson } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { parseWantedChange, type WantedChange } from '../domain/change-plan.ts'
import { changeSubscription, getSubscription, previewChange } from '../operations/change-subscription.ts'
import type { BillingDeps } from '../ports.ts'
import { answerWith } from './answer.ts'

type Handlers = Pick<
  HandlersOf<'billing-api'>,
  'getSubscription' | 'changeSubscription' | 'previewSubscription'
>

/** The routes of what a tenant pays for. */
export function subscriptionHandlers(deps: BillingDeps): Handlers {
  return {
    getSubscription: async (request) => {
      const found = await getSubscription(deps, request)
      if (!found.ok) return found
      return ok({ status: 200, headers: { etag: revisionTag(found.value.rev) }, json: found.value })
    },
    changeSubscription: async (request) => {
      const wanted = await wantedOf(deps, request)
      if (!wanted.ok) return wanted
      const claim = claimOf(request, wanted.value)
      if (!claim.ok) return claim
      const asked = askedBy(request, wanted.value)
      const changed = await changeSubscription(deps, { ...asked, claim: claim.value })
      if (!changed.ok) return changed
      return ok({ status: 200, headers: { etag: revisionTag(changed.value.rev) }, json: changed.value })
    },
    previewSubscription: async (request) => {
      const wanted = await wantedOf(deps, request)
      if (!wanted.ok) return wanted
      return answerWith(await previewChange(deps, askedBy(request, wanted.value)))
    },
  }
}

function askedBy({ ctx, nowMs, signal, token }: TenantRequest, wanted: WantedChange) {
  return { ctx, nowMs, signal, wanted, byOperator: token.claims.tenant === PLATFORM_TENANT }
}

/** `If-Match` and `rev` say the same: the revision that was read. The commit compares it once more. */
async function wantedOf(deps: BillingDeps, request: TenantRequest): Promise<Result<WantedChange>> {
  const body = parseJson(request.body, 4)
  if (!body.ok) return body
  const wanted = parseWantedChange(body.value)
  if (!wanted.ok || request.header('if-match') === undefined) return wanted
  const rev = (await deps.subscriptions.find(request.ctx))?.rev ?? 0
  const matched = checkIfMatch(request, revisionTag(rev))
  if (!matched.ok) {
    return matched.code === 'request.precondition_failed'
      ? refuse('subscription.revision_conflict', matched.detail)
      : matched
  }
  return ok({ ...wanted.value, rev: wanted.value.rev ?? rev })
}
