import { asRecord } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { AttributePath } from './filter.ts'
import { type Attribute, attributeNamed, type ResourceKind } from './schema.ts'

/** A SCIM resource as plain JSON, its attributes named as in their schema. */
export type Resource = Readonly<Record<string, unknown>>

const MOST_TEXT = 1_000
const MOST_VALUES = 100

/**
 * Attributes as a client sent them, in the form of their schema: names in its spelling, booleans that
 * came as text (`"True"`) as booleans, null and empty lists as absent. Attributes of no schema of ours
 * are left out, as RFC 7643 §3.1 allows; read-only ones too.
 */
export function conform(kind: ResourceKind, raw: unknown, mostMembers = MOST_VALUES): Result<Resource> {
  const record = asRecord(raw)
  if (record === undefined)
    return refuse('scim.syntax_invalid', 'no object', 'The resource is a JSON object.')
  return conformObject(kind.attributes, record, mostMembers)
}

function conformObject(
  attributes: readonly Attribute[],
  raw: Resource,
  most: number,
): Result<Record<string, unknown>> {
  const found: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(raw)) {
    const attribute = attributeNamed(attributes, name)
    if (attribute === undefined || attribute.mutability === 'readOnly') continue
    if (Object.hasOwn(found, attribute.name)) return invalid(attribute, 'stands twice')
    const conformed = conformValue(attribute, value, most)
    if (!conformed.ok) return conformed
    if (conformed.value !== undefined) found[attribute.name] = conformed.value
  }
  return ok(found)
}

/** One attribute's value, or undefined for none. A single value of a list is a list of one. */
export function conformValue(attribute: Attribute, value: unknown, most = MOST_VALUES): Result<unknown> {
  if (value === null || value === undefined) return ok(undefined)
  if (!attribute.multiValued) return conformOne(attribute, value, most)
  const values = Array.isArray(value) ? value : [value]
  if (values.length > most) return invalid(attribute, `has more than ${most} values`)
  const conformed: unknown[] = []
  for (const each of values) {
    const one = conformOne(attribute, each, most)
    if (!one.ok) return one
    if (one.value !== undefined) conformed.push(one.value)
  }
  return ok(conformed.length === 0 ? undefined : onePrimary(conformed))
}

function conformOne(attribute: Attribute, value: unknown, most: number): Result<unknown> {
  if (value === null) return ok(undefined)
  if (attribute.type === 'complex') {
    // Okta and Entra send `manager` and members as a bare id.
    const record = typeof value === 'string' ? { value } : asRecord(value)
    if (record === undefined) return invalid(attribute, 'is an object')
    const object = conformObject(attribute.subAttributes, record, most)
    return !object.ok || Object.keys(object.value).length > 0 ? object : ok(undefined)
  }
  if (attribute.type === 'boolean') {
    const flag = booleanOf(value)
    return flag === undefined ? invalid(attribute, 'is true or false') : ok(flag)
  }
  if (typeof value !== 'string' || value.length > MOST_TEXT || /\p{Cc}/u.test(value)) {
    return invalid(attribute, `is a text of at most ${MOST_TEXT} printable characters`)
  }
  return ok(value === '' ? undefined : value)
}

/** Entra sends `"True"` and `"False"`. */
export function booleanOf(value: unknown): boolean | undefined {
  if (typeof value === 'boolean') return value
  const word = typeof value === 'string' ? value.toLowerCase() : ''
  return word === 'true' ? true : word === 'false' ? false : undefined
}

/** Of several primary values the last one is (RFC 7643 §2.4 allows one). */
function onePrimary(values: readonly unknown[]): unknown[] {
  const last = values.findLastIndex((value) => asRecord(value)?.['primary'] === true)
  return values.map((value, index) => {
    const record = asRecord(value)
    return record?.['primary'] === true && index !== last ? { ...record, primary: false } : value
  })
}

function invalid(attribute: Attribute, what: string) {
  return refuse('scim.value_invalid', attribute.name, `${attribute.name}: ${what}`)
}

/**
 * The attributes that a path leads through, from the top; undefined when it names nothing there.
 *
 * The URN of the extension alone is an attribute too, spelt like one of another schema.
 */
export function attributesAt(kind: ResourceKind, path: AttributePath): readonly Attribute[] | undefined {
  const { name, schema, sub } = path
  if (schema === undefined || schema === kind.schema.toLowerCase()) return through(kind.attributes, name, sub)
  const urn = kind.extension
  if (urn === undefined) return undefined
  if (schema === urn.toLowerCase()) return through(kind.attributes, urn, name, sub)
  const whole = `${schema}:${name}${sub === undefined ? '' : `.${sub}`}`
  return whole === urn.toLowerCase() ? through(kind.attributes, urn) : undefined
}

function through(attributes: readonly Attribute[], ...names: readonly (string | undefined)[]) {
  const found: Attribute[] = []
  let level = attributes
  for (const name of names) {
    if (name === undefined) continue
    const attribute = attributeNamed(level, name)
    if (attribute === undefined) return undefined
    found.push(attribute)
    level = attribute.subAttributes
  }
  return found
}
