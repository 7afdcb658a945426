import { z } from 'zod'
import { asRecord, parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { type PatchPath, parseAttributePath, parsePatchPath, type ScimFilter } from './filter.ts'
import { matchesValue } from './match.ts'
import { attributesAt, conformValue, type Resource } from './resource.ts'
import type { Attribute, ResourceKind } from './schema.ts'

/** One operation of a PATCH (RFC 7644 §3.5.2). */
export type PatchOperation = {
  readonly op: 'add' | 'replace' | 'remove'
  readonly path: PatchPath | undefined
  readonly value: unknown
}

export const PATCH_SCHEMA = 'urn:ietf:params:scim:api:messages:2.0:PatchOp'
const MOST_OPERATIONS = 100

const parseBody = parser(
  z.object({
    schemas: z.array(z.string()).optional(),
    Operations: z
      .array(
        z.object({
          // Entra sends `Add`, `Replace` and `Remove`.
          op: z
            .string()
            .transform((op) => op.toLowerCase())
            .pipe(z.enum(['add', 'replace', 'remove'])),
          path: z.string().nullish(),
          value: z.unknown().optional(),
        }),
      )
      .min(1)
      .max(MOST_OPERATIONS),
  }),
  'scim.syntax_invalid',
)

/** Reads the message of a PATCH; its paths are parsed and not yet looked up. */
export function parsePatch(raw: unknown): Result<readonly PatchOperation[]> {
  const body = parseBody(raw)
  if (!body.ok) return body
  if (body.value.schemas !== undefined && !body.value.schemas.includes(PATCH_SCHEMA)) {
    return refuse('scim.syntax_invalid', 'schemas', `schemas: names ${PATCH_SCHEMA}`)
  }
  const operations: PatchOperation[] = []
  for (const { op, path, value } of body.value.Operations) {
    if (path === undefined || path === null || path === '') {
      if (op === 'remove')
        return refuse('scim.no_target', 'remove without path', 'What to remove is in path.')
      operations.push({ op, path: undefined, value })
      continue
    }
    const parsed = parsePatchPath(path)
    if (!parsed.ok) return parsed
    operations.push({ op, path: parsed.value, value })
  }
  return ok(operations)
}

/**
 * The resource after all operations, or the refusal of the first that cannot be done: then nothing is.
 *
 * `active` and other members stand in the resource like any attribute; read-only ones cannot be named.
 */
export function applyPatch(
  kind: ResourceKind,
  resource: Resource,
  operations: readonly PatchOperation[],
  mostMembers?: number,
): Result<Resource> {
  let current: Resource = resource
  for (const operation of operations) {
    const next =
      operation.path === undefined
        ? applyWhole(kind, current, operation, mostMembers)
        : applyAt(kind, current, operation.op, operation.path, operation.value, mostMembers)
    if (!next.ok) return next
    current = next.value
  }
  return ok(current)
}

/** Without a path the value names its attributes itself; Entra and Okta put paths such as `name.familyName` there. */
function applyWhole(
  kind: ResourceKind,
  resource: Resource,
  { op, value }: PatchOperation,
  most: number | undefined,
): Result<Resource> {
  const members = asRecord(value)
  if (members === undefined)
    return refuse('scim.value_invalid', 'no object', 'Without a path, value is an object.')
  let current: Resource = resource
  for (const [name, member] of Object.entries(members)) {
    if (name.toLowerCase() === 'schemas') continue
    const path = parsePatchPath(name)
    const known = path.ok ? attributesAt(kind, path.value.path) : undefined
    // What no schema of ours has is left out, and what we set ourselves comes back unchanged from many clients.
    if (!path.ok || known === undefined || known[0]?.mutability === 'readOnly') continue
    const next = applyAt(kind, current, op, path.value, member, most)
    if (!next.ok) return next
    current = next.value
  }
  return ok(current)
}

function applyAt(
  kind: ResourceKind,
  resource: Resource,
  op: PatchOperation['op'],
  { filter, path }: PatchPath,
  value: unknown,
  most: number | undefined,
): Result<Resource> {
  const attributes = attributesAt(kind, path)
  const [top, ...below] = attributes ?? []
  if (top === undefined)
    return refuse('scim.path_invalid', 'unknown attribute', 'The path names no attribute.')
  if (attributes?.some(({ mutability }) => mutability === 'readOnly') === true) {
    return refuse('scim.immutable', top.name, `${top.name}: is set by us`)
  }
  const before = resource[top.name]
  const changed =
    filter === undefined
      ? changeValue(top, below, before, op, value, most)
      : changeSelected(top, below, before, op, filter, value, most)
  if (!changed.ok) return changed
  const { [top.name]: _old, ...rest } = resource
  return ok(changed.value === undefined ? rest : { ...rest, [top.name]: changed.value })
}

function changeValue(
  attribute: Attribute,
  below: readonly Attribute[],
  before: unknown,
  op: PatchOperation['op'],
  value: unknown,
  most: number | undefined,
): Result<unknown> {
  const [next, ...deeper] = below
  if (next !== undefined) {
    if (attribute.multiValued) return changeEach(attribute, below, before, op, value, most)
    const object = asRecord(before) ?? {}
    const changed = changeValue(next, deeper, object[next.name], op, value, most)
    if (!changed.ok) return changed
    const { [next.name]: _old, ...rest } = object
    return nonEmpty(changed.value === undefined ? rest : { ...rest, [next.name]: changed.value })
  }
  if (op === 'remove') return ok(removed(attribute, before, value))
  const conformed = conformValue(attribute, value, most)
  if (!conformed.ok || op === 'replace') {
    return conformed.ok && attribute.type === 'complex' && !attribute.multiValued
      ? ok({ ...asRecord(before), ...asRecord(conformed.value) })
      : conformed
  }
  if (attribute.multiValued) return conformValue(attribute, merged(before, conformed.value), most)
  if (attribute.type === 'complex') return ok({ ...asRecord(before), ...asRecord(conformed.value) })
  return ok(conformed.value ?? before)
}

/** A list without the values named; all of them when none is (Entra names the members to remove in `value`). */
function removed(attribute: Attribute, before: unknown, value: unknown): unknown {
  if (!attribute.multiValued || !Array.isArray(before) || value === undefined || value === null)
    return undefined
  const named = (Array.isArray(value) ? value : [value]).map((each) => asRecord(each)?.['value'] ?? each)
  const left = before.filter((each) => !named.includes(asRecord(each)?.['value']))
  return left.length === 0 ? undefined : left
}

/** Values added to a list; one that is there already is not there twice, and a new primary one is the only one. */
function merged(before: unknown, added: unknown): unknown[] {
  const old = Array.isArray(before) ? before : []
  const fresh = (Array.isArray(added) ? added : []).filter(
    (value) => !old.some((known) => sameValue(known, value)),
  )
  return [...old, ...fresh]
}

function sameValue(left: unknown, right: unknown): boolean {
  const [a, b] = [asRecord(left), asRecord(right)]
  if (a?.['value'] !== undefined && a['value'] === b?.['value'] && a['type'] === b?.['type']) return true
  return JSON.stringify(left) === JSON.stringify(right)
}

/** A path such as `emails.type`, without a filter: all values of the list. */
function changeEach(
  attribute: Attribute,
  below: readonly Attribute[],
  before: unknown,
  op: PatchOperation['op'],
  value: unknown,
  most: number | undefined,
): Result<unknown> {
  const single: Attribute = { ...attribute, multiValued: false }
  const values = Array.isArray(before) && before.length > 0 ? before : op === 'remove' ? [] : [{}]
  const changed: unknown[] = []
  for (const each of values) {
    const one = changeValue(single, below, each, op, value, most)
    if (!one.ok) return one
    if (one.value !== undefined) changed.push(one.value)
  }
  return ok(changed.length === 0 ? undefined : changed)
}

function changeSelected(
  attribute: Attribute,
  below: readonly Attribute[],
  before: unknown,
  op: PatchOperation['op'],
  filter: ScimFilter,
  value: unknown,
  most: number | undefined,
): Result<unknown> {
  if (!attribute.multiValued) {
    return refuse('scim.path_invalid', 'filter on one value', `${attribute.name}: is no list`)
  }
  const values: readonly unknown[] = Array.isArray(before) ? before : []
  const selected = values.filter((each) => matchesValue(attribute, each, filter))
  if (op === 'remove' && below.length === 0) {
    const left = values.filter((each) => !selected.includes(each))
    return ok(left.length === 0 ? undefined : left)
  }
  if (selected.length === 0) {
    if (op === 'remove') return ok(before)
    const described = describedBy(filter)
    if (described === undefined)
      return refuse('scim.no_target', 'nothing selected', 'The path selects nothing.')
    return changeSelected(attribute, below, [...values, described], op, filter, value, most)
  }
  const single: Attribute = { ...attribute, multiValued: false }
  const changed: unknown[] = []
  for (const each of values) {
    const one = selected.includes(each) ? changeValue(single, below, each, op, value, most) : ok(each)
    if (!one.ok) return one
    if (one.value !== undefined) changed.push(one.value)
  }
  return conformValue(attribute, changed, most)
}

/**
 * The value that a filter of equalities describes: Entra sets `emails[type eq "work"].value` of a person
 * who has no such address yet, and means a new one. Undefined for any other filter.
 */
function describedBy(filter: ScimFilter): Record<string, unknown> | undefined {
  if (filter.kind === 'and') {
    const [left, right] = [describedBy(filter.left), describedBy(filter.right)]
    return left === undefined || right === undefined ? undefined : { ...left, ...right }
  }
  if (filter.kind !== 'compare' || filter.op !== 'eq' || filter.value === null) return undefined
  return { [filter.path.name]: filter.value }
}

function nonEmpty(object: Record<string, unknown>): Result<unknown> {
  return ok(Object.keys(object).length === 0 ? undefined : object)
}

/** The attributes that `attributes` or `excludedAttributes` names; undefined for a list that cannot be read. */
export function parseAttributeList(text: string): Result<ReturnType<typeof parseAttributePath>[]> {
  const names = text.split(',').map((name) => name.trim())
  if (names.length > 50) return refuse('scim.path_invalid', 'too many attributes', 'At most 50 are named.')
  return ok(names.map(parseAttributePath))
}
