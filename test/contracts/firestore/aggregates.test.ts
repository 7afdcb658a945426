import { AggregateField, type Firestore } from '@google-cloud/firestore'
import { firestoreContract } from './contract.ts'

async function seed(db: Firestore, values: readonly unknown[]): Promise<void> {
  const batch = db.batch()
  values.forEach((n, index) => {
    batch.set(db.doc(`c/${index}`), n === undefined ? { other: 1 } : { n })
  })
  await batch.commit()
}

firestoreContract('aggregates', [
  {
    id: 'count',
    guarantee: 'count counts what the query finds, limit included',
    run: async ({ db }) => {
      await seed(db, [1, 2, 3, 'x', undefined])
      const all = await db.collection('c').count().get()
      const some = await db.collection('c').where('n', '>', 1).count().get()
      const limited = await db.collection('c').limit(2).count().get()
      return [all.data().count, some.data().count, limited.data().count]
    },
    expected: [5, 2, 2],
  },
  {
    id: 'sum-average',
    guarantee: 'sum and average leave out what is no number',
    run: async ({ db }) => {
      await seed(db, [1, 2, 4.5, 'x', null])
      const got = await db
        .collection('c')
        .aggregate({ sum: AggregateField.sum('n'), average: AggregateField.average('n') })
        .get()
      return got.data()
    },
    expected: { sum: 7.5, average: 2.5 },
  },
  {
    id: 'sum-empty',
    guarantee: 'over nothing the sum is 0 and the average null',
    run: async ({ db }) => {
      const got = await db
        .collection('c')
        .aggregate({
          n: AggregateField.count(),
          sum: AggregateField.sum('n'),
          average: AggregateField.average('n'),
        })
        .get()
      return got.data()
    },
    expected: { n: 0, sum: 0, average: null },
  },
  {
    id: 'sum-nan',
    guarantee: 'one NaN makes the sum NaN',
    run: async ({ db }) => {
      await seed(db, [1, Number.NaN])
      const got = await db
        .collection('c')
        .aggregate({ sum: AggregateField.sum('n') })
        .get()
      return Number.isNaN(got.data().sum)
    },
    expected: true,
  },
  {
    id: 'sum-overflow',
    guarantee: 'a sum beyond 64 bits becomes a double',
    run: async ({ client }) => {
      const db = client({ useBigInt: true })
      await seed(db, [9223372036854775807n, 9223372036854775807n])
      const got = await db
        .collection('c')
        .aggregate({ sum: AggregateField.sum('n') })
        .get()
      return typeof got.data().sum === 'number' && got.data().sum
    },
    expected: 18446744073709552000,
  },
  {
    id: 'count-with-sum',
    guarantee: 'a count beside a sum counts only documents that have the summed field',
    run: async ({ db }) => {
      await seed(db, [1, 'x', undefined])
      const got = await db
        .collection('c')
        .aggregate({ n: AggregateField.count(), sum: AggregateField.sum('n') })
        .get()
      return got.data()
    },
    expected: { n: 2, sum: 1 },
  },
])
