import type { AuthPolicy } from '#shared/catalogue/auth-policy.ts'
import type { HandlersOf } from '#shared/http/edge.ts'
import { revisionTag } from '#shared/http/etag.ts'
import type { ApiReply } from '#shared/http/types.ts'
import { ok, type Result } from '#shared/result.ts'
import type { AuthDeps } from '../deps.ts'
import { parsePolicySettings } from '../domain/auth-policy.ts'
import { getAuthPolicy, setAuthPolicy } from '../operations/keep-auth-policy.ts'
import { ifMatchOf, withBody } from './people.ts'

/** What a tenant asks of its clients and sessions beyond the usual. */
export function authPolicyHandlers(
  deps: AuthDeps,
): Pick<HandlersOf<'auth'>, 'getAuthPolicy' | 'setAuthPolicy'> {
  return {
    getAuthPolicy: async ({ ctx }) => policyReply(await getAuthPolicy(deps, ctx)),
    setAuthPolicy: withBody(parsePolicySettings, async (request, wanted) => {
      const { tenant, clientId, jkt } = request.token.claims
      const { ctx, nowMs } = request
      const setter = { tenantId: tenant, clientId, jkt }
      return policyReply(
        await setAuthPolicy(deps, { ctx, setter, wanted, nowMs, ifMatch: ifMatchOf(request) }),
      )
    }),
  }
}

function policyReply(policy: Result<AuthPolicy>): Result<ApiReply> {
  if (!policy.ok) return policy
  const { revision, ...settings } = policy.value
  return ok({ status: 200, headers: { etag: revisionTag(revision) }, json: settings })
}
