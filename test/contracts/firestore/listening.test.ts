import type { DocumentReference, Query, QuerySnapshot } from '@google-cloud/firestore'
import { expect, vi } from 'vitest'
import { firestoreContract } from './contract.ts'

type Seen = { states: string[][]; changes: string[]; waitFor(ids: string[]): Promise<void>; stop(): void }

/** Follows a query and keeps every snapshot's ids. */
function follow(query: Query): Seen {
  const states: string[][] = []
  const changes: string[] = []
  const stop = query.onSnapshot((snapshot: QuerySnapshot) => {
    states.push(snapshot.docs.map((document) => document.id))
    changes.push(
      ...snapshot
        .docChanges()
        .map(({ type, doc, oldIndex, newIndex }) => `${type} ${doc.id} ${oldIndex}>${newIndex}`),
    )
  })
  const waitFor = (ids: string[]) => vi.waitFor(() => expect(states.at(-1)).toEqual(ids), { timeout: 10_000 })
  return { states, changes, waitFor, stop }
}

firestoreContract('listening', [
  {
    id: 'listen-document',
    guarantee: 'a listener hears a document come, change and go',
    run: async ({ db }) => {
      const ref: DocumentReference = db.doc('a/b')
      const heard: unknown[] = []
      const stop = ref.onSnapshot((snapshot) => heard.push(snapshot.data()?.['n'] ?? null))
      await vi.waitFor(() => expect(heard.length).toBe(1), { timeout: 10_000 })
      await ref.set({ n: 1 })
      await vi.waitFor(() => expect(heard.length).toBe(2), { timeout: 10_000 })
      await ref.update({ n: 2 })
      await vi.waitFor(() => expect(heard.length).toBe(3), { timeout: 10_000 })
      await ref.delete()
      await vi.waitFor(() => expect(heard.length).toBe(4), { timeout: 10_000 })
      stop()
      return heard
    },
    expected: [null, 1, 2, null],
  },
  {
    id: 'listen-query',
    guarantee: 'a listener hears documents enter and leave a query',
    run: async ({ db }) => {
      await db.doc('c/a').set({ on: true })
      await db.doc('c/b').set({ on: false })
      const seen = follow(db.collection('c').where('on', '==', true))
      await seen.waitFor(['a'])
      await db.doc('c/b').update({ on: true })
      await seen.waitFor(['a', 'b'])
      await db.doc('c/a').update({ on: false })
      await seen.waitFor(['b'])
      await db.doc('c/b').delete()
      await seen.waitFor([])
      seen.stop()
      return seen.changes
    },
    expected: ['added a -1>0', 'added b -1>1', 'removed a 0>-1', 'removed b 0>-1'],
  },
  {
    id: 'listen-limit',
    guarantee: 'a limited query stays full: who drops out is replaced',
    run: async ({ db }) => {
      for (const [id, n] of [
        ['a', 1],
        ['b', 2],
        ['d', 3],
      ] as const)
        await db.doc(`c/${id}`).set({ n })
      const seen = follow(db.collection('c').orderBy('n').limit(2))
      await seen.waitFor(['a', 'b'])
      await db.doc('c/a').delete()
      await seen.waitFor(['b', 'd'])
      await db.doc('c/e').set({ n: 0 })
      await seen.waitFor(['e', 'b'])
      await db.doc('c/b').update({ n: -1 })
      await seen.waitFor(['b', 'e'])
      seen.stop()
      return 'followed'
    },
    expected: 'followed',
  },
  {
    id: 'listen-batch',
    guarantee: 'a batch is heard as one snapshot',
    run: async ({ db }) => {
      const seen = follow(db.collection('c'))
      await seen.waitFor([])
      const batch = db.batch()
      for (let n = 0; n < 10; n++) batch.set(db.doc(`c/${n}`), { n })
      await batch.commit()
      await seen.waitFor(Array.from({ length: 10 }, (_, n) => String(n)))
      seen.stop()
      return seen.states.map((state) => state.length)
    },
    expected: [0, 10],
  },
  {
    id: 'listen-unrelated',
    guarantee: 'writes elsewhere are not heard',
    run: async ({ db }) => {
      const seen = follow(db.collection('c'))
      await seen.waitFor([])
      await db.doc('d/1').set({})
      await db.doc('c/x/c/1').set({})
      await db.doc('c/1').set({})
      await seen.waitFor(['1'])
      seen.stop()
      return seen.states
    },
    expected: [[], ['1']],
  },
  {
    id: 'listen-group',
    guarantee: 'a collection group can be listened to',
    run: async ({ db }) => {
      const seen = follow(db.collectionGroup('g'))
      await seen.waitFor([])
      await db.doc('p/1/g/a').set({})
      await seen.waitFor(['a'])
      seen.stop()
      return seen.changes
    },
    expected: ['added a -1>0'],
  },
])
