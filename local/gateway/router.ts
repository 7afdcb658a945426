import type { GatewaySpec, Operation } from './spec.ts'

type Match =
  | { readonly kind: 'found'; readonly operation: Operation }
  | { readonly kind: 'wrongMethod'; readonly template: string }
  | { readonly kind: 'unknown' }

export type Router = (method: string, path: string) => Match

/**
 * Finds the operation of a request. Operations are tried in the order of their templates; a template
 * that fits without the method does not stop the search, so `GET /a/{x}` answers `GET /a/b` where only
 * `POST /a/b` is declared, as Envoy's route table does.
 */
export function createRouter(spec: GatewaySpec): Router {
  const operations = spec.operations.toSorted((a, b) => Number(isOpen(a)) - Number(isOpen(b)))
  const exact = new Map<string, Operation>()
  for (const operation of operations.filter((one) => !isOpen(one))) {
    const path = operation.template.exact ?? ''
    exact.set(`${operation.method} ${path}`, operation)
    exact.set(`${operation.method} ${path}/`, operation)
  }
  const open = operations.filter(isOpen)
  return (method, path) => {
    const literal = exact.get(`${method} ${path}`)
    if (literal) return { kind: 'found', operation: literal }
    const found = open.find((one) => one.method === method && one.template.pattern.test(path))
    if (found) return { kind: 'found', operation: found }
    const other = operations.find((one) => one.template.pattern.test(path))
    return other ? { kind: 'wrongMethod', template: other.template.source } : { kind: 'unknown' }
  }
}

// A template of literals alone comes before every open one that fits the same path.
function isOpen(operation: Operation): boolean {
  return operation.template.exact === undefined
}
