import { at, isObject, type JsonObject } from './json.ts'
import { canonicalQuantity } from './quantity.ts'

/**
 * What server-side apply must know of a type: which fields exist, and how lists merge.
 *
 * `any` is a subtree nobody looks into: it has one owner, as an atomic one has.
 */
export type Schema =
  | { readonly type: 'text' | 'int' | 'bool' | 'intOrText' | 'quantity' | 'any' }
  | { readonly type: 'struct'; readonly fields: Readonly<Record<string, Schema>>; readonly atomic?: true }
  | { readonly type: 'map'; readonly of: Schema; readonly atomic?: true }
  | { readonly type: 'list'; readonly of: Schema; readonly by: 'atomic' | 'set' | readonly string[] }

export const text: Schema = { type: 'text' }
export const int: Schema = { type: 'int' }
export const bool: Schema = { type: 'bool' }
export const intOrText: Schema = { type: 'intOrText' }
export const quantity: Schema = { type: 'quantity' }
export const any: Schema = { type: 'any' }
export const struct = (fields: Readonly<Record<string, Schema>>): Schema => ({ type: 'struct', fields })
export const atomicStruct = (fields: Readonly<Record<string, Schema>>): Schema => ({
  type: 'struct',
  fields,
  atomic: true,
})
export const map = (of: Schema): Schema => ({ type: 'map', of })
export const list = (of: Schema, by: 'atomic' | 'set' | readonly string[] = 'atomic'): Schema => ({
  type: 'list',
  of,
  by,
})

/** What a key of an associative list is when the item leaves it out. */
const KEY_DEFAULTS: JsonObject = { protocol: 'TCP' }

/** The type of a field; nothing where the type does not know it. */
export function childSchema(schema: Schema, field: string): Schema | undefined {
  if (schema.type === 'map') return schema.of
  if (schema.type !== 'struct') return undefined
  return Object.hasOwn(schema.fields, field) ? schema.fields[field] : undefined
}

/** True if the value has one owner as a whole: no field inside can belong to somebody else. */
export function isAtomic(schema: Schema): boolean {
  if (schema.type === 'struct' || schema.type === 'map') return schema.atomic === true
  return schema.type === 'list' ? schema.by === 'atomic' : true
}

/** The path element that names an item of a set or an associative list. */
export function itemElement(by: 'set' | readonly string[], item: unknown): string {
  if (by === 'set') return `v:${JSON.stringify(item)}`
  const key: JsonObject = {}
  for (const name of [...by].sort()) {
    const value = at(item, name) ?? KEY_DEFAULTS[name]
    if (value !== undefined) key[name] = value
  }
  return `k:${JSON.stringify(key)}`
}

type Problem = { readonly path: string; readonly kind: 'unknown' | 'type'; readonly message: string }

/** Everything in `value` that the schema does not know or that has another type than it says. */
export function findProblems(value: unknown, schema: Schema, path = ''): Problem[] {
  if (value === null || value === undefined || schema.type === 'any') return []
  if (schema.type === 'struct' || schema.type === 'map') {
    if (!isObject(value)) return [typeProblem(path, 'map', value)]
    return Object.entries(value).flatMap(([field, child]) => {
      const below = childSchema(schema, field)
      const childPath = `${path}.${field}`
      if (below !== undefined) return findProblems(child, below, childPath)
      return [{ path: childPath, kind: 'unknown' as const, message: 'field not declared in schema' }]
    })
  }
  if (schema.type === 'list') {
    if (!Array.isArray(value)) return [typeProblem(path, 'list', value)]
    return value.flatMap((item: unknown, index) => findProblems(item, schema.of, `${path}[${index}]`))
  }
  return scalarFits(value, schema.type)
    ? []
    : [typeProblem(path, SCALAR_NAMES[schema.type] ?? 'scalar', value)]
}

const SCALAR_NAMES: Readonly<Record<string, string>> = {
  text: 'string',
  int: 'numeric (int or float)',
  bool: 'boolean',
}

function scalarFits(value: unknown, type: Schema['type']): boolean {
  if (type === 'text') return typeof value === 'string'
  if (type === 'int') return typeof value === 'number' && Number.isInteger(value)
  if (type === 'bool') return typeof value === 'boolean'
  return typeof value === 'string' || typeof value === 'number'
}

function typeProblem(path: string, expected: string, value: unknown): Problem {
  const got = Array.isArray(value) ? 'list' : isObject(value) ? 'map' : typeof value
  return { path, kind: 'type', message: `expected ${expected}, got ${got}` }
}

/** The value as the server would store it: quantities spelled canonically, unknown fields and nulls dropped. */
export function normalise(value: unknown, schema: Schema): unknown {
  if (schema.type === 'quantity') return canonicalQuantity(value)
  if (schema.type === 'list' && Array.isArray(value)) return value.map((item) => normalise(item, schema.of))
  if ((schema.type !== 'struct' && schema.type !== 'map') || !isObject(value)) return value
  const result: JsonObject = {}
  for (const [field, child] of Object.entries(value)) {
    const below = childSchema(schema, field)
    if (below !== undefined && child !== null && child !== undefined) result[field] = normalise(child, below)
  }
  return result
}
