import type { HandlersOf } from '#shared/http/edge.ts'
import { parseJson } from '#shared/json.ts'
import { checkEntitlement, getEntitlements, parseUse } from '../operations/get-entitlements.ts'
import type { BillingDeps } from '../ports.ts'
import { answerWith } from './answer.ts'

/** The routes of what a tenant may use. */
export function entitlementHandlers(
  deps: BillingDeps,
): Pick<HandlersOf<'billing-api'>, 'getEntitlements' | 'checkEntitlement'> {
  return {
    getEntitlements: async (request) => answerWith(await getEntitlements(deps, request)),
    checkEntitlement: async (request) => {
      const body = parseJson(request.body, 4)
      if (!body.ok) return body
      const use = parseUse(body.value)
      return use.ok ? answerWith(await checkEntitlement(deps, request, use.value)) : use
    },
  }
}
