import { FieldPath, FieldValue } from '@google-cloud/firestore'
import { codeOf } from '../../support/code-of.ts'
import { firestoreContract } from './contract.ts'

firestoreContract('updates and batches', [
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
