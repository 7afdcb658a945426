import { FieldValue, GeoPoint, Timestamp } from '@google-cloud/firestore'
import { codeOf } from '../../support/code-of.ts'
import { firestoreContract } from './contract.ts'

const OLD = Timestamp.fromMillis(1_600_000_000_000)

firestoreContract('documents', [
  {
    id: 'value-round-trip',
    guarantee: 'every kind of value comes back as it went in',
    run: async ({ db }) => {
      const data = {
        nothing: null,
        yes: true,
        whole: 42,
        half: 1.5,
        minusZero: -0,
        infinite: Number.NEGATIVE_INFINITY,
        text: 'zażółć 🙂',
        empty: '',
        bytes: Buffer.from([0, 255]),
        at: new Timestamp(1_700_000_000, 123_456_000),
        place: new GeoPoint(1.5, -2.5),
        list: [1, 'a', { deep: [null] }],
        map: { a: { b: {} } },
        vector: FieldValue.vector([1, 2.5]),
      }
      await db.doc('a/b').set({ ...data, other: db.doc('x/y') })
      const { other, vector, ...rest } = (await db.doc('a/b').get()).data() ?? {}
      const { vector: _vector, ...sent } = data
      const same = Object.entries(sent).map(([key, value]) => {
        const got: unknown = rest[key]
        if (value instanceof Timestamp || value instanceof GeoPoint) return value.isEqual(got as never)
        return JSON.stringify(got) === JSON.stringify(value) && Object.is(typeof got, typeof value)
      })
      return [same.every(Boolean), other.path, vector.toArray(), Object.is(rest['minusZero'], -0)]
    },
    expected: [true, 'x/y', [1, 2.5], true],
  },
  {
    id: 'nan-round-trip',
    guarantee: 'NaN is stored as NaN',
    run: async ({ db }) => {
      await db.doc('a/b').set({ n: Number.NaN })
      return Number.isNaN((await db.doc('a/b').get()).get('n'))
    },
    expected: true,
  },
  {
    id: 'bigint-round-trip',
    guarantee: 'the ends of the 64-bit range are exact with useBigInt',
    run: async ({ client }) => {
      const db = client({ useBigInt: true })
      await db
        .doc('a/b')
        .set({ max: 9223372036854775807n, min: -9223372036854775808n, odd: 9007199254740993n })
      const data = (await db.doc('a/b').get()).data()
      return [data?.['max'], data?.['min'], data?.['odd']].map(String)
    },
    expected: ['9223372036854775807', '-9223372036854775808', '9007199254740993'],
  },
  {
    id: 'timestamp-microseconds',
    guarantee: 'times are kept to the microsecond, the rest is cut off',
    run: async ({ db }) => {
      await db.doc('a/b').set({ at: new Timestamp(1, 123_456_789) })
      return (await db.doc('a/b').get()).get('at').nanoseconds
    },
    expected: 123_456_000,
  },
  {
    id: 'timestamp-far',
    guarantee: 'times of the years 1 and 9999 are kept to the microsecond',
    run: async ({ db }) => {
      const first = new Timestamp(-62_135_596_800, 1_000)
      const last = new Timestamp(253_402_300_799, 999_999_000)
      await db.doc('a/b').set({ first, last })
      const got = await db.doc('a/b').get()
      return [first.isEqual(got.get('first')), last.isEqual(got.get('last'))]
    },
    expected: [true, true],
  },
  {
    id: 'get-missing',
    guarantee: 'a missing document is an answer and no error',
    run: async ({ db }) => {
      const got = await db.doc('a/b').get()
      return [got.exists, got.data(), got.readTime.toMillis() > 0]
    },
    expected: [false, undefined, true],
  },
  {
    id: 'get-all-order',
    guarantee: 'getAll answers in the order of the question, missing ones and repeated ones in place',
    run: async ({ db }) => {
      await db.doc('a/1').set({ n: 1 })
      await db.doc('a/2').set({ n: 2 })
      const got = await db.getAll(db.doc('a/2'), db.doc('a/x'), db.doc('a/1'), db.doc('a/2'))
      return got.map((document) => document.get('n') ?? null)
    },
    expected: [2, null, 1, 2],
  },
  {
    id: 'get-mask',
    guarantee: 'a field mask leaves only the named fields',
    run: async ({ db }) => {
      await db.doc('a/b').set({ x: 1, y: { z: 2, w: 3 } })
      const [got] = await db.getAll(db.doc('a/b'), { fieldMask: ['y.z', 'missing'] })
      return got?.data()
    },
    expected: { y: { z: 2 } },
  },
  {
    id: 'create-twice',
    guarantee: 'the second create of a document fails with ALREADY_EXISTS',
    run: async ({ db }) => [
      await codeOf(db.doc('a/b').create({ n: 1 })),
      await codeOf(db.doc('a/b').create({ n: 2 })),
      (await db.doc('a/b').get()).get('n'),
    ],
    expected: ['ok', 6, 1],
  },
  {
    id: 'update-missing',
    guarantee: 'an update of a missing document fails with NOT_FOUND',
    run: ({ db }) => codeOf(db.doc('a/b').update({ n: 1 })),
    expected: 5,
  },
  {
    id: 'delete-missing',
    guarantee: 'deleting a missing document succeeds, unless it was required to exist',
    run: async ({ db }) => [
      await codeOf(db.doc('a/b').delete()),
      await codeOf(db.doc('a/b').delete({ exists: true })),
    ],
    expected: ['ok', 5],
  },
  {
    id: 'update-time-guard',
    guarantee: 'a stale lastUpdateTime fails with FAILED_PRECONDITION, a current one succeeds',
    run: async ({ db }) => {
      const { writeTime } = await db.doc('a/b').set({ n: 1 })
      return [
        await codeOf(db.doc('a/b').update({ n: 2 }, { lastUpdateTime: OLD })),
        await codeOf(db.doc('a/b').update({ n: 3 }, { lastUpdateTime: writeTime })),
        await codeOf(db.doc('a/b').update({ n: 4 }, { lastUpdateTime: writeTime })),
        (await db.doc('a/b').get()).get('n'),
      ]
    },
    expected: [9, 'ok', 9, 3],
  },
  {
    id: 'update-time-guard-missing',
    guarantee: 'a lastUpdateTime on a missing document is refused',
    run: async ({ db }) => [
      await codeOf(db.doc('a/b').update({ n: 2 }, { lastUpdateTime: OLD })),
      await codeOf(db.doc('a/b').delete({ lastUpdateTime: OLD })),
    ],
    expected: [9, 9],
  },
  {
    id: 'delete-guard',
    guarantee: 'a delete guarded by a stale time leaves the document',
    run: async ({ db }) => {
      await db.doc('a/b').set({ n: 1 })
      const code = await codeOf(db.doc('a/b').delete({ lastUpdateTime: OLD }))
      return [code, (await db.doc('a/b').get()).exists]
    },
    expected: [9, true],
  },
  {
    id: 'no-op-keeps-time',
    guarantee: 'a write that changes nothing keeps the update time',
    run: async ({ db }) => {
      await db.doc('a/b').set({ n: 1 })
      const before = await db.doc('a/b').get()
      const result = await db.doc('a/b').set({ n: 1 })
      const after = await db.doc('a/b').get()
      return [
        before.updateTime?.isEqual(after.updateTime as Timestamp),
        result.writeTime.isEqual(before.updateTime as Timestamp),
      ]
    },
    expected: [true, true],
  },
  {
    id: 'type-change-is-a-change',
    guarantee: 'changing 1 to 1.0 is a change and moves the update time',
    run: async ({ db }) => {
      const first = await db.doc('a/b').set({ n: 1 })
      await db.doc('a/b').update({ n: FieldValue.increment(0.5) })
      const second = await db.doc('a/b').get()
      return [second.get('n'), (second.updateTime?.valueOf() ?? '') > first.writeTime.valueOf()]
    },
    expected: [1.5, true],
  },
  {
    id: 'create-time-stays',
    guarantee: 'replacing a document keeps its create time; deleting and creating again renews it',
    run: async ({ db }) => {
      const ref = db.doc('a/b')
      await ref.set({ n: 1 })
      const first = await ref.get()
      await ref.set({ n: 2 })
      const second = await ref.get()
      await ref.delete()
      await ref.set({ n: 3 })
      const third = await ref.get()
      return [
        second.createTime?.valueOf() === first.createTime?.valueOf(),
        (third.createTime?.valueOf() ?? '') > (first.createTime?.valueOf() ?? ''),
      ]
    },
    expected: [true, true],
  },
  {
    id: 'commit-times-increase',
    guarantee: 'later commits have later times',
    run: async ({ db }) => {
      const times: string[] = []
      for (let n = 0; n < 20; n++) times.push((await db.doc('a/b').set({ n })).writeTime.valueOf())
      return [new Set(times).size, times.join() === [...times].sort().join()]
    },
    expected: [20, true],
  },
  {
    id: 'read-after-write-time',
    guarantee: 'a read after a write is not older than the write',
    run: async ({ db }) => {
      const { writeTime } = await db.doc('a/b').set({ n: 1 })
      const { readTime } = await db.doc('a/b').get()
      return readTime.valueOf() >= writeTime.valueOf()
    },
    expected: true,
  },
])
