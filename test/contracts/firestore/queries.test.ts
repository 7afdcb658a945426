import { FieldPath, Filter, type Firestore, GeoPoint, type Query, Timestamp } from '@google-cloud/firestore'
import { codeOf } from '../../support/code-of.ts'
import { type ContractCase, firestoreContract, idsOf } from './contract.ts'

/** One case: these documents, this query, these ids in this order. */
function finds(
  id: string,
  guarantee: string,
  documents: Record<string, object>,
  query: (db: Firestore) => Query,
  expected: readonly string[] | number,
): ContractCase {
  return {
    id,
    guarantee,
    expected,
    run: async ({ db }) => {
      await seed(db, documents)
      try {
        return await idsOf(query(db))
      } catch (error) {
        return error instanceof Error && 'code' in error ? error.code : String(error)
      }
    },
  }
}

/** Keys without a slash are ids in collection `c`. */
async function seed(db: Firestore, documents: Record<string, object>): Promise<void> {
  const batch = db.batch()
  for (const [key, data] of Object.entries(documents)) {
    batch.set(db.doc(key.includes('/') ? key : `c/${key}`), data)
  }
  await batch.commit()
}

const c = (db: Firestore) => db.collection('c')

const NUMBERS = { a: { n: 1 }, b: { n: 2 }, d: { n: 3 }, e: { n: 2.5 }, f: { m: 1 } }
const MIXED = {
  null: { v: null },
  nan: { v: Number.NaN },
  false: { v: false },
  true: { v: true },
  one: { v: 1 },
  half: { v: 0.5 },
  time: { v: Timestamp.fromMillis(0) },
  text: { v: 'x' },
  upper: { v: 'X' },
  emoji: { v: '🙂' },
  high: { v: '\uffee' },
  bytes: { v: Buffer.from('x') },
  place: { v: new GeoPoint(1, 1) },
  list: { v: [1] },
  longer: { v: [1, 0] },
  map: { v: { a: 1 } },
  map2: { v: { a: 2 } },
  none: { w: 1 },
}
const TAGS = {
  a: { t: ['x', 'y'] },
  b: { t: ['y', 'z'] },
  d: { t: 'x' },
  e: { t: [] },
  f: { t: [['no']].flat() },
}
const GRID = {
  a: { x: 1, y: 3 },
  b: { x: 1, y: 1 },
  d: { x: 2, y: 2 },
  e: { x: 2, y: 1 },
  f: { x: 3 },
}
const GROUP = {
  'p/1/g/a': { n: 1 },
  'p/2/g/b': { n: 2 },
  'g/z': { n: 3 },
  'p/1/other/o': { n: 4 },
  'p/1/g/a/g/deep': { n: 5 },
}

