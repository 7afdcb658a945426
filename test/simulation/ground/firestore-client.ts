import { toWireFields } from '#local/engine/firestore/codec.ts'
import { formatFieldPath } from '#local/engine/firestore/paths.ts'
import { planQuery } from '#local/engine/firestore/query-plan.ts'
import type { Store } from '#local/engine/firestore/store.ts'
import type { WireFilter, WireQuery, WireValue, WireWrite } from '#local/engine/firestore/wire.ts'
import { type DocumentState, parseWrite, project } from '#local/engine/firestore/writes.ts'
import { pause } from '#shared/deadline.ts'
import type { Opened } from '#shared/firestore/database.ts'
import type { Random } from '#shared/testing/random.ts'
import type { Simulation } from '#shared/testing/simulation.ts'
import { encodeFields, fromWireFields, sdk, Timestamp, toWire } from './firestore-values.ts'

export const DATABASE = 'projects/demo-sim/databases/(default)'

type Fields = Readonly<Record<string, unknown>>
type Reference = { readonly path: string }
type Precondition = { readonly lastUpdateTime: Timestamp }
type DeletePrecondition = Precondition | { readonly exists: false }

/**
 * The calls `shared/firestore/` makes of the official client, on the embedded engine's store.
 *
 * Each RPC is one call of the port `firestore`, and failed ones are made again as the official client
 * makes them: a lost answer to a commit is followed by the same commit.
 */
export function simulatedFirestore(simulation: Simulation, store: Store, chance: Random): Opened {
  const rpc = <T>(name: string, path: string, apply: () => T): Promise<T> =>
    withRetries(name === 'commit' ? COMMIT_CODES : READ_CODES, chance, () =>
      simulation.call('firestore', `${name} ${path}`, apply),
    )
  const read = (path: string) => {
    const view = store.view(DATABASE, {})
    return snapshotOf(path, store.read(view, path), view.time)
  }
  const commit = (writes: readonly WireWrite[], what: string): Promise<unknown> =>
    rpc('commit', what, () => store.commit(DATABASE, writes.map(parseWrite)))
  const reference = (path: string) => ({
    path,
    get: () => rpc('get', path, () => read(path)),
    set: (fields: Fields, options: { merge: true }) => commit([mergeOf({ path }, fields, options)], path),
  })
  const client = {
    doc: reference,
    getAll: (...references: readonly Reference[]) =>
      rpc('getAll', references.map(({ path }) => path).join(' '), () =>
        references.map(({ path }) => read(path)),
      ),
    collection: (path: string) => queryOn(store, path, {}, rpc),
    batch: () => {
      const writes: WireWrite[] = []
      return {
        create: ({ path }: Reference, fields: Fields) => {
          const { fields: set, transforms } = encodeFields(fields)
          writes.push({
            update: { name: nameOf(path), fields: set },
            updateTransforms: transforms,
            currentDocument: { exists: false },
          })
        },
        set: (to: Reference, fields: Fields, options: { merge: true }) =>
          writes.push(mergeOf(to, fields, options)),
        update: (to: Reference, fields: Fields, precondition: Precondition) =>
          writes.push(updateOf(to, fields, precondition)),
        delete: ({ path }: Reference, precondition: DeletePrecondition) =>
          writes.push({ delete: nameOf(path), currentDocument: guardOf(precondition) }),
        commit: () => commit(writes, pathsOf(writes)),
      }
    },
    terminate: async () => {},
  }
  return { client, sdk } as unknown as Opened
}

const ABORTED = 10
const RESOURCE_EXHAUSTED = 8
const UNAVAILABLE = 14
const INTERNAL = 13
const DEADLINE_EXCEEDED = 4
const COMMIT_CODES = [ABORTED, RESOURCE_EXHAUSTED, UNAVAILABLE]
const READ_CODES = [RESOURCE_EXHAUSTED, UNAVAILABLE, INTERNAL, DEADLINE_EXCEEDED]
const MOST_TRIES = 5

/** At once, then after a second and half as long again each time; a minute when there was too much. */
async function withRetries<T>(codes: readonly number[], chance: Random, run: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await run()
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? Number(error.code) : 0
      if (attempt >= MOST_TRIES || !codes.includes(code)) throw error
      const baseMs = code === RESOURCE_EXHAUSTED ? 60_000 : attempt === 1 ? 0 : 1_000 * 1.5 ** (attempt - 2)
      await pause(baseMs * (0.5 + chance.next()))
    }
  }
}

