import { codeOf } from '../../support/code-of.ts'
import { firestoreContract, idsOf } from './contract.ts'

firestoreContract('collections and bulk work', [
  {
    id: 'list-collections',
    guarantee: 'collections are listed, those that only lead to deeper documents too',
    run: async ({ db }) => {
      await db.doc('b/1').set({})
      await db.doc('a/1/sub/2').set({})
      const root = await db.listCollections()
      const below = await db.doc('a/1').listCollections()
      return [root.map((collection) => collection.id), below.map((collection) => collection.path)]
    },
    expected: [['a', 'b'], ['a/1/sub']],
  },
  {
    id: 'list-documents',
    guarantee: 'listDocuments shows missing documents that have documents below them',
    run: async ({ db }) => {
      await db.doc('a/real').set({})
      await db.doc('a/phantom/sub/2').set({})
      const listed = await db.collection('a').listDocuments()
      return [listed.map((document) => document.id), await idsOf(db.collection('a'))]
    },
    expected: [['phantom', 'real'], ['real']],
  },
  {
    id: 'list-documents-pages',
    guarantee: 'listDocuments reads every page',
    run: async ({ db }) => {
      const batch = db.batch()
      for (let n = 0; n < 450; n++) batch.set(db.doc(`a/d${n}`), {})
      await batch.commit()
      return (await db.collection('a').listDocuments()).length
    },
    expected: 450,
  },
  {
    id: 'delete-keeps-below',
    guarantee: 'deleting a document leaves its subcollections',
    run: async ({ db }) => {
      await db.doc('a/1').set({})
      await db.doc('a/1/sub/2').set({})
      await db.doc('a/1').delete()
      return [(await db.doc('a/1').get()).exists, (await db.doc('a/1/sub/2').get()).exists]
    },
    expected: [false, true],
  },
  {
    id: 'recursive-delete-document',
    guarantee: 'recursiveDelete of a document takes everything below it and nothing beside it',
    run: async ({ db }) => {
      const paths = ['t/a', 't/a/s/1', 't/a/s/1/u/2', 't/ab', 't/ab/s/1', 'tt/a', 't/a-b/s/1']
      await Promise.all(paths.map((path) => db.doc(path).set({})))
      await db.recursiveDelete(db.doc('t/a'))
      const left = await db.getAll(...paths.map((path) => db.doc(path)))
      return left.filter((document) => document.exists).map((document) => document.ref.path)
    },
    expected: ['t/ab', 't/ab/s/1', 'tt/a', 't/a-b/s/1'],
  },
  {
    id: 'recursive-delete-collection',
    guarantee: 'recursiveDelete of a collection takes all of it and nothing beside it',
    run: async ({ db }) => {
      const paths = ['c/1', 'c/2/s/3', 'cc/1', 'c-c/1', 'b/c/c/1']
      await Promise.all(paths.map((path) => db.doc(path).set({})))
      await db.recursiveDelete(db.collection('c'))
      const left = await db.getAll(...paths.map((path) => db.doc(path)))
      return left.filter((document) => document.exists).map((document) => document.ref.path)
    },
    expected: ['cc/1', 'c-c/1', 'b/c/c/1'],
  },
  {
    id: 'bulk-writer',
    guarantee: 'BulkWriter writes everything and reports each failure to its own promise',
    run: async ({ db }) => {
      await db.doc('a/taken').set({ n: 0 })
      const writer = db.bulkWriter()
      writer.onWriteError(() => false)
      const writes = Array.from({ length: 300 }, (_, n) => writer.set(db.doc(`a/${n}`), { n }))
      const clash = codeOf(writer.create(db.doc('a/taken'), { n: 1 }))
      const removed = codeOf(writer.delete(db.doc('a/none')))
      await writer.close()
      await Promise.all(writes)
      return [await clash, await removed, (await db.collection('a').count().get()).data().count]
    },
    expected: [6, 'ok', 301],
  },
  {
    id: 'databases-apart',
    guarantee: 'databases of one project and projects of one name see nothing of each other',
    run: async ({ db, client }) => {
      await db.doc('a/b').set({ from: 'default' })
      const other = client({ databaseId: 'second' })
      const elsewhere = client({ projectId: `demo-${Math.trunc(performance.now() * 1000)}` })
      await other.doc('a/b').set({ from: 'second' })
      return [
        (await db.doc('a/b').get()).get('from'),
        (await other.doc('a/b').get()).get('from'),
        (await elsewhere.doc('a/b').get()).exists,
      ]
    },
    expected: ['default', 'second', false],
  },
  {
    id: 'partitions',
    guarantee: 'the partitions of a collection group together find every document once',
    run: async ({ db }) => {
      const batch = db.batch()
      for (let n = 0; n < 200; n++) batch.set(db.doc(`p/${n % 7}/g/d${n}`), { n })
      await batch.commit()
      let count = 0
      const first = db.collectionGroup('g').getPartitions(4)[Symbol.asyncIterator]().next()
      const code = await codeOf(first)
      if (code !== 'ok') return code
      for await (const partition of db.collectionGroup('g').getPartitions(4)) {
        count += (await partition.toQuery().get()).size
      }
      return count
    },
    expected: 200,
  },
])
