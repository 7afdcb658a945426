import { setTimeout as deadline } from 'node:timers/promises'
import { type Firestore, Timestamp } from '@google-cloud/firestore'
import { codeOf } from '../../support/code-of.ts'
import { firestoreContract } from './contract.ts'

async function increment(db: Firestore, path: string): Promise<void> {
  await db.runTransaction(
    async (transaction) => {
      const got = await transaction.get(db.doc(path))
      transaction.set(db.doc(path), { n: (got.get('n') ?? 0) + 1 })
    },
    { maxAttempts: 20 },
  )
}

firestoreContract('transactions', [
  {
    id: 'transaction-increments',
    guarantee: '10 parallel read-then-write transactions count 10',
    run: async ({ db }) => {
      await db.doc('a/b').set({ n: 0 })
      await Promise.all(Array.from({ length: 10 }, () => increment(db, 'a/b')))
      return (await db.doc('a/b').get()).get('n')
    },
    expected: 10,
  },
  {
    id: 'transaction-creates-once',
    guarantee: 'of parallel transactions that create what they saw missing, one creates',
    run: async ({ db }) => {
      const attempt = (owner: number) =>
        db.runTransaction(
          async (transaction) => {
            const got = await transaction.get(db.doc('a/b'))
            if (got.exists) return 'taken'
            transaction.create(db.doc('a/b'), { owner })
            return 'mine'
          },
          { maxAttempts: 20 },
        )
      const results = await Promise.all([1, 2, 3, 4].map(attempt))
      return results.filter((result) => result === 'mine').length
    },
    expected: 1,
  },
  {
    id: 'unique-by-query',
    guarantee: 'of parallel transactions that insert what their query did not find, one inserts',
    run: async ({ db }) => {
      const attempt = () =>
        db.runTransaction(
          async (transaction) => {
            const got = await transaction.get(db.collection('users').where('email', '==', 'a@b'))
            if (got.empty) transaction.create(db.collection('users').doc(), { email: 'a@b' })
          },
          { maxAttempts: 20 },
        )
      await Promise.all([attempt(), attempt(), attempt(), attempt()])
      return (await db.collection('users').get()).size
    },
    expected: 1,
  },
  {
    id: 'outside-write',
    guarantee: 'an outside write during a transaction is not lost',
    run: async ({ db, client }) => {
      await db.doc('a/b').set({ n: 0, other: 0 })
      const outside = client()
      let writing: Promise<unknown> | undefined
      await db.runTransaction(
        async (transaction) => {
          const got = await transaction.get(db.doc('a/b'))
          writing ??= outside.doc('a/b').update({ other: 1 })
          // Not waited for to the end: an engine with locks lets it through only after the commit.
          await Promise.race([writing, deadline(500)])
          transaction.set(db.doc('a/b'), { ...got.data(), n: got.get('n') + 1 })
        },
        { maxAttempts: 20 },
      )
      await writing
      return (await db.doc('a/b').get()).data()
    },
    expected: { n: 1, other: 1 },
  },
  {
    id: 'transaction-all-or-nothing',
    guarantee: 'a transaction with a failing write writes nothing',
    run: async ({ db }) => {
      await db.doc('a/taken').set({ n: 1 })
      const code = await codeOf(
        db.runTransaction(async (transaction) => {
          await transaction.get(db.doc('a/1'))
          transaction.set(db.doc('a/1'), { n: 1 })
          transaction.create(db.doc('a/taken'), { n: 2 })
        }),
      )
      return [code, (await db.doc('a/1').get()).exists]
    },
    expected: [6, false],
  },
  {
    id: 'transaction-thrown',
    guarantee: 'a callback that throws writes nothing and frees what it read',
    run: async ({ db }) => {
      await db.doc('a/b').set({ n: 1 })
      const failed = await db
        .runTransaction(async (transaction) => {
          await transaction.get(db.doc('a/b'))
          transaction.update(db.doc('a/b'), { n: 2 })
          throw new Error('changed my mind')
        })
        .catch((error: Error) => error.message)
      await db.doc('a/b').update({ m: 1 })
      return [failed, (await db.doc('a/b').get()).data()]
    },
    expected: ['changed my mind', { n: 1, m: 1 }],
  },
  {
    id: 'transaction-query-and-write',
    guarantee: 'a transaction may query, aggregate and read several documents before it writes',
    run: async ({ db }) => {
      await db.doc('a/1').set({ n: 1 })
      await db.doc('a/2').set({ n: 2 })
      await db.runTransaction(async (transaction) => {
        const found = await transaction.get(db.collection('a').where('n', '>', 0))
        const count = await transaction.get(db.collection('a').count())
        const [one] = await transaction.getAll(db.doc('a/1'), db.doc('a/x'))
        transaction.set(db.doc('b/sum'), { found: found.size, count: count.data().count, one: one?.get('n') })
      })
      return (await db.doc('b/sum').get()).data()
    },
    expected: { found: 2, count: 2, one: 1 },
  },
  {
    id: 'transaction-read-only',
    guarantee: 'a read-only transaction sees one moment throughout',
    run: async ({ db, client }) => {
      await db.doc('a/b').set({ n: 1 })
      const outside = client()
      return db.runTransaction(
        async (transaction) => {
          const first = await transaction.get(db.doc('a/b'))
          await outside.doc('a/b').set({ n: 2 })
          const second = await transaction.get(db.doc('a/b'))
          return [first.get('n'), second.get('n')]
        },
        { readOnly: true },
      )
    },
    expected: [1, 1],
  },
  {
    id: 'read-time',
    guarantee: 'a read-only transaction at an earlier time sees that time, in gets and queries',
    run: async ({ db }) => {
      const { writeTime } = await db.doc('a/b').set({ n: 1 })
      await db.doc('a/b').set({ n: 2 })
      await db.doc('a/c').set({ n: 3 })
      return db.runTransaction(
        async (transaction) => {
          const got = await transaction.get(db.doc('a/b'))
          const all = await transaction.get(db.collection('a'))
          return [got.get('n'), all.size]
        },
        { readOnly: true, readTime: writeTime },
      )
    },
    expected: [1, 1],
  },
  {
    id: 'read-time-too-old',
    guarantee: 'a read time of long ago is refused',
    run: ({ db }) =>
      codeOf(
        db.runTransaction((transaction) => transaction.get(db.doc('a/b')), {
          readOnly: true,
          readTime: Timestamp.fromMillis(1_600_000_000_000),
        }),
      ),
    expected: 9,
  },
  {
    id: 'conditional-race',
    guarantee: 'of 20 parallel updates guarded by one update time exactly one wins',
    run: async ({ db }) => {
      const { writeTime } = await db.doc('a/b').set({ n: 0 })
      const codes = await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          codeOf(db.doc('a/b').update({ n: n + 1 }, { lastUpdateTime: writeTime })),
        ),
      )
      return [codes.filter((code) => code === 'ok').length, codes.filter((code) => code === 9).length]
    },
    expected: [1, 19],
  },
  {
    id: 'create-race',
    guarantee: 'of 20 parallel creates exactly one wins',
    run: async ({ db }) => {
      const codes = await Promise.all(
        Array.from({ length: 20 }, (_, n) => codeOf(db.doc('a/b').create({ n }))),
      )
      return [codes.filter((code) => code === 'ok').length, codes.filter((code) => code === 6).length]
    },
    expected: [1, 19],
  },
])
