import {
  add,
  type FieldSet,
  fieldSetOf,
  fromFieldsV1,
  pathKey,
  printPath,
  removeAt,
  sameSet,
  sameValue,
  toFieldsV1,
  valueAt,
} from './field-sets.ts'
import { isObject, type JsonObject, type KubeObject, type ManagedFields } from './json.ts'
import { childSchema, isAtomic, itemElement, type Schema } from './schema.ts'
import { apiError } from './status.ts'

export type Writer = {
  readonly manager: string
  readonly operation: 'Apply' | 'Update'
  readonly subresource: string
  readonly time: string
}

/**
 * Merges what a manager applies into the live object (structured-merge-diff v4).
 *
 * A field somebody else owns with another value is a conflict, unless `force` takes it over; a field
 * this manager owned and no longer names goes, unless somebody else owns it too.
 */
export function applyTo(
  live: KubeObject,
  config: KubeObject,
  schema: Schema,
  writer: Writer,
  force: boolean,
): KubeObject {
  const wanted = ownable(config, schema)
  const entries = live.metadata.managedFields ?? []
  const mine = entries.find((entry) => isBy(entry, writer))
  const others = entries
    .filter((entry) => entry !== mine)
    .map((entry) => ({ entry, set: fromFieldsV1(entry.fieldsV1) }))
  const conflicts = others.flatMap(({ entry, set }) =>
    [...wanted.values()]
      .filter((path) => set.has(pathKey(path)) && !sameLeaf(live, config, path, schema))
      .map((path) => ({ entry, path })),
  )
  if (conflicts.length > 0 && !force) throw conflictError(conflicts)
  const lost = new Set(conflicts.map(({ path }) => pathKey(path)))

  const merged = structuredClone(live)
  const ownedByOthers: FieldSet = new Map(others.flatMap(({ set }) => [...set]))
  removeDropped(merged, mine, wanted, ownedByOthers)
  mergeInto(merged, config, schema)
  const kept = others.map(({ entry, set }) => withSet(entry, set, (key) => !lost.has(key)))
  merged.metadata.managedFields = [...kept.filter(hasFields), entryOf(live, writer, wanted, mine)]
  return merged
}

/** Server-owned metadata is never claimed by an apply. */
const UNOWNED = new Set([
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'selfLink',
  'generation',
  'managedFields',
])

function ownable(object: KubeObject, schema: Schema): FieldSet {
  const { apiVersion: _version, kind: _kind, metadata, ...rest } = object
  const kept = Object.fromEntries(Object.entries(metadata).filter(([field]) => !UNOWNED.has(field)))
  return fieldSetOf(Object.keys(kept).length === 0 ? rest : { ...rest, metadata: kept }, schema)
}

function isBy(entry: ManagedFields, writer: Writer): boolean {
  return (
    entry.manager === writer.manager &&
    entry.operation === writer.operation &&
    (entry.subresource ?? '') === writer.subresource
  )
}

/** An item of an associative list conflicts through its fields, never by merely being there. */
function sameLeaf(live: KubeObject, config: KubeObject, path: readonly string[], schema: Schema): boolean {
  const below = schemaAt(schema, path)
  if (below === undefined || !isAtomic(below)) return true
  return sameValue(valueAt(live, path), valueAt(config, path))
}

function schemaAt(schema: Schema, path: readonly string[]): Schema | undefined {
  let current: Schema | undefined = schema
  for (const element of path) {
    if (current === undefined) return undefined
    if (element.startsWith('f:')) current = childSchema(current, element.slice(2))
    else if (current.type === 'list') current = current.of
  }
  return current
}

function removeDropped(
  merged: KubeObject,
  mine: ManagedFields | undefined,
  wanted: FieldSet,
  ownedByOthers: FieldSet,
): void {
  if (mine === undefined) return
  const dropped = [...fromFieldsV1(mine.fieldsV1).values()].filter(
    (path) => !wanted.has(pathKey(path)) && !ownedByOthers.has(pathKey(path)),
  )
  const owned: FieldSet = new Map([...wanted, ...ownedByOthers])
  // Shallowest first: an item goes as a whole, before its keys could go and make it unfindable.
  for (const path of dropped.sort((a, b) => a.length - b.length)) {
    const prefix = `${pathKey(path)}\u0000`
    // Somebody still owns a part of it: then it stays, with that part.
    if ([...owned.keys()].some((key) => key.startsWith(prefix))) continue
    removeAt(merged, path, owned)
  }
}

