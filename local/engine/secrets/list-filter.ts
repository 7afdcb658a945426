import { rpcError, status } from '../rpc-error.ts'

/**
 * The list filters in use: terms joined by AND, each `name:part`, `labels.KEY=value`, `labels.KEY:*`
 * or `state:ENABLED`. Anything else is refused rather than ignored.
 */
export function listMatches(filter: string, item: object): boolean {
  if (filter.trim() === '') return true
  return filter.split(/\s+AND\s+/).every((term) => {
    const parsed = /^\s*([A-Za-z_]+)(?:\.([A-Za-z0-9_-]+))?\s*([:=])\s*"?([^"]*?)"?\s*$/.exec(term)
    if (parsed === null) throw rpcError(status.INVALID_ARGUMENT, `Unsupported filter: ${term}`)
    const [, field = '', key, operator, wanted = ''] = parsed
    const value = fieldOf(item, field, key)
    if (value === undefined) return false
    if (wanted === '*') return true
    return operator === '=' ? value === wanted : value.includes(wanted)
  })
}

function fieldOf(item: object, field: string, key: string | undefined): string | undefined {
  const value: unknown = (item as Record<string, unknown>)[field]
  if (key === undefined) return value === undefined || value === null ? undefined : String(value)
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
  return String((value as Record<string, unknown>)[key])
}
