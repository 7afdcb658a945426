import { FieldValue, type Timestamp } from '@google-cloud/firestore'
import { codeOf } from '../../support/code-of.ts'
import { type ContractContext, firestoreContract } from './contract.ts'

/** Sets a field, applies a transform to it and returns what it has become. */
async function transformed({ db }: ContractContext, before: unknown, change: unknown): Promise<unknown> {
  const ref = db.collection('a').doc()
  await ref.set(before === undefined ? {} : { n: before })
  await ref.update({ n: change })
  return (await ref.get()).get('n')
}

firestoreContract('transforms', [
  {
    id: 'server-timestamp',
    guarantee: 'serverTimestamp is one moment for all fields and documents of a commit, near its time',
    run: async ({ db }) => {
      const batch = db.batch()
      batch.set(db.doc('a/1'), { at: FieldValue.serverTimestamp(), in: { at: FieldValue.serverTimestamp() } })
      batch.set(db.doc('a/2'), { at: FieldValue.serverTimestamp() })
      const [result] = await batch.commit()
      const [one, two] = await db.getAll(db.doc('a/1'), db.doc('a/2'))
      const at: Timestamp = one?.get('at')
      const near = Math.abs(at.toMillis() - (result?.writeTime.toMillis() ?? 0)) <= 50
      return [at.isEqual(one?.get('in.at')), at.isEqual(two?.get('at')), near]
    },
    expected: [true, true, true],
  },
  {
    id: 'increment',
    guarantee: 'increment adds, sets a missing field, and replaces what is no number',
    run: async (c) => [
      await transformed(c, 5, FieldValue.increment(2)),
      await transformed(c, undefined, FieldValue.increment(2)),
      await transformed(c, 'text', FieldValue.increment(2)),
      await transformed(c, 1, FieldValue.increment(0.5)),
      await transformed(c, 1.5, FieldValue.increment(1)),
    ],
    expected: [7, 2, 2, 1.5, 2.5],
  },
  {
    id: 'increment-saturates',
    guarantee: 'integer increments stop at the ends of the 64-bit range',
    run: async ({ client }) => {
      const db = client({ useBigInt: true })
      await db.doc('a/b').set({ up: 9223372036854775806n, down: -9223372036854775807n })
      await db.doc('a/b').update({ up: FieldValue.increment(10), down: FieldValue.increment(-10) })
      const data = (await db.doc('a/b').get()).data()
      return [String(data?.['up']), String(data?.['down'])]
    },
    expected: ['9223372036854775807', '-9223372036854775808'],
  },
  {
    id: 'increment-exact',
    guarantee: 'integers beyond 2^53 add up exactly',
    run: async ({ client }) => {
      const db = client({ useBigInt: true })
      await db.doc('a/b').set({ n: 9007199254740993n })
      await db.doc('a/b').update({ n: FieldValue.increment(2) })
      return String((await db.doc('a/b').get()).get('n'))
    },
    expected: '9007199254740995',
  },
  {
    id: 'increment-parallel',
    guarantee: '100 parallel increments count 100',
    run: async ({ db }) => {
      await Promise.all(
        Array.from({ length: 100 }, () => db.doc('a/b').set({ n: FieldValue.increment(1) }, { merge: true })),
      )
      return (await db.doc('a/b').get()).get('n')
    },
    expected: 100,
  },
  {
    id: 'maximum-minimum',
    guarantee: 'maximum and minimum keep the extreme value',
    run: async (c) => [
      await transformed(c, 5, FieldValue.maximum(7)),
      await transformed(c, 5, FieldValue.maximum(3)),
      await transformed(c, 5, FieldValue.minimum(3)),
      await transformed(c, 5, FieldValue.minimum(7)),
      await transformed(c, undefined, FieldValue.maximum(3)),
      await transformed(c, 'text', FieldValue.minimum(3)),
      await transformed(c, 5, FieldValue.maximum(5.5)),
    ],
    expected: [7, 5, 3, 5, 3, 3, 5.5],
  },
  {
    id: 'array-union',
    guarantee: 'arrayUnion appends what is missing, once, and makes an array of anything else',
    run: async (c) => [
      await transformed(c, [1, 2], FieldValue.arrayUnion(2, 3, 3)),
      await transformed(c, undefined, FieldValue.arrayUnion('a')),
      await transformed(c, 'text', FieldValue.arrayUnion('a')),
      await transformed(c, [{ a: 1 }], FieldValue.arrayUnion({ a: 1 }, { a: 2 })),
      await transformed(c, [1], FieldValue.arrayUnion(null, null)),
    ],
    expected: [[1, 2, 3], ['a'], ['a'], [{ a: 1 }, { a: 2 }], [1, null]],
  },
  {
    id: 'array-remove',
    guarantee: 'arrayRemove takes out every equal element, and makes an empty array of anything else',
    run: async (c) => [
      await transformed(c, [1, 2, 1, 3], FieldValue.arrayRemove(1, 9)),
      await transformed(c, undefined, FieldValue.arrayRemove(1)),
      await transformed(c, 7, FieldValue.arrayRemove(7)),
    ],
    expected: [[2, 3], [], []],
  },
  {
    id: 'array-duplicates-stay',
    guarantee: 'arrayUnion leaves duplicates that are already there',
    run: (c) => transformed(c, [1, 1], FieldValue.arrayUnion(1, 2)),
    expected: [1, 1, 2],
  },
  {
    id: 'transform-on-missing',
    guarantee: 'a merge with only a transform creates the document',
    run: async ({ db }) => {
      await db.doc('a/b').set({ m: { n: FieldValue.increment(1) } }, { merge: true })
      return (await db.doc('a/b').get()).data()
    },
    expected: { m: { n: 1 } },
  },
  {
    id: 'transform-update-missing',
    guarantee: 'an update with only a transform still needs the document',
    run: ({ db }) => codeOf(db.doc('a/b').update({ n: FieldValue.increment(1) })),
    expected: 5,
  },
  {
    id: 'transform-and-set',
    guarantee: 'set with a transform replaces the document first',
    run: async ({ db }) => {
      await db.doc('a/b').set({ n: 5, old: 1 })
      await db.doc('a/b').set({ n: FieldValue.increment(1), fresh: 1 })
      return (await db.doc('a/b').get()).data()
    },
    expected: { n: 1, fresh: 1 },
  },
  {
    id: 'increment-zero-keeps-time',
    guarantee: 'an increment by zero changes nothing and keeps the update time',
    run: async ({ db }) => {
      await db.doc('a/b').set({ n: 5 })
      const before = (await db.doc('a/b').get()).updateTime?.valueOf()
      await db.doc('a/b').update({ n: FieldValue.increment(0) })
      return (await db.doc('a/b').get()).updateTime?.valueOf() === before
    },
    expected: true,
  },
])
