import type { Route } from '../catalogue/routes.ts'
import { isPlatformScope } from '../catalogue/scopes.ts'
import { PLATFORM_TENANT, parseTenantId } from '../ids.ts'
import { ok, type Result, refuse } from '../result.ts'
import { TenantContext } from '../tenancy/context.ts'
import { openAsOperator } from '../tenancy/operator.ts'
import type { VerifiedToken } from '../tenancy/proofs.ts'

/**
 * Whether a verified token may call a route, and whose data it may touch there.
 *
 * A tenant's token on its own tenant needs the route's scope. An operator's token opens another
 * tenant only where the route names an operator scope. Everything else is the 404 of a tenant that
 * does not exist. A user needs no scope for what a route lets them do to themselves (`pathUser`);
 * somebody who acts for them does.
 */
export function authorize(
  route: Route,
  token: VerifiedToken,
  pathTenant: string | undefined,
  nowMs: number,
  pathUser?: string,
): Result<TenantContext> {
  const { claims } = token
  if (pathTenant !== undefined) {
    const tenantId = parseTenantId(pathTenant)
    if (!tenantId.ok) return tenantId
    if (tenantId.value !== claims.tenant) {
      if (route.operatorScope === undefined) return refuse('resource.not_found', 'foreign tenant')
      const opened = openAsOperator(
        token,
        tenantId.value,
        route.operatorScope,
        `${route.method} ${route.path}`,
        nowMs,
      )
      return TenantContext.is(opened) ? ok(opened) : opened
    }
  }
  const isOwn = route.ownUser === true && claims.signIn !== undefined && pathUser === claims.subject
  if (route.scope !== undefined && !isOwn && !claims.scopes.has(route.scope)) {
    return refuse('token.insufficient_scope', `needs ${route.scope}`, `This needs the scope ${route.scope}.`)
  }
  if (route.scope !== undefined && isPlatformScope(route.scope) && claims.tenant !== PLATFORM_TENANT) {
    return refuse('token.insufficient_scope', `${route.scope} outside the operators' tenant`)
  }
  return ok(new TenantContext(token))
}
