import findMyWay, { type HTTPMethod } from 'find-my-way'
import type { FunctionId } from '../catalogue/functions.ts'
import { CALLED_BY_PAGES, type OperationId, ROUTES, type Route } from '../catalogue/routes.ts'
import { isDocumentId } from '../ids.ts'
import { ok, type Refusal, type Result, refuse } from '../result.ts'

export type Matched = { readonly operationId: OperationId; readonly params: Record<string, string> }

/** What is known of a request so far, for its log line and its answer. */
export type Seen = {
  readonly requestId: string
  matched?: Matched
  tenantId?: string
  /** How an access token was shown. */
  scheme?: 'Bearer' | 'DPoP'
  refusal?: Refusal
  /** What was thrown, if something was. */
  error?: unknown
  /** The methods of the path, where another one was asked for. */
  allow?: string
}

/** A route, or a browser that asks whether a page may call the path (Fetch standard, CORS preflight). */
export type Match =
  | ({ readonly kind: 'operation' } & Matched)
  | { readonly kind: 'preflight'; readonly methods: readonly string[] }

export type Router = (method: string, path: string, seen: Seen) => Result<Match>

/** Finds the route of a function by method and path; what cannot be an id names nothing that exists. */
export function routerOf(functionId: FunctionId): Router {
  const router = findMyWay({ caseSensitive: true, ignoreTrailingSlash: true, maxParamLength: 256 })
  const methods = new Set<HTTPMethod>()
  for (const [operationId, route] of Object.entries(ROUTES) as [OperationId, Route][]) {
    if (route.function !== functionId) continue
    router.on(route.method, route.path.replace(/\{(\w+)\}/g, ':$1'), () => undefined, operationId)
    methods.add(route.method)
  }
  const operationAt = (method: HTTPMethod, path: string): OperationId | undefined =>
    router.find(method, path)?.store as OperationId | undefined
  return (method, path, seen) => {
    const found = router.find(method as HTTPMethod, path)
    if (found === null) {
      const there = [...methods].sort().filter((other) => operationAt(other, path) !== undefined)
      if (there.length === 0) return refuse('request.not_found', 'no such route')
      const forPages = there.filter((other) => {
        const operationId = operationAt(other, path)
        return operationId !== undefined && CALLED_BY_PAGES.test(ROUTES[operationId].path)
      })
      if (method === 'OPTIONS' && forPages.length > 0) return ok({ kind: 'preflight', methods: forPages })
      seen.allow = there.join(', ')
      return refuse('request.method_not_allowed', method)
    }
    const params = found.params as Record<string, string>
    const operationId = found.store as OperationId
    if (!Object.values(params).every(isDocumentId)) {
      seen.matched = { operationId, params: {} }
      return refuse('resource.not_found', 'a path parameter is not an id')
    }
    return ok({ kind: 'operation', operationId, params })
  }
}
