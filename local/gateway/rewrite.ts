import type { Operation } from './spec.ts'
import { bindVariables } from './uri-template.ts'

// Half of what Envoy allows a header value to be (ESPv2, path_rewrite/filter.cc).
const MAX_PATH_BYTES = 8192

/** Why a path cannot be forwarded at all, or nothing. Path and query count together. */
export function refusePath(path: string, query: string): string | undefined {
  if (path.length + query.length > MAX_PATH_BYTES) {
    return `Path is too long, max allowed size is ${MAX_PATH_BYTES}.`
  }
  return path.includes('#') || query.includes('#') ? 'Path cannot contain fragment identifier (#)' : undefined
}

/**
 * The path and query the backend gets (ESPv2, path_rewrite/config_parser_impl.cc): the request's path
 * behind the address's, or the address's alone with the template's variables as query parameters
 * after those of the request.
 */
export function rewriteTarget(operation: Operation, path: string, query: string): string {
  const { basePath, translation } = operation.backend
  if (translation === 'APPEND_PATH_TO_ADDRESS') return `${basePath}${path}${query}`
  const bound = bindVariables(operation.template, path).map(([name, value]) => `${name}=${value}`)
  const address = basePath === '' ? '/' : basePath
  if (bound.length === 0) return `${address}${query}`
  return `${address}${query === '' ? '?' : `${query}&`}${bound.join('&')}`
}
