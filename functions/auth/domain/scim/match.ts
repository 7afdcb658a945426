import { asRecord } from '#shared/json.ts'
import type { Comparison, FilterValue, ScimFilter } from './filter.ts'
import { attributesAt, booleanOf, type Resource } from './resource.ts'
import { type Attribute, attributeNamed, type ResourceKind } from './schema.ts'

/** Whether a resource is one that a filter asks for. What a filter names that no schema has is absent. */
export function matches(kind: ResourceKind, resource: Resource, filter: ScimFilter): boolean {
  switch (filter.kind) {
    case 'and':
      return matches(kind, resource, filter.left) && matches(kind, resource, filter.right)
    case 'or':
      return matches(kind, resource, filter.left) || matches(kind, resource, filter.right)
    case 'not':
      return !matches(kind, resource, filter.filter)
    case 'present':
      return leaves(resource, attributesAt(kind, filter.path)).length > 0
    case 'compare': {
      const attributes = attributesAt(kind, filter.path)
      return compareAny(leaves(resource, attributes), attributes?.at(-1), filter.op, filter.value)
    }
    case 'values': {
      const [attribute] = attributesAt(kind, filter.path) ?? []
      if (attribute === undefined) return false
      return valuesOf(resource[attribute.name]).some((value) => matchesValue(attribute, value, filter.filter))
    }
  }
}

/** Whether one value of a list is what a filter in brackets asks for; names in it are below the attribute. */
export function matchesValue(attribute: Attribute, value: unknown, filter: ScimFilter): boolean {
  switch (filter.kind) {
    case 'and':
      return matchesValue(attribute, value, filter.left) && matchesValue(attribute, value, filter.right)
    case 'or':
      return matchesValue(attribute, value, filter.left) || matchesValue(attribute, value, filter.right)
    case 'not':
      return !matchesValue(attribute, value, filter.filter)
    case 'values':
      return false
    default: {
      const below = attributeNamed(attribute.subAttributes, filter.path.name)
      const found = below === undefined ? [] : present(asRecord(value)?.[below.name])
      if (filter.kind === 'present') return found.length > 0
      return compareAny(found, below, filter.op, filter.value)
    }
  }
}

/** The values at the end of a path: of a list of objects those of `value`, as RFC 7644 has it. */
function leaves(resource: Resource, attributes: readonly Attribute[] | undefined): readonly unknown[] {
  if (attributes === undefined) return []
  let found: readonly unknown[] = [resource]
  for (const attribute of attributes) {
    found = found.flatMap((value) => valuesOf(asRecord(value)?.[attribute.name]))
  }
  const last = attributes.at(-1)
  if (last?.type !== 'complex' || !last.multiValued) return found
  return found.flatMap((value) => present(asRecord(value)?.['value']))
}

function valuesOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : present(value)
}

function present(value: unknown): readonly unknown[] {
  return value === undefined || value === null ? [] : [value]
}

/** Of several values one is enough; `ne` is the contrary of `eq`, and nothing at all equals null. */
function compareAny(
  values: readonly unknown[],
  attribute: Attribute | undefined,
  op: Comparison,
  wanted: FilterValue,
): boolean {
  if (op === 'ne') return !compareAny(values, attribute, 'eq', wanted)
  if (wanted === null) return op === 'eq' && values.length === 0
  return values.some((value) => compare(value, attribute, op, wanted))
}

function compare(
  value: unknown,
  attribute: Attribute | undefined,
  op: Comparison,
  wanted: string | number | boolean,
): boolean {
  if (typeof value === 'boolean') return op === 'eq' && value === booleanOf(wanted)
  if (typeof value !== 'string' || typeof wanted !== 'string') return false
  if (attribute?.type === 'dateTime') return ordered(op, Date.parse(value), Date.parse(wanted))
  const fold = (text: string): string => (attribute?.caseExact === true ? text : text.toLowerCase())
  const [left, right] = [fold(value), fold(wanted)]
  if (op === 'co') return left.includes(right)
  if (op === 'sw') return left.startsWith(right)
  if (op === 'ew') return left.endsWith(right)
  return ordered(op, left, right)
}

function ordered<T extends string | number>(op: Comparison, left: T, right: T): boolean {
  switch (op) {
    case 'eq':
      return left === right
    case 'gt':
      return left > right
    case 'ge':
      return left >= right
    case 'lt':
      return left < right
    case 'le':
      return left <= right
    default:
      return false
  }
}
