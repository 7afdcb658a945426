import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseFilter } from '#local/engine/pubsub/filter.ts'

type Attributes = Readonly<Record<string, string>>

const matches = (filter: string, attributes: Attributes): boolean => {
  const parsed = parseFilter(filter)
  if (!parsed.ok) throw new Error(parsed.problem)
  return parsed.matches(attributes)
}

describe('what a filter lets through', () => {
  test.each<[string, Attributes, boolean]>([
    ['', {}, true],
    ['attributes:a', { a: '' }, true],
    ['attributes:a', {}, false],
    ['attributes.a = "1"', { a: '1' }, true],
    ['attributes.a="1"', { a: '1' }, true],
    ['attributes.a = "1"', { a: '2' }, false],
    ['attributes.a != "1"', { a: '2' }, true],
    ['attributes.a != "1"', {}, true],
    ['hasPrefix(attributes.a, "co")', { a: 'com' }, true],
    ['hasPrefix(attributes.a, "co")', { a: 'org' }, false],
    ['hasPrefix(attributes.a, "")', {}, false],
    ['NOT attributes:a', { b: '1' }, true],
    ['-attributes:a', { a: '1' }, false],
    ['NOT NOT attributes:a', { a: '1' }, true],
    ['attributes:a AND attributes:b AND attributes:c', { a: '', b: '', c: '' }, true],
    ['attributes:a OR attributes:b', { b: '' }, true],
    ['attributes:a AND (attributes:b OR attributes:c)', { a: '', c: '' }, true],
    ['attributes:a AND NOT (attributes:b OR attributes:c)', { a: '', c: '' }, false],
    ['attributes:"iana.org/language_tag"', { 'iana.org/language_tag': 'en' }, true],
    ['attributes."iana.org/language_tag" = "en"', { 'iana.org/language_tag': 'en' }, true],
    ['attributes.x-y_z = "1"', { 'x-y_z': '1' }, true],
    ['attributes.a = "\\u00e9\\x41\\101\\n\\""', { a: 'éAA\n"' }, true],
    ['attributes:__proto__', {}, false],
    ['attributes.constructor != "x"', {}, true],
  ])('%s with %j: %s', (filter, attributes, expected) => {
    expect(matches(filter, attributes)).toBe(expected)
  })
})

test.each([
  'attributes',
  'attributes.a',
  'attributes.a = 1',
  "attributes.a = '1'",
  'attributes.a == "1"',
  'attributes.a > "1"',
  'attributes:a AND',
  'attributes:a and attributes:b',
  'attributes:a attributes:b',
  'attributes:a AND attributes:b OR attributes:c',
  'attributes:a OR attributes:b AND attributes:c',
  '(attributes:a',
  'attributes:a)',
  '()',
  'hasPrefix(attributes.a)',
  'hasprefix(attributes.a, "x")',
  'data = "x"',
  'attributes.a = "open',
  'attributes.a = "\\q"',
  'attributes.a = "\\UFFFFFFFF"',
  `attributes.a = "${'x'.repeat(256)}"`,
])('%s is refused', (filter) => {
  expect(parseFilter(filter).ok).toBe(false)
})

test('no text makes the parser throw', () => {
  const pieces = fc.constantFrom(
    'attributes',
    ':',
    '.',
    'a',
    '=',
    '!=',
    '"v"',
    '(',
    ')',
    'AND',
    'OR',
    'NOT',
    '-',
    '"',
    '\\',
  )
  const text = fc.oneof(
    fc.string(),
    fc.array(pieces, { maxLength: 20 }).map((parts) => parts.join(' ')),
  )
  fc.assert(
    fc.property(text, (filter) => typeof parseFilter(filter).ok === 'boolean'),
    { numRuns: 2000 },
  )
})

type Expression =
  | { kind: 'has'; key: string }
  | { kind: 'is'; key: string; value: string; equal: boolean }
  | { kind: 'prefix'; key: string; value: string }
  | { kind: 'not'; inner: Expression }
  | { kind: 'all' | 'any'; inner: Expression[] }

const key = fc.constantFrom('a', 'b', 'c')
const value = fc.constantFrom('', 'x', 'xy', 'é"\\')
const { expression } = fc.letrec<{ expression: Expression }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 3 },
    fc.record({ kind: fc.constant('has' as const), key }),
    fc.record({ kind: fc.constant('is' as const), key, value, equal: fc.boolean() }),
    fc.record({ kind: fc.constant('prefix' as const), key, value }),
    fc.record({ kind: fc.constant('not' as const), inner: tie('expression') }),
    fc.record({
      kind: fc.constantFrom('all' as const, 'any' as const),
      inner: fc.array(tie('expression'), { minLength: 1, maxLength: 2 }),
    }),
  ),
}))

const write = (node: Expression): string => {
  switch (node.kind) {
    case 'has':
      return `attributes:${node.key}`
    case 'is':
      return `attributes.${node.key} ${node.equal ? '=' : '!='} ${JSON.stringify(node.value)}`
    case 'prefix':
      return `hasPrefix(attributes.${node.key}, ${JSON.stringify(node.value)})`
    case 'not':
      return `NOT (${write(node.inner)})`
    default:
      return `(${node.inner.map((inner) => `(${write(inner)})`).join(node.kind === 'all' ? ' AND ' : ' OR ')})`
  }
}

const evaluate = (node: Expression, attributes: Attributes): boolean => {
  switch (node.kind) {
    case 'has':
      return node.key in attributes
    case 'is':
      return (attributes[node.key] === node.value) === node.equal
    case 'prefix':
      return (attributes[node.key] ?? '\0').startsWith(node.value) && node.key in attributes
    case 'not':
      return !evaluate(node.inner, attributes)
    case 'all':
      return node.inner.every((inner) => evaluate(inner, attributes))
    case 'any':
      return node.inner.some((inner) => evaluate(inner, attributes))
  }
}

test('a written expression means what it says', () => {
  const attributes = fc.dictionary(key, value, { noNullPrototype: true })
  fc.assert(
    fc.property(expression, attributes, (node, given) => {
      const text = write(node)
      fc.pre(Buffer.byteLength(text) <= 256)
      expect(matches(text, given)).toBe(evaluate(node, given))
    }),
    { numRuns: 1000 },
  )
})
