import { FieldValue, GeoPoint } from '@google-cloud/firestore'
import { codeOf } from '../../support/code-of.ts'
import { type ContractCase, firestoreContract } from './contract.ts'

/** A write of one document that the service takes (`ok`) or refuses with a code. */
function writing(id: string, guarantee: string, path: string, data: object, expected: unknown): ContractCase {
  return { id, guarantee, expected, run: ({ db }) => codeOf(async () => db.doc(path).set(data)) }
}

function nested(depth: number): object {
  return depth === 0 ? { end: 1 } : { in: nested(depth - 1) }
}

firestoreContract('limits', [
  writing('size-below', 'a document just below 1 MiB is taken', 'a/b', { text: 'x'.repeat(1_048_400) }, 'ok'),
  writing('size-above', 'a document above 1 MiB is refused', 'a/b', { text: 'x'.repeat(1_048_576) }, 3),
  writing(
    'size-many-fields',
    'the size counts the names of fields',
    'a/b',
    Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`${n}`.padEnd(1100, 'k'), 1])),
    3,
  ),
  writing('id-dot', 'the id `.` is refused', 'a/.', {}, 3),
  writing('id-dots', 'the id `..` is refused', 'a/..', {}, 3),
  writing('id-reserved', 'an id of the form __x__ is refused', 'a/__b__', {}, 3),
  writing('collection-reserved', 'a collection id of the form __x__ is refused', '__a__/b', {}, 3),
  writing('id-long', 'an id of 1500 bytes is taken', `a/${'é'.repeat(750)}`, {}, 'ok'),
  writing('id-too-long', 'an id of more than 1500 bytes is refused', `a/${'é'.repeat(751)}`, {}, 3),
  writing('id-odd', 'ids may hold dots, blanks and emoji', 'a/.x y..🙂%2F', {}, 'ok'),
  writing('field-reserved', 'a field name of the form __x__ is refused', 'a/b', { __x__: 1 }, 3),
  writing('field-long', 'a field name over 1500 bytes is refused', 'a/b', { ['x'.repeat(1501)]: 1 }, 3),
  writing('depth-20', 'maps 20 deep are taken', 'a/b', nested(19), 'ok'),
  writing('geo-range', 'the ends of the earth are taken', 'a/b', { p: new GeoPoint(90, -180) }, 'ok'),
  {
    id: 'transforms-500',
    guarantee: '500 transforms of a document are taken, 501 are refused',
    expected: ['ok', 3],
    run: async ({ db }) => {
      const many = (count: number) =>
        Object.fromEntries(Array.from({ length: count }, (_, n) => [`f${n}`, FieldValue.increment(1)]))
      return [await codeOf(db.doc('a/b').set(many(500))), await codeOf(db.doc('a/c').set(many(501)))]
    },
  },
  {
    id: 'refused-leaves-nothing',
    guarantee: 'a refused document takes its whole batch with it',
    expected: [3, false],
    run: async ({ db }) => {
      const batch = db.batch()
      batch.set(db.doc('a/1'), { n: 1 })
      batch.set(db.doc('a/2'), { text: 'x'.repeat(1_048_576) })
      return [await codeOf(batch.commit()), (await db.doc('a/1').get()).exists]
    },
  },
  {
    id: 'transform-size',
    guarantee: 'a transform cannot grow a document beyond its limit',
    expected: [3, 1],
    run: async ({ db }) => {
      await db.doc('a/b').set({ list: ['x'.repeat(600_000)] })
      const code = await codeOf(db.doc('a/b').update({ list: FieldValue.arrayUnion('y'.repeat(600_000)) }))
      return [code, (await db.doc('a/b').get()).get('list').length]
    },
  },
])
