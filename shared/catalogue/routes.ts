import type { FunctionId } from './functions.ts'
import type { Route } from './route-forms.ts'
import { AUTH_ROUTES } from './routes/auth.ts'
import { BILLING_ROUTES } from './routes/billing.ts'
import { LIFECYCLE_ROUTES } from './routes/lifecycle.ts'

export type { Route } from './route-forms.ts'

/** Every operation by its operationId: `api-spec.yaml` and the functions' routers are checked against it. */
export const ROUTES = {
  ...AUTH_ROUTES,
  ...BILLING_ROUTES,
  ...LIFECYCLE_ROUTES,
} as const satisfies Record<string, Route>

/**
 * The paths that pages call, for which browsers first ask whether they may (CORS): a tenant's resources.
 * Not the token endpoint, where a secret would have to lie in the page; not collectors' and operators' routes.
 */
export const CALLED_BY_PAGES = /^\/v1\/(?:tenants|invitations)(?:\/|$)/

export type OperationId = keyof typeof ROUTES

/** The operations one function answers. */
export type OperationsOf<F extends FunctionId> = {
  [Id in OperationId]: (typeof ROUTES)[Id]['function'] extends F ? Id : never
}[OperationId]