/** Writes `config` over `target`, list items found by their keys. */
function mergeInto(target: JsonObject, config: JsonObject, schema: Schema): void {
  for (const [field, value] of Object.entries(config)) {
    const below = childSchema(schema, field)
    if (below === undefined || value === null || value === undefined) continue
    target[field] = mergeValue(target[field], value, below)
  }
}

function mergeValue(current: unknown, value: unknown, schema: Schema): unknown {
  if (isAtomic(schema)) return structuredClone(value)
  if (schema.type === 'list' && schema.by !== 'atomic' && Array.isArray(value)) {
    return mergeList(Array.isArray(current) ? current : [], value, schema.of, schema.by)
  }
  if (!isObject(value)) return value
  const target: JsonObject = isObject(current) ? current : {}
  mergeInto(target, value, schema)
  return target
}

function mergeList(
  current: unknown[],
  value: unknown[],
  of: Schema,
  by: 'set' | readonly string[],
): unknown[] {
  const result = [...current]
  for (const item of value) {
    const element = itemElement(by, item)
    const index = result.findIndex((old) => itemElement(by, old) === element)
    if (index < 0) result.push(structuredClone(item))
    else if (by !== 'set') result[index] = mergeValue(result[index], item, of)
  }
  return result
}

/**
 * Records who owns what after a write that is not an apply: the writer gains what it changed, everybody
 * else loses it.
 */
export function trackUpdate(old: KubeObject, next: KubeObject, schema: Schema, writer: Writer): void {
  const before = ownable(old, schema)
  const after = ownable(next, schema)
  const changed: FieldSet = new Map()
  for (const path of after.values()) {
    if (!before.has(pathKey(path)) || !sameLeaf(old, next, path, schema)) add(changed, path)
  }
  const gone = new Set([...before.keys()].filter((key) => !after.has(key)))
  const entries = old.metadata.managedFields ?? []
  const mine = entries.find((entry) => isBy(entry, writer))
  const others = entries
    .filter((entry) => entry !== mine)
    .map((entry) =>
      withSet(entry, fromFieldsV1(entry.fieldsV1), (key) => !gone.has(key) && !changed.has(key)),
    )
  const kept: FieldSet = mine === undefined ? new Map() : fromFieldsV1(mine.fieldsV1)
  for (const key of gone) kept.delete(key)
  const set: FieldSet = new Map([...kept, ...changed])
  const own = set.size === 0 ? [] : [entryOf(next, writer, set, mine)]
  next.metadata.managedFields = [...others.filter(hasFields), ...own]
}

function withSet(entry: ManagedFields, set: FieldSet, keep: (key: string) => boolean): ManagedFields {
  const kept: FieldSet = new Map([...set].filter(([key]) => keep(key)))
  return kept.size === set.size ? entry : { ...entry, fieldsV1: toFieldsV1(kept) }
}

const hasFields = (entry: ManagedFields): boolean => Object.keys(entry.fieldsV1).length > 0

function entryOf(object: KubeObject, writer: Writer, set: FieldSet, before?: ManagedFields): ManagedFields {
  if (before !== undefined && sameSet(fromFieldsV1(before.fieldsV1), set)) return before
  return {
    manager: writer.manager,
    operation: writer.operation,
    apiVersion: object.apiVersion,
    time: writer.time,
    fieldsType: 'FieldsV1',
    fieldsV1: toFieldsV1(set),
    ...(writer.subresource === '' ? {} : { subresource: writer.subresource }),
  }
}

function printManager(entry: ManagedFields): string {
  const name = `${JSON.stringify(entry.manager)}${
    entry.subresource === undefined ? '' : ` with subresource ${JSON.stringify(entry.subresource)}`
  }`
  return entry.operation === 'Apply' ? name : `${name} using ${entry.apiVersion} at ${entry.time}`
}

type FieldConflict = { readonly entry: ManagedFields; readonly path: readonly string[] }

function conflictError(conflicts: readonly FieldConflict[]) {
  const sorted = conflicts
    .map(({ entry, path }) => ({ manager: printManager(entry), field: printPath(path) }))
    .sort((a, b) => compare(a.manager, b.manager) || compare(a.field, b.field))
  const [first] = sorted
  const lines = [...new Set(sorted.map(({ manager }) => manager))].flatMap((manager) => [
    `conflicts with ${manager}:`,
    ...sorted.filter((one) => one.manager === manager).map(({ field }) => `- ${field}`),
  ])
  const message =
    sorted.length === 1
      ? `Apply failed with 1 conflict: conflict with ${first?.manager}: ${first?.field}`
      : `Apply failed with ${sorted.length} conflicts: ${lines.join('\n')}`
  return apiError(409, 'Conflict', message, {
    causes: sorted.map(({ manager, field }) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with ${manager}`,
      field,
    })),
  })
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