function queryOn(
  store: Store,
  path: string,
  query: WireQuery,
  rpc: <T>(name: string, path: string, apply: () => T) => Promise<T>,
) {
  const cut = path.lastIndexOf('/')
  const [parent, collectionId] = cut < 0 ? ['', path] : [path.slice(0, cut), path.slice(cut + 1)]
  const more = (added: WireQuery) => queryOn(store, path, { ...query, ...added }, rpc)
  const orders = query.orderBy ?? []
  return {
    where: (field: string, operator: string, value: unknown) =>
      more({
        where: {
          compositeFilter: { op: 'AND', filters: [...filtersOf(query), filterOf(field, operator, value)] },
        },
      }),
    orderBy: (field: string, direction: string) =>
      more({
        orderBy: [
          ...orders,
          { field: { fieldPath: field }, direction: direction === 'desc' ? 'DESCENDING' : 'ASCENDING' },
        ],
      }),
    startAfter: (...values: readonly unknown[]) =>
      more({
        startAt: {
          values: values.map((value, index) => cursorOf(path, orders[index], value)),
          before: false,
        },
      }),
    limit: (limit: number) => more({ limit: { value: limit } }),
    select: (...fields: readonly string[]) =>
      more({ select: { fields: fields.map((fieldPath) => ({ fieldPath })) } }),
    get: () =>
      rpc('query', path, () => {
        const view = store.view(DATABASE, {})
        const plan = planQuery(DATABASE, parent, { ...query, from: [{ collectionId }] })
        const { rows } = store.query(view, plan)
        const shown = (state: DocumentState): DocumentState =>
          plan.select === undefined ? state : { ...state, fields: project(state.fields, plan.select) }
        return {
          docs: rows.map((row) => snapshotOf(row.path, shown(row.state), view.time)),
          readTime: Timestamp.fromMicros(view.time),
        }
      }),
  }
}

const OPERATORS: Readonly<Record<string, string>> = {
  '==': 'EQUAL',
  '<': 'LESS_THAN',
  '<=': 'LESS_THAN_OR_EQUAL',
  '>': 'GREATER_THAN',
  '>=': 'GREATER_THAN_OR_EQUAL',
  in: 'IN',
  'array-contains': 'ARRAY_CONTAINS',
}

function filterOf(field: string, operator: string, value: unknown): WireFilter {
  return {
    fieldFilter: { field: { fieldPath: field }, op: OPERATORS[operator] ?? operator, value: toWire(value) },
  }
}

function filtersOf(query: WireQuery): readonly WireFilter[] {
  return query.where?.compositeFilter?.filters ?? []
}

function cursorOf(
  path: string,
  order: { field?: { fieldPath?: string } } | undefined,
  value: unknown,
): WireValue {
  return order?.field?.fieldPath === '__name__'
    ? { referenceValue: nameOf(`${path}/${value}`) }
    : toWire(value)
}

function snapshotOf(path: string, state: DocumentState | undefined, readMicros: number) {
  let decoded: Record<string, unknown> | undefined
  const data = (): Record<string, unknown> | undefined => {
    decoded ??= state === undefined ? undefined : fromWireFields(toWireFields(state.fields))
    return decoded
  }
  return {
    id: path.slice(path.lastIndexOf('/') + 1),
    ref: { path },
    exists: state !== undefined,
    data,
    get: (field: string) => data()?.[field],
    updateTime: state === undefined ? undefined : Timestamp.fromMicros(state.updateTime),
    readTime: Timestamp.fromMicros(readMicros),
  }
}

function mergeOf({ path }: Reference, fields: Fields, options: { merge: true }): WireWrite {
  if (options.merge !== true) throw new TypeError('set without merge is not simulated')
  const { fields: set, leaves, transforms } = encodeFields(fields)
  return {
    update: { name: nameOf(path), fields: set },
    updateMask: { fieldPaths: leaves.map(formatFieldPath) },
    updateTransforms: transforms,
  }
}

/** Named fields as wholes: what stood below one of them is gone. */
function updateOf({ path }: Reference, fields: Fields, precondition: Precondition): WireWrite {
  const { fields: set, leaves, transforms } = encodeFields(fields)
  const dotted = Object.keys(fields).find((name) => name.includes('.'))
  if (dotted !== undefined) throw new TypeError(`the client reads ${dotted} as a path`)
  const computed = new Set(transforms.map((transform) => transform.fieldPath))
  const removed = new Set(leaves.filter((path) => path.length === 1).map(([name]) => name))
  const mask = Object.keys(fields)
    .filter((name) => removed.has(name) || !computed.has(formatFieldPath([name])))
    .map((name) => formatFieldPath([name]))
  return {
    update: { name: nameOf(path), fields: set },
    updateMask: { fieldPaths: mask },
    updateTransforms: transforms,
    currentDocument: guardOf(precondition),
  }
}

function guardOf(precondition: DeletePrecondition): NonNullable<WireWrite['currentDocument']> {
  if ('exists' in precondition) return { exists: precondition.exists }
  const { lastUpdateTime } = precondition
  return { updateTime: { seconds: String(lastUpdateTime.seconds), nanos: lastUpdateTime.nanoseconds } }
}

function nameOf(path: string): string {
  return `${DATABASE}/documents/${path}`
}

function pathsOf(writes: readonly WireWrite[]): string {
  return writes
    .map((write) => (write.delete ?? write.update?.name ?? '').slice(DATABASE.length + 11))
    .join(' ')
}
