import { asRecord } from '#shared/json.ts'
import { rpcError, status } from './rpc-error.ts'

export type FieldMask = { readonly paths: readonly string[] } | null

/**
 * Applies an update's named fields to a resource and leaves the others alone.
 *
 * Paths may be snake_case or camelCase and may reach into a message (`retry_policy.minimum_backoff`).
 * A missing or empty mask, or a field that cannot be updated, is refused with INVALID_ARGUMENT.
 */
export function applyMask<T extends Readonly<Record<string, unknown>>>(
  current: T,
  update: T,
  mask: FieldMask,
  updatable: ReadonlySet<string>,
): T {
  if (mask === null || mask.paths.length === 0) {
    throw rpcError(status.INVALID_ARGUMENT, 'The update_mask is empty: it must name the fields to update.')
  }
  let result: Readonly<Record<string, unknown>> = current
  for (const path of mask.paths) {
    const fields = path.split('.').map(toCamelCase)
    const [first] = fields
    if (first === undefined || !updatable.has(first)) {
      throw rpcError(status.INVALID_ARGUMENT, `The field ${path} in the update_mask cannot be updated.`)
    }
    result = setPath(result, update, fields)
  }
  return result as T
}

function setPath(
  target: Readonly<Record<string, unknown>>,
  source: Readonly<Record<string, unknown>>,
  [first, ...rest]: readonly string[],
): Readonly<Record<string, unknown>> {
  if (first === undefined) return target
  if (rest.length === 0) return { ...target, [first]: source[first] }
  return { ...target, [first]: setPath(asRecord(target[first]) ?? {}, asRecord(source[first]) ?? {}, rest) }
}

const toCamelCase = (name: string): string =>
  name.replace(/_([a-z])/g, (_whole, letter: string) => letter.toUpperCase())
