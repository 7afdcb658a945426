import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromWireValue, toWireValue } from '#local/engine/firestore/codec.ts'
import { compareValues } from '#local/engine/firestore/order.ts'
import { isIdentical, type Value } from '#local/engine/firestore/values.ts'

// The client sorts snapshots by its own comparison: where the two disagree, listeners see a wrong order.
const require = createRequire(import.meta.url)
const clientOrder: { compare(left: unknown, right: unknown): number } = require(
  join(dirname(require.resolve('@google-cloud/firestore')), 'order.js'),
)

const names = fc.constantFrom('a', 'b', 'ab', 'a-b', 'z', '10', '9', 'Ω')
const texts = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 4 }),
  fc.constantFrom('', '🙂', '\uffee', 'e\u0301'),
)
const scalar: fc.Arbitrary<Value> = fc.oneof(
  fc.constant<Value>({ kind: 'null' }),
  fc.boolean().map((value): Value => ({ kind: 'boolean', value })),
  fc.maxSafeInteger().map((value): Value => ({ kind: 'integer', value: BigInt(value) })),
  fc.integer({ min: -2, max: 2 }).map((value): Value => ({ kind: 'integer', value: BigInt(value) })),
  fc.double().map((value): Value => ({ kind: 'double', value })),
  fc.constantFrom(-0, 0, 1, Number.NaN).map((value): Value => ({ kind: 'double', value })),
  fc
    .bigInt({ min: -62_135_596_800_000_000n, max: 253_402_300_799_999_999n })
    .map((value): Value => ({ kind: 'timestamp', value })),
  texts.map((value): Value => ({ kind: 'string', value })),
  fc.uint8Array({ maxLength: 3 }).map((value): Value => ({ kind: 'bytes', value: Buffer.from(value) })),
  fc
    .tuple(names, names)
    .map(([c, d]): Value => ({ kind: 'reference', value: `projects/p/databases/d/documents/${c}/${d}` })),
  fc
    .tuple(fc.integer({ min: -90, max: 90 }), fc.integer({ min: -180, max: 180 }))
    .map(([latitude, longitude]): Value => ({ kind: 'geoPoint', latitude, longitude })),
)
const vector: fc.Arbitrary<Value> = fc.array(fc.double({ noNaN: true }), { minLength: 1, maxLength: 3 }).map(
  (numbers): Value => ({
    kind: 'map',
    fields: new Map<string, Value>([
      ['__type__', { kind: 'string', value: '__vector__' }],
      ['value', { kind: 'array', values: numbers.map((value): Value => ({ kind: 'double', value })) }],
    ]),
  }),
)
const { value: anyValue } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    scalar,
    vector,
    fc.array(tie('value'), { maxLength: 3 }).map((values): Value => ({ kind: 'array', values })),
    fc
      .array(fc.tuple(names, tie('value')), { maxLength: 3 })
      .map((entries): Value => ({ kind: 'map', fields: new Map(entries) })),
  ),
}))

test('the order of values is total: antisymmetric and transitive', () => {
  fc.assert(
    fc.property(anyValue, anyValue, anyValue, (a, b, c) => {
      expect(Math.sign(compareValues(a, b))).toBe(0 - Math.sign(compareValues(b, a)) + 0)
      if (compareValues(a, b) <= 0 && compareValues(b, c) <= 0) {
        expect(compareValues(a, c)).toBeLessThanOrEqual(0)
      }
    }),
    { numRuns: 3000 },
  )
})

test("the order of values is the client's own", () => {
  fc.assert(
    fc.property(anyValue, anyValue, (a, b) => {
      const client = clientOrder.compare(forClient(a), forClient(b))
      expect(Math.sign(compareValues(a, b))).toBe(Math.sign(client))
    }),
    { numRuns: 3000 },
  )
})

test('a value read back from the wire is the same to the last bit', () => {
  fc.assert(fc.property(anyValue, (value) => isIdentical(fromWireValue(toWireValue(value)), value)))
})

test.each<[bigint, number, number]>([
  [9007199254740993n, 9007199254740992, 1],
  [9223372036854775807n, 2 ** 63, -1],
  [-9007199254740993n, -9007199254740992, -1],
])('integer %s is told apart from the double %s', (integer, double, expected) => {
  expect(compareValues({ kind: 'integer', value: integer }, { kind: 'double', value: double })).toBe(expected)
})

/** The client's comparison expects decoded messages: seconds as numbers, and the value's type by name. */
function forClient(value: Value): unknown {
  if (value.kind === 'timestamp') {
    const { seconds, nanos } = toWireValue(value).timestampValue ?? {}
    return { timestampValue: { seconds: Number(seconds), nanos }, valueType: 'timestampValue' }
  }
  if (value.kind === 'array') {
    return { arrayValue: { values: value.values.map(forClient) }, valueType: 'arrayValue' }
  }
  if (value.kind === 'map') {
    const fields = Object.fromEntries([...value.fields].map(([name, inner]) => [name, forClient(inner)]))
    return { mapValue: { fields }, valueType: 'mapValue' }
  }
  const wire = toWireValue(value)
  return { ...wire, valueType: Object.keys(wire)[0] }
}