firestoreContract('filters', [
  finds(
    'equal',
    'equality finds 2 and 2.0 alike',
    { ...NUMBERS, g: { n: 2.0 } },
    (db) => c(db).where('n', '==', 2),
    ['b', 'g'],
  ),
  finds(
    'less',
    'less than leaves out other types and missing fields',
    { ...NUMBERS, s: { n: 'a' }, z: { n: null } },
    (db) => c(db).where('n', '<', 2.5),
    ['a', 'b'],
  ),
  finds(
    'range',
    'a range has both its ends',
    NUMBERS,
    (db) => c(db).where('n', '>=', 2).where('n', '<=', 3),
    ['b', 'e', 'd'],
  ),
  finds(
    'greater-skips-nan',
    'NaN is in no range',
    { ...NUMBERS, q: { n: Number.NaN } },
    (db) => c(db).where('n', '<', 2),
    ['a'],
  ),
  finds(
    'not-equal',
    '!= leaves out missing fields and null',
    { ...NUMBERS, z: { n: null }, s: { n: 'a' } },
    (db) => c(db).where('n', '!=', 2),
    ['a', 'e', 'd', 's'],
  ),
  finds(
    'not-null',
    '!= null finds what is there and not null',
    { ...NUMBERS, z: { n: null }, q: { n: Number.NaN } },
    (db) => c(db).where('n', '!=', null),
    ['q', 'a', 'b', 'e', 'd'],
  ),
  finds(
    'is-null',
    '== null finds null and not what is missing',
    { ...NUMBERS, z: { n: null } },
    (db) => c(db).where('n', '==', null),
    ['z'],
  ),
  finds(
    'is-nan',
    '== NaN finds NaN',
    { ...NUMBERS, q: { n: Number.NaN } },
    (db) => c(db).where('n', '==', Number.NaN),
    ['q'],
  ),
  finds(
    'is-not-nan',
    '!= NaN finds every other value but null',
    { a: { n: 1 }, q: { n: Number.NaN }, z: { n: null }, s: { n: 'x' } },
    (db) => c(db).where('n', '!=', Number.NaN),
    ['a', 's'],
  ),
  finds('in', 'in finds each of its values once', NUMBERS, (db) => c(db).where('n', 'in', [3, 1, 1, 9]), [
    'a',
    'd',
  ]),
  finds(
    'not-in',
    'not-in leaves out its values, null and what is missing',
    { ...NUMBERS, z: { n: null } },
    (db) => c(db).where('n', 'not-in', [1, 2]),
    ['e', 'd'],
  ),
  finds(
    'not-in-null',
    'not-in with a null in its list finds nothing',
    NUMBERS,
    (db) => c(db).where('n', 'not-in', [1, null]),
    [],
  ),
  finds(
    'array-contains',
    'array-contains looks into arrays only',
    TAGS,
    (db) => c(db).where('t', 'array-contains', 'x'),
    ['a'],
  ),
  finds(
    'array-contains-any',
    'array-contains-any finds each document once',
    TAGS,
    (db) => c(db).where('t', 'array-contains-any', ['x', 'y', 'no']),
    ['a', 'b', 'f'],
  ),
  finds(
    'map-equality',
    'a map equals a map with the same fields in any order',
    { a: { v: { p: 1, q: 2 } }, b: { v: { q: 2, p: 1 } }, d: { v: { p: 1 } } },
    (db) => c(db).where('v', '==', { p: 1, q: 2 }),
    ['a', 'b'],
  ),
  finds(
    'array-equality',
    'an array equals only the same array',
    { a: { v: [1, 2] }, b: { v: [2, 1] } },
    (db) => c(db).where('v', '==', [1, 2]),
    ['a'],
  ),
  finds(
    'nested-field',
    'a filter reaches into maps',
    { a: { m: { n: 1 } }, b: { m: { n: 2 } }, d: { 'm.n': 1 } },
    (db) => c(db).where('m.n', '==', 1),
    ['a'],
  ),
  finds(
    'quoted-field',
    'a quoted field path is one name',
    { a: { m: { n: 1 } }, d: { 'm.n': 1 } },
    (db) => c(db).where(new FieldPath('m.n'), '==', 1),
    ['d'],
  ),
  finds(
    'or',
    'or finds what either side finds',
    GRID,
    (db) => c(db).where(Filter.or(Filter.where('x', '==', 3), Filter.where('y', '==', 1))),
    ['b', 'e', 'f'],
  ),
  finds(
    'or-inequality',
    'an inequality in or drops documents without its field',
    GRID,
    (db) => c(db).where(Filter.or(Filter.where('x', '==', 3), Filter.where('y', '>', 2))),
    ['a'],
  ),
  finds(
    'and-of-or',
    'and over or',
    GRID,
    (db) =>
      c(db).where(
        Filter.and(
          Filter.where('y', '==', 1),
          Filter.or(Filter.where('x', '==', 2), Filter.where('x', '==', 3)),
        ),
      ),
    ['e'],
  ),
  finds(
    'two-inequalities',
    'inequalities on two fields order by both, in the order of their names',
    GRID,
    (db) => c(db).where('y', '>', 0).where('x', '<', 3),
    ['b', 'a', 'e', 'd'],
  ),
  finds(
    'name-equal',
    'a document is found by its id',
    NUMBERS,
    (db) => c(db).where(FieldPath.documentId(), '==', 'b'),
    ['b'],
  ),
  finds(
    'name-in',
    'documents are found by a list of ids',
    NUMBERS,
    (db) => c(db).where(FieldPath.documentId(), 'in', ['d', 'a', 'no']),
    ['a', 'd'],
  ),
  finds(
    'name-range',
    'ids have ranges',
    NUMBERS,
    (db) => c(db).where(FieldPath.documentId(), '>', 'a').where(FieldPath.documentId(), '<', 'e'),
    ['b', 'd'],
  ),
  finds(
    'reference-equality',
    'a reference is found by a reference',
    { a: { r: 'c/b' }, b: {} },
    (db) => c(db).where('r', '==', db.doc('c/b')),
    [],
  ),
  finds(
    'in-too-many',
    'in with 31 values is refused',
    {},
    (db) =>
      c(db).where(
        'n',
        'in',
        Array.from({ length: 31 }, (_, n) => n),
      ),
    3,
  ),
  finds(
    'not-in-too-many',
    'not-in with 11 values is refused',
    {},
    (db) =>
      c(db).where(
        'n',
        'not-in',
        Array.from({ length: 11 }, (_, n) => n),
      ),
    3,
  ),
  finds(
    'two-contains',
    'two array-contains in one conjunction are refused',
    {},
    (db) => c(db).where('t', 'array-contains', 1).where('u', 'array-contains', 2),
    3,
  ),
  finds(
    'in-null',
    'in finds neither null nor NaN',
    { a: { n: null }, b: { n: Number.NaN }, d: { n: 1 } },
    (db) => c(db).where('n', 'in', [null, Number.NaN, 1]),
    ['d'],
  ),
  finds(
    'not-in-nan',
    'a NaN in not-in excludes nothing',
    { b: { n: Number.NaN }, d: { n: 1 } },
    (db) => c(db).where('n', 'not-in', [Number.NaN, 1]),
    ['b'],
  ),
  finds(
    'contains-null',
    'array-contains finds null, array-contains-any does not',
    { a: { t: [null] }, b: { t: [1] } },
    (db) => c(db).where('t', 'array-contains-any', [null, 1]),
    ['b'],
  ),
  finds(
    'big-integers',
    'integers beyond 2^53 are told apart',
    { a: { n: 1 } },
    (db) => c(db).where('n', '>', 9007199254740992),
    [],
  ),
])

