import { FieldPath, FieldValue, GeoPoint, Timestamp } from '@google-cloud/firestore'
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
  {
    id: 'merge',
    guarantee: 'merge keeps what is not named, and merges maps',
    run: async ({ db }) => {
      await db.doc('a/b').set({ x: 1, m: { p: 1, q: 1 } })
      await db.doc('a/b').set({ m: { q: 2 }, y: 3 }, { merge: true })
      return (await db.doc('a/b').get()).data()
    },
    expected: { x: 1, m: { p: 1, q: 2 }, y: 3 },
  },
  {
    id: 'merge-creates',
    guarantee: 'merge creates a missing document',
    run: async ({ db }) => {
      await db.doc('a/b').set({ m: { q: 2 } }, { merge: true })
      return (await db.doc('a/b').get()).data()
    },
    expected: { m: { q: 2 } },
  },
  {
    id: 'merge-empty-map',
    guarantee: 'merging an empty map replaces the map',
    run: async ({ db }) => {
      await db.doc('a/b').set({ m: { q: 2 } })
      await db.doc('a/b').set({ m: {} }, { merge: true })
      return (await db.doc('a/b').get()).data()
    },
    expected: { m: {} },
  },
  {
    id: 'merge-fields',
    guarantee: 'mergeFields writes only the named fields and deletes those not given',
    run: async ({ db }) => {
      await db.doc('a/b').set({ x: 1, y: 1 })
      await db.doc('a/b').set({ x: 2, y: 2, z: 2 }, { mergeFields: ['x', 'z'] })
      return (await db.doc('a/b').get()).data()
    },
    expected: { x: 2, y: 1, z: 2 },
  },
  {
    id: 'update-nested',
    guarantee: 'update with dots changes inside a map, and a map replaces a map',
    run: async ({ db }) => {
      await db.doc('a/b').set({ m: { p: 1, q: 1 }, n: { p: 1, q: 1 } })
      await db.doc('a/b').update({ 'm.p': 2, n: { p: 2 } })
      return (await db.doc('a/b').get()).data()
    },
    expected: { m: { p: 2, q: 1 }, n: { p: 2 } },
  },
  {
    id: 'update-through-scalar',
    guarantee: 'updating below a value that is no map replaces it by a map',
    run: async ({ db }) => {
      await db.doc('a/b').set({ m: 1 })
      await db.doc('a/b').update({ 'm.p.q': 2 })
      return (await db.doc('a/b').get()).data()
    },
    expected: { m: { p: { q: 2 } } },
  },
  {
    id: 'odd-field-names',
    guarantee: 'field names with dots, backticks and blanks are fields like others',
    run: async ({ db }) => {
      await db.doc('a/b').set({ 'a.b': 1, 'c`d': 2, 'e f': 3, '\\': 4, '0': 5, ключ: 6 })
      await db.doc('a/b').update(new FieldPath('a.b'), 10, new FieldPath('c`d'), 20, new FieldPath('\\'), 40)
      return (await db.doc('a/b').get()).data()
    },
    expected: { 'a.b': 10, 'c`d': 20, 'e f': 3, '\\': 40, '0': 5, ключ: 6 },
  },
  {
    id: 'field-delete',
    guarantee: 'FieldValue.delete removes a field, a nested one too, and leaves the empty map',
    run: async ({ db }) => {
      await db.doc('a/b').set({ x: 1, m: { p: 1 }, n: { p: 1, q: 2 } })
      await db.doc('a/b').update({
        x: FieldValue.delete(),
        'm.p': FieldValue.delete(),
        'n.p': FieldValue.delete(),
        'no.such': FieldValue.delete(),
      })
      return (await db.doc('a/b').get()).data()
    },
    expected: { m: {}, n: { q: 2 } },
  },
  {
    id: 'batch-atomic',
    guarantee: 'a batch whose last write fails leaves nothing of the first',
    run: async ({ db }) => {
      await db.doc('a/taken').set({ n: 0 })
      const batch = db.batch()
      batch.set(db.doc('a/1'), { n: 1 })
      batch.delete(db.doc('a/2'))
      batch.create(db.doc('a/taken'), { n: 2 })
      return [
        await codeOf(batch.commit()),
        (await db.doc('a/1').get()).exists,
        (await db.doc('a/taken').get()).get('n'),
      ]
    },
    expected: [6, false, 0],
  },
  {
    id: 'batch-same-document',
    guarantee: 'writes of one batch to one document apply one after the other',
    run: async ({ db }) => {
      const batch = db.batch()
      batch.create(db.doc('a/b'), { n: 1 })
      batch.update(db.doc('a/b'), { m: 2 })
      batch.update(db.doc('a/b'), { n: FieldValue.increment(5) })
      const results = await batch.commit()
      const times = new Set(results.map((result) => result.writeTime.valueOf()))
      return [(await db.doc('a/b').get()).data(), times.size]
    },
    expected: [{ n: 6, m: 2 }, 1],
  },
  {
    id: 'batch-delete-create',
    guarantee: 'a batch may delete and create the same document',
    run: async ({ db }) => {
      await db.doc('a/b').set({ old: 1 })
      const batch = db.batch()
      batch.delete(db.doc('a/b'))
      batch.create(db.doc('a/b'), { fresh: 1 })
      return [await codeOf(batch.commit()), (await db.doc('a/b').get()).data()]
    },
    expected: ['ok', { fresh: 1 }],
  },
  {
    id: 'batch-large',
    guarantee: 'a batch of 500 writes is one commit',
    run: async ({ db }) => {
      const batch = db.batch()
      for (let n = 0; n < 500; n++) batch.set(db.doc(`a/${n}`), { n })
      const results = await batch.commit()
      return [
        new Set(results.map((result) => result.writeTime.valueOf())).size,
        (await db.collection('a').count().get()).data().count,
      ]
    },
    expected: [1, 500],
  },
  {
    id: 'claim-and-effect',
    guarantee: 'a batch of create and increment, repeated, counts once',
    run: async ({ db }) => {
      const attempt = () => {
        const batch = db.batch()
        batch.create(db.doc('inbox/event-1'), {})
        batch.set(db.doc('totals/t'), { n: FieldValue.increment(1) }, { merge: true })
        return codeOf(batch.commit())
      }
      const codes = [await attempt(), await attempt(), ...(await Promise.all([attempt(), attempt()]))]
      return [codes, (await db.doc('totals/t').get()).get('n')]
    },
    expected: [['ok', 6, 6, 6], 1],
  },
])
