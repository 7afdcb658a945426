import type { Context } from './objects.ts'

/** One call of the API: which parameters it takes and what it does. */
export type Route = { readonly params: string; readonly run: (context: Context) => object }

/** By `METHOD /path/:id`. */
export type Routes = Readonly<Record<string, Route>>

/** Finds the route of a path; one placeholder at most, and a literal path wins over it. */
export function matchRoute(
  routes: Routes,
  method: string,
  path: string,
): { readonly route: Route; readonly id: string } | undefined {
  const literal = routes[`${method} ${path}`]
  if (literal !== undefined) return { route: literal, id: '' }
  const parts = path.split('/')
  for (let index = 0; index < parts.length; index += 1) {
    const pattern = parts.with(index, ':id').join('/')
    const route = routes[`${method} ${pattern}`]
    if (route !== undefined) return { route, id: decodeURIComponent(parts[index] ?? '') }
  }
  return undefined
}
