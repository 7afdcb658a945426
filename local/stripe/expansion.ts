import type { Objects } from './objects.ts'
import type { Params } from './params.ts'

/** Replaces ids by the objects they name, for each path of `expand`. */
export function expand(objects: Objects, result: object, params: Params): object {
  const paths = Array.isArray(params['expand']) ? params['expand'].map(String) : []
  if (paths.length === 0) return result
  const expanded = structuredClone(result)
  for (const path of paths) expandPath(objects, expanded, path.split('.'))
  return expanded
}

function expandPath(objects: Objects, node: unknown, [field = '', ...rest]: readonly string[]): void {
  if (Array.isArray(node)) {
    for (const item of node) expandPath(objects, item, [field, ...rest])
    return
  }
  if (typeof node !== 'object' || node === null || !Object.hasOwn(node, field)) return
  const holder = node as Record<string, unknown>
  const value = holder[field]
  if (typeof value === 'string') holder[field] = objects.find(value) ?? value
  if (rest.length > 0) expandPath(objects, holder[field], rest)
}
