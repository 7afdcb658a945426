import { isDeepStrictEqual } from 'node:util'
import { isObject, type JsonObject } from './json.ts'
import { childSchema, isAtomic, itemElement, type Schema } from './schema.ts'

/**
 * A set of field paths, as managedFields (FieldsV1) records them.
 *
 * A path is a list of elements: `f:name` a field, `k:{…}` an item found by its keys, `v:…` a member
 * of a set. The map's key is the joined path.
 */
type Path = readonly string[]
export type FieldSet = Map<string, Path>

const SEPARATOR = '\u0000'
/** A path as the key of a map. */
export const pathKey = (path: Path): string => path.join(SEPARATOR)

/** Adds one path to a set. */
export function add(set: FieldSet, path: Path): void {
  set.set(pathKey(path), path)
}

/** Every path a writer of `value` would own. */
export function fieldSetOf(
  value: unknown,
  schema: Schema,
  path: Path = [],
  set: FieldSet = new Map(),
): FieldSet {
  if (isAtomic(schema)) {
    if (path.length > 0) add(set, path)
    return set
  }
  if (schema.type === 'list' && Array.isArray(value) && schema.by !== 'atomic') {
    if (value.length === 0) add(set, path)
    for (const item of value) {
      const below = [...path, itemElement(schema.by, item)]
      add(set, below)
      if (schema.by !== 'set') fieldSetOf(item, schema.of, below, set)
    }
    return set
  }
  if (!isObject(value)) {
    if (path.length > 0) add(set, path)
    return set
  }
  for (const [field, child] of Object.entries(value)) {
    const below = [...path, `f:${field}`]
    const known = childSchema(schema, field)
    if (known === undefined) continue
    const empty = child === null || (isObject(child) && Object.keys(child).length === 0)
    if (empty || schema.type === 'map') add(set, below)
    if (!empty) fieldSetOf(child, known, below, set)
  }
  return set
}

/** A set of paths as `managedFields` shows it. */
export function toFieldsV1(set: FieldSet): JsonObject {
  const root: JsonObject = {}
  for (const path of [...set.values()].sort((a, b) => a.length - b.length)) {
    let node = root
    for (const element of path) {
      const next = node[element]
      const child: JsonObject = isObject(next) ? next : {}
      node[element] = child
      node = child
    }
    node['.'] = {}
  }
  return withoutLeafDots(root)
}

/** A leaf is an empty object; only a path that also has something below it keeps its dot. */
function withoutLeafDots(node: JsonObject): JsonObject {
  const entries = Object.entries(node)
  if (entries.length === 1 && entries[0]?.[0] === '.') return {}
  return Object.fromEntries(
    entries.map(([element, child]) => [element, isObject(child) ? withoutLeafDots(child) : {}]),
  )
}

/** The set of paths that `managedFields` shows. */
export function fromFieldsV1(node: JsonObject, path: Path = [], set: FieldSet = new Map()): FieldSet {
  const entries = Object.entries(node)
  if (entries.length === 0 && path.length > 0) add(set, path)
  for (const [element, child] of entries) {
    if (element === '.') add(set, path)
    else if (isObject(child)) fromFieldsV1(child, [...path, element], set)
  }
  return set
}

/** The value a path leads to, or nothing. */
export function valueAt(value: unknown, path: Path): unknown {
  let current = value
  for (const element of path) current = step(current, element)
  return current
}

function step(value: unknown, element: string): unknown {
  const rest = element.slice(2)
  if (element.startsWith('f:')) return isObject(value) && Object.hasOwn(value, rest) ? value[rest] : undefined
  if (!Array.isArray(value)) return undefined
  return value.find((item) => itemMatches(item, element))
}

function itemMatches(item: unknown, element: string): boolean {
  if (element.startsWith('v:')) return `v:${JSON.stringify(item)}` === element
  const key: unknown = JSON.parse(element.slice(2))
  return isObject(key) && itemElement(Object.keys(key), item) === element
}

/**
 * Takes the value at `path` away, and what held it if nothing is left there and nobody owns the empty rest.
 */
export function removeAt(value: unknown, path: Path, owned: FieldSet): void {
  const parent = valueAt(value, path.slice(0, -1))
  const last = path.at(-1) ?? ''
  if (isObject(parent)) delete parent[last.slice(2)]
  else if (Array.isArray(parent)) {
    const index = parent.findIndex((item) => itemMatches(item, last))
    if (index >= 0) parent.splice(index, 1)
  } else return
  const holder = path.slice(0, -1)
  const left = Array.isArray(parent) ? parent.length : Object.keys(parent).length
  if (left === 0 && holder.length > 1 && !owned.has(pathKey(holder))) removeAt(value, holder, owned)
}

/** The path as conflict messages print it: `.spec.hard.requests.cpu`, `.spec.containers[name="c"].image`. */
export function printPath(path: Path): string {
  return path
    .map((element) => {
      const rest = element.slice(2)
      if (element.startsWith('f:')) return `.${rest}`
      if (element.startsWith('v:')) return `[=${rest}]`
      const key: unknown = JSON.parse(rest)
      const parts = isObject(key) ? Object.entries(key) : []
      return `[${parts.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}]`
    })
    .join('')
}

export const sameSet = (a: FieldSet, b: FieldSet): boolean =>
  a.size === b.size && [...a.keys()].every((key) => b.has(key))

export const sameValue = (a: unknown, b: unknown): boolean => isDeepStrictEqual(a, b)
