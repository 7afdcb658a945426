/**
 * A Firestore value. Integers are exact 64-bit, times are microseconds since 1970 (exact up to the year
 * 9999, where a number is not), a vector is the map it is on the
 * wire. Values are shared between versions, snapshots and answers and are never changed.
 */
export type Value =
  | { readonly kind: 'null' }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'integer'; readonly value: bigint }
  | { readonly kind: 'double'; readonly value: number }
  | { readonly kind: 'timestamp'; readonly value: bigint }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'bytes'; readonly value: Uint8Array }
  | { readonly kind: 'reference'; readonly value: string }
  | { readonly kind: 'geoPoint'; readonly latitude: number; readonly longitude: number }
  | { readonly kind: 'array'; readonly values: readonly Value[] }
  | { readonly kind: 'map'; readonly fields: Fields }

/** A map value's or a document's fields, by name. */
export type Fields = ReadonlyMap<string, Value>

export type NumberValue = Extract<Value, { kind: 'integer' | 'double' }>

export const NULL: Value = { kind: 'null' }

/** Integers and doubles alike: Firestore compares them as one type. */
export function isNumber(value: Value | undefined): value is NumberValue {
  return value?.kind === 'integer' || value?.kind === 'double'
}

export function isNaNValue(value: Value): boolean {
  return value.kind === 'double' && Number.isNaN(value.value)
}

/** The number list of a vector value (`FieldValue.vector`), or `undefined` for any other value. */
export function vectorOf(value: Value): readonly Value[] | undefined {
  if (value.kind !== 'map') return undefined
  const type = value.fields.get('__type__')
  const numbers = value.fields.get('value')
  return type?.kind === 'string' && type.value === '__vector__' && numbers?.kind === 'array'
    ? numbers.values
    : undefined
}

/** The value at a field path, or `undefined` when any step is missing. */
export function valueAt(fields: Fields, path: readonly string[]): Value | undefined {
  let current: Value | undefined
  let level: Fields | undefined = fields
  for (const segment of path) {
    current = level?.get(segment)
    if (current === undefined) return undefined
    level = current.kind === 'map' ? current.fields : undefined
  }
  return current
}

/** The fields with one path set (`undefined` removes it); maps on the way are created or replaced. */
export function withValueAt(fields: Fields, path: readonly string[], value: Value | undefined): Fields {
  const [head, ...rest] = path
  if (head === undefined) return fields
  const existing = fields.get(head)
  const next = rest.length === 0 ? value : nested(existing, rest, value)
  if (next === existing) return fields
  const copy = new Map(fields)
  if (next === undefined) copy.delete(head)
  else copy.set(head, next)
  return copy
}

function nested(existing: Value | undefined, rest: string[], value: Value | undefined): Value | undefined {
  if (existing?.kind !== 'map' && value === undefined) return existing
  const inner = existing?.kind === 'map' ? existing.fields : new Map<string, Value>()
  const changed = withValueAt(inner, rest, value)
  return changed === inner && existing?.kind === 'map' ? existing : { kind: 'map', fields: changed }
}

/** Whether two values are the same to the last bit: type included, so 1 and 1.0 differ. */
export function isIdentical(left: Value, right: Value): boolean {
  if (left === right) return true
  switch (left.kind) {
    case 'null':
      return right.kind === 'null'
    case 'double':
      return right.kind === 'double' && Object.is(left.value, right.value)
    case 'bytes':
      return right.kind === 'bytes' && Buffer.compare(left.value, right.value) === 0
    case 'geoPoint':
      return (
        right.kind === 'geoPoint' && left.latitude === right.latitude && left.longitude === right.longitude
      )
    case 'array':
      return right.kind === 'array' && sameList(left.values, right.values)
    case 'map':
      return right.kind === 'map' && sameFields(left.fields, right.fields)
    default:
      return right.kind === left.kind && right.value === left.value
  }
}

function sameList(left: readonly Value[], right: readonly Value[]): boolean {
  if (left.length !== right.length) return false
  return left.every((value, index) => {
    const other = right[index]
    return other !== undefined && isIdentical(value, other)
  })
}

/** Whether two documents hold the same fields to the last bit. */
export function sameFields(left: Fields, right: Fields): boolean {
  if (left === right) return true
  if (left.size !== right.size) return false
  for (const [name, value] of left) {
    const other = right.get(name)
    if (other === undefined || !isIdentical(value, other)) return false
  }
  return true
}
