import { Filter, Firestore, GeoPoint, type Query, Timestamp } from '@google-cloud/firestore'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { firestoreEngines } from '../../support/engines.ts'

// The cases beside this file are those somebody thought of. These are the others: random documents and
// queries, and every engine of the run must give the same answer. Alone, an engine is only exercised.

const engines = firestoreEngines()
afterAll(() => Promise.all(engines.map((engine) => engine.close())))

const field = fc.constantFrom('x', 'y', 'm.p')
const scalar = fc.constantFrom<unknown[]>(
  null,
  Number.NaN,
  0,
  -0,
  1,
  1.5,
  2,
  -1,
  2 ** 53,
  Number.POSITIVE_INFINITY,
  true,
  false,
  '',
  'a',
  'b',
  'é',
  '🙂',
  '\uffee',
)
const rich = fc.constantFrom<unknown[]>(
  Timestamp.fromMillis(0),
  Timestamp.fromMillis(-5),
  Buffer.from('a'),
  new GeoPoint(1, 2),
  [],
  [1],
  [1, 2],
  ['a'],
  [null],
  {},
  { p: 1 },
  { p: 2 },
  { q: 1 },
  { p: 1, q: 1 },
)
const value = fc.oneof(scalar, rich)
// The client itself refuses null and NaN where they cannot be compared.
const comparable = value.filter((one) => one !== null && !Number.isNaN(one))
const document = fc.record({ x: value, y: value, m: value }, { requiredKeys: [] })

// Only what the service accepts: one array-contains, one negation and no field ordered by twice.
const positive = fc.oneof(
  fc.tuple(
    field,
    fc.constantFrom('<' as const, '<=' as const, '>' as const, '>=' as const, '==' as const),
    comparable,
  ),
  fc.tuple(field, fc.constant('in' as const), fc.array(value, { minLength: 1, maxLength: 3 })),
)
const single = fc.oneof(
  positive,
  fc.tuple(field, fc.constantFrom('!=' as const, 'array-contains' as const), value),
  fc.tuple(
    field,
    fc.constantFrom('not-in' as const, 'array-contains-any' as const),
    fc.array(value, { minLength: 1, maxLength: 3 }),
  ),
)
const condition = fc.oneof(
  single.map(([path, op, wanted]) => Filter.where(path, op, wanted)),
  fc.tuple(fc.boolean(), fc.array(positive, { minLength: 2, maxLength: 3 })).map(([both, list]) => {
    const filters = list.map(([path, op, wanted]) => Filter.where(path, op, wanted))
    return both ? Filter.and(...filters) : Filter.or(...filters)
  }),
)
const query = fc.record({
  condition: fc.option(condition, { nil: undefined }),
  orders: fc.uniqueArray(fc.tuple(field, fc.constantFrom('asc' as const, 'desc' as const)), {
    maxLength: 2,
    selector: ([path]) => path,
  }),
  cursor: fc.option(
    fc.tuple(
      fc.constantFrom('startAt' as const, 'startAfter' as const, 'endAt' as const, 'endBefore' as const),
      value,
    ),
    { nil: undefined },
  ),
  limit: fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }),
  offset: fc.constantFrom(0, 0, 0, 2),
})
type RandomQuery = typeof query extends fc.Arbitrary<infer T> ? T : never

test('random queries are answered alike by every engine', async () => {
  const run = Math.trunc(performance.timeOrigin + performance.now())
  const clients = await Promise.all(
    engines.map(async (engine) => {
      const settings = {
        host: await engine.host(),
        ssl: false,
        customHeaders: { Authorization: 'Bearer owner' },
      }
      return new Firestore({ projectId: `demo-random-${run}`, ...settings })
    }),
  )
  let round = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(document, { minLength: 5, maxLength: 25 }),
      fc.array(query, { minLength: 5, maxLength: 20 }),
      async (documents, queries) => {
        const collection = `c${round++}`
        const answers = await Promise.all(clients.map((db) => ask(db, collection, documents, queries)))
        for (const answer of answers.slice(1)) expect(answer).toEqual(answers[0])
      },
    ),
    { numRuns: 25, endOnFailure: true },
  )
  await Promise.all(clients.map((db) => db.terminate()))
}, 60_000)

async function ask(
  db: Firestore,
  collection: string,
  documents: readonly object[],
  queries: readonly RandomQuery[],
): Promise<string[][]> {
  const batch = db.batch()
  documents.forEach((data, index) => {
    batch.set(db.doc(`${collection}/d${index}`), data)
  })
  await batch.commit()
  return Promise.all(
    queries.map(async (parts) => {
      const found = await build(db.collection(collection), parts).get()
      return found.docs.map((one) => one.id)
    }),
  )
}

function build(start: Query, { condition, orders, cursor, limit, offset }: RandomQuery): Query {
  let result = condition === undefined ? start : start.where(condition)
  for (const [path, direction] of orders) result = result.orderBy(path, direction)
  if (cursor !== undefined && orders.length > 0) result = result[cursor[0]](cursor[1])
  if (limit !== undefined) result = result.limit(limit)
  return result.offset(offset)
}