firestoreContract('order and pages', [
  finds('type-order', 'values of all types stand in the order of types', MIXED, (db) => c(db).orderBy('v'), [
    'null',
    'false',
    'true',
    'nan',
    'half',
    'one',
    'time',
    'upper',
    'text',
    'high',
    'emoji',
    'bytes',
    'place',
    'list',
    'longer',
    'map',
    'map2',
  ]),
  finds(
    'type-order-descending',
    'descending turns all of it round',
    MIXED,
    (db) => c(db).orderBy('v', 'desc').limit(4),
    ['map2', 'map', 'longer', 'list'],
  ),
  finds(
    'order-drops-missing',
    'a document without the ordered field is not found',
    NUMBERS,
    (db) => c(db).orderBy('n'),
    ['a', 'b', 'e', 'd'],
  ),
  finds(
    'order-two',
    'a second order breaks ties of the first',
    GRID,
    (db) => c(db).orderBy('x', 'desc').orderBy('y'),
    ['e', 'd', 'b', 'a'],
  ),
  finds(
    'order-ties-by-name',
    'ties are broken by id in the direction of the last order',
    { a: { n: 1 }, b: { n: 1 }, d: { n: 0 } },
    (db) => c(db).orderBy('n', 'desc'),
    ['b', 'a', 'd'],
  ),
  finds(
    'order-by-name',
    'ids are ordered by their UTF-8 bytes',
    { é: {}, z: {}, Z: {}, '10': {}, '9': {}, '🙂': {}, '\uffee': {} },
    (db) => c(db).orderBy(FieldPath.documentId()),
    ['10', '9', 'Z', 'z', 'é', '\uffee', '🙂'],
  ),
  finds(
    'order-by-name-descending',
    'ids can be read backwards',
    NUMBERS,
    (db) => c(db).orderBy(FieldPath.documentId(), 'desc').limit(2),
    ['f', 'e'],
  ),
  finds('default-order', 'without an order documents come by id', { b: {}, a: {}, d: {} }, c, [
    'a',
    'b',
    'd',
  ]),
  finds('limit', 'limit cuts', NUMBERS, (db) => c(db).orderBy('n').limit(2), ['a', 'b']),
  finds(
    'limit-to-last',
    'limitToLast keeps the end in order',
    NUMBERS,
    (db) => c(db).orderBy('n').limitToLast(2),
    ['e', 'd'],
  ),
  finds('offset', 'offset skips', NUMBERS, (db) => c(db).orderBy('n').offset(1).limit(2), ['b', 'e']),
  finds(
    'offset-beyond',
    'an offset past the end finds nothing',
    NUMBERS,
    (db) => c(db).orderBy('n').offset(10),
    [],
  ),
  finds('start-at', 'startAt begins with its value', NUMBERS, (db) => c(db).orderBy('n').startAt(2), [
    'b',
    'e',
    'd',
  ]),
  finds(
    'start-after',
    'startAfter begins behind its value',
    NUMBERS,
    (db) => c(db).orderBy('n').startAfter(2),
    ['e', 'd'],
  ),
  finds('end-at', 'endAt ends with its value', NUMBERS, (db) => c(db).orderBy('n').endAt(2.5), [
    'a',
    'b',
    'e',
  ]),
  finds('end-before', 'endBefore ends before its value', NUMBERS, (db) => c(db).orderBy('n').endBefore(2.5), [
    'a',
    'b',
  ]),
  finds(
    'cursor-descending',
    'a cursor follows the direction',
    NUMBERS,
    (db) => c(db).orderBy('n', 'desc').startAfter(2.5),
    ['b', 'a'],
  ),
  finds(
    'cursor-prefix',
    'a cursor may name only the first of the orders',
    GRID,
    (db) => c(db).orderBy('x').orderBy('y').startAfter(1),
    ['e', 'd'],
  ),
  finds(
    'cursor-full',
    'a cursor with a value for each order is exact',
    GRID,
    (db) => c(db).orderBy('x').orderBy('y').startAt(1, 3),
    ['a', 'e', 'd'],
  ),
  finds(
    'cursor-other-type',
    'a cursor of another type stands where that type stands',
    NUMBERS,
    (db) => c(db).orderBy('n').startAt('a'),
    [],
  ),
  {
    id: 'paging',
    guarantee: 'paging by the last document visits each document once, ties included',
    expected: ['d', 'a', 'b', 'e', 'f'],
    run: async ({ db }) => {
      await seed(db, { a: { n: 1 }, b: { n: 1 }, d: { n: 0 }, e: { n: 1 }, f: { n: 2 } })
      const seen: string[] = []
      let query = c(db).orderBy('n').limit(2)
      for (;;) {
        const page = await query.get()
        const last = page.docs.at(-1)
        if (last === undefined) return seen
        seen.push(...page.docs.map((document) => document.id))
        query = c(db).orderBy('n').limit(2).startAfter(last)
      }
    },
  },
  {
    id: 'select',
    guarantee: 'select leaves only the named fields, or none',
    expected: [{ x: 1, m: { p: 1 } }, {}],
    run: async ({ db }) => {
      await seed(db, { a: { x: 1, y: 2, m: { p: 1, q: 2 } } })
      const some = await c(db).select('x', 'm.p').get()
      const none = await c(db).select().get()
      return [some.docs[0]?.data(), none.docs[0]?.data()]
    },
  },
  finds(
    'group',
    'a collection group finds every collection of that id, at any depth',
    GROUP,
    (db) => db.collectionGroup('g').orderBy('n'),
    ['a', 'b', 'z', 'deep'],
  ),
  finds(
    'group-by-name',
    'a collection group without order comes by path',
    GROUP,
    (db) => db.collectionGroup('g'),
    ['z', 'a', 'deep', 'b'],
  ),
  finds(
    'group-name-range',
    'a collection group has ranges of full paths',
    GROUP,
    (db) =>
      db
        .collectionGroup('g')
        .where(FieldPath.documentId(), '>=', 'p/1/g/a')
        .where(FieldPath.documentId(), '<', 'p/2'),
    ['a', 'deep'],
  ),
  finds(
    'collection-is-not-group',
    'a collection query stays in its collection',
    GROUP,
    (db) => db.collection('p/1/g'),
    ['a'],
  ),
  finds(
    'sibling-prefix',
    'a collection whose name begins alike is another one',
    { 'c/a': {}, 'cc/b': {}, 'c-d/e': {} },
    c,
    ['a'],
  ),
  {
    id: 'empty-answer-has-time',
    guarantee: 'an empty answer has a read time',
    expected: [true, true],
    run: async ({ db }) => {
      const got = await c(db).get()
      return [got.empty, got.readTime.toMillis() > 0]
    },
  },
  {
    id: 'stream',
    guarantee: 'a stream delivers every document',
    expected: 120,
    run: async ({ db }) => {
      await seed(db, Object.fromEntries(Array.from({ length: 120 }, (_, n) => [`d${n}`, { n }])))
      let count = 0
      for await (const _ of c(db).stream()) count++
      return count
    },
  },
  {
    id: 'unknown-field-name',
    guarantee: 'ordering by a reserved name is refused',
    expected: 3,
    run: ({ db }) => codeOf(c(db).orderBy('__x__').get()),
  },
])
