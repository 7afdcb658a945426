import { FieldPath, GeoPoint, Timestamp } from '@google-cloud/firestore'
import { codeOf } from '../../support/code-of.ts'
import { firestoreContract } from './contract.ts'
import { c, finds, GRID, NUMBERS, seed } from './query-cases.ts'

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
const GROUP = {
  'p/1/g/a': { n: 1 },
  'p/2/g/b': { n: 2 },
  'g/z': { n: 3 },
  'p/1/other/o': { n: 4 },
  'p/1/g/a/g/deep': { n: 5 },
}

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
