import { expect, test } from 'vitest'
import { type CompositeIndex, requireIndexes } from '#local/engine/firestore/indexes.ts'
import { planQuery } from '#local/engine/firestore/query-plan.ts'
import type { WireFilter, WireQuery } from '#local/engine/firestore/wire.ts'

const DATABASE = 'projects/demo-p/databases/(default)'
const ONE = { integerValue: '1' }

const where = (fieldPath: string, op: string): WireFilter => ({
  fieldFilter: { field: { fieldPath }, op, value: op === 'IN' ? { arrayValue: { values: [ONE] } } : ONE },
})
const and = (...filters: WireFilter[]): WireFilter => ({ compositeFilter: { op: 'AND', filters } })
const by = (fieldPath: string, direction = 'ASCENDING') => ({ field: { fieldPath }, direction })
const index = (...fields: string[]): CompositeIndex => ({
  collectionGroup: 'c',
  queryScope: 'COLLECTION',
  fields: fields.map((field) =>
    field.startsWith('-')
      ? { fieldPath: field.slice(1), order: 'DESCENDING' as const }
      : { fieldPath: field, order: 'ASCENDING' as const },
  ),
})

function check(query: WireQuery, indexes: CompositeIndex[], allDescendants = false): string {
  const plan = planQuery(DATABASE, '', { from: [{ collectionId: 'c', allDescendants }], ...query })
  try {
    requireIndexes(indexes).check(plan)
    return 'answered'
  } catch (error) {
    return error instanceof Error && 'code' in error ? `code ${error.code}` : 'unexpected'
  }
}

test.each<[string, WireQuery, CompositeIndex[]]>([
  ['a range on one field', { where: where('n', 'GREATER_THAN') }, []],
  ['an order on one field', { orderBy: [by('n', 'DESCENDING')] }, []],
  ['several equalities', { where: and(where('a', 'EQUAL'), where('b', 'EQUAL')) }, []],
  ['an equality and an order', { where: where('a', 'EQUAL'), orderBy: [by('n')] }, [index('a', 'n')]],
  [
    'an equality whose direction differs',
    { where: where('a', 'EQUAL'), orderBy: [by('n')] },
    [index('-a', 'n')],
  ],
  [
    'an index that names the name',
    { where: where('a', 'EQUAL'), orderBy: [by('n')] },
    [index('a', 'n', '__name__')],
  ],
  [
    'two indexes merged',
    { where: and(where('a', 'EQUAL'), where('b', 'EQUAL')), orderBy: [by('n')] },
    [index('a', 'n'), index('b', 'n')],
  ],
  ['names backwards', { orderBy: [by('__name__', 'DESCENDING')] }, [index('-__name__')]],
])('%s is answered', (_name, query, indexes) => {
  expect(check(query, indexes)).toBe('answered')
})

test.each<[string, WireQuery, CompositeIndex[]]>([
  ['an equality and an order', { where: where('a', 'EQUAL'), orderBy: [by('n')] }, []],
  ['an index in the other direction', { where: where('a', 'EQUAL'), orderBy: [by('n')] }, [index('a', '-n')]],
  [
    'an index of fewer fields',
    { where: and(where('a', 'EQUAL'), where('b', 'EQUAL')), orderBy: [by('n')] },
    [index('a', 'n')],
  ],
  ['an index of more fields', { where: where('a', 'EQUAL'), orderBy: [by('n')] }, [index('a', 'b', 'n')]],
  ['inequalities on two fields', { where: and(where('a', 'GREATER_THAN'), where('b', 'LESS_THAN')) }, []],
  ['in with an order', { where: where('a', 'IN'), orderBy: [by('n')] }, []],
  ['names backwards', { orderBy: [by('__name__', 'DESCENDING')] }, []],
])('%s is refused as in production', (_name, query, indexes) => {
  expect(check(query, indexes)).toBe('code 9')
})

test('a collection group needs even its single-field indexes listed, in group scope', () => {
  const query = { where: where('a', 'EQUAL') }
  expect(check(query, [index('a')], true)).toBe('code 9')
  expect(check(query, [{ ...index('a'), queryScope: 'COLLECTION_GROUP' }], true)).toBe('answered')
  expect(check({}, [], true)).toBe('answered')
})

test('the refusal names the index to add', () => {
  const plan = planQuery(DATABASE, '', {
    from: [{ collectionId: 'c' }],
    where: where('a', 'EQUAL'),
    orderBy: [by('n', 'DESCENDING')],
  })
  const expected = JSON.stringify(index('a', '-n'))
  expect(() => requireIndexes([]).check(plan)).toThrow(expected)
})
