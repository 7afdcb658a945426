import type { Firestore, Query } from '@google-cloud/firestore'
import { type ContractCase, idsOf } from './contract.ts'

/** One case: these documents, this query, these ids in this order. */
export function finds(
  id: string,
  guarantee: string,
  documents: Record<string, object>,
  query: (db: Firestore) => Query,
  expected: readonly string[] | number,
): ContractCase {
  return {
    id,
    guarantee,
    expected,
    run: async ({ db }) => {
      await seed(db, documents)
      try {
        return await idsOf(query(db))
      } catch (error) {
        return error instanceof Error && 'code' in error ? error.code : String(error)
      }
    },
  }
}

/** Keys without a slash are ids in collection `c`. */
export async function seed(db: Firestore, documents: Record<string, object>): Promise<void> {
  const batch = db.batch()
  for (const [key, data] of Object.entries(documents)) {
    batch.set(db.doc(key.includes('/') ? key : `c/${key}`), data)
  }
  await batch.commit()
}

/** The collection the cases work in. */
export const c = (db: Firestore) => db.collection('c')

export const NUMBERS = { a: { n: 1 }, b: { n: 2 }, d: { n: 3 }, e: { n: 2.5 }, f: { m: 1 } }
export const GRID = {
  a: { x: 1, y: 3 },
  b: { x: 1, y: 1 },
  d: { x: 2, y: 2 },
  e: { x: 2, y: 1 },
  f: { x: 3 },
}
