import { invalid, isRpcError } from '../rpc-error.ts'
import { toWireDocument } from './answers.ts'
import { parseDatabase, parseDocumentName, parseName } from './paths.ts'
import { planQuery, type QueryPlan } from './query-plan.ts'
import { concerns, runQuery } from './query-run.ts'
import type { Commit, Store } from './store.ts'
import { type Micros, toWireTimestamp } from './time.ts'
import type { WireListenRequest, WireListenResponse, WireTarget } from './wire.ts'
import type { DocumentState } from './writes.ts'

/** What a stream follows: a query, or documents by name. */
type Watch = { kind: 'query'; plan: QueryPlan } | { kind: 'documents'; database: string; paths: string[] }

type Target = { id: number; watch: Watch; known: Map<string, DocumentState>; stale: boolean }

/** One listening stream. `close` ends the listening, not the stream. */
export type Listening = { receive(request: WireListenRequest): void; close(): void }

/**
 * Follows queries and documents for one stream.
 *
 * Commits that come in one turn of the event loop are one snapshot; a snapshot is always a state the
 * database really had, as it is computed at one read time.
 */
export function listen(store: Store, send: (response: WireListenResponse) => void): Listening {
  const targets = new Map<number, Target>()
  let scheduled: NodeJS.Immediate | undefined

  const flush = () => {
    scheduled = undefined
    const time = store.timeline.read()
    let changed = false
    for (const target of targets.values()) {
      if (!target.stale) continue
      target.stale = false
      changed = sendChanges(store, target, time, send) || changed
    }
    if (changed) sendConsistent(time, send)
  }
  const markStale = (isConcerned: (watch: Watch) => boolean) => {
    for (const target of targets.values()) {
      if (!isConcerned(target.watch)) continue
      target.stale = true
      scheduled ??= setImmediate(flush)
    }
  }
  const unsubscribe = [
    store.onCommit((commit) => markStale((watch) => isConcerned(watch, commit))),
    store.onReplace(() => markStale(() => true)),
  ]

  return {
    receive: (request) => {
      if (request.addTarget !== undefined) {
        addTarget(store, targets, parseDatabase(request.database ?? ''), request.addTarget, send)
      } else if (request.removeTarget !== undefined) {
        targets.delete(request.removeTarget)
        send({ targetChange: { targetChangeType: 'REMOVE', targetIds: [request.removeTarget] } })
      }
    },
    close: () => {
      targets.clear()
      for (const stop of unsubscribe) stop()
      if (scheduled !== undefined) clearImmediate(scheduled)
    },
  }
}

function addTarget(
  store: Store,
  targets: Map<number, Target>,
  database: string,
  wire: WireTarget,
  send: (response: WireListenResponse) => void,
): void {
  const id = wire.targetId || 1
  try {
    const target: Target = { id, watch: parseWatch(wire, database), known: new Map(), stale: false }
    const time = store.timeline.read()
    send({ targetChange: { targetChangeType: 'ADD', targetIds: [id] } })
    // Which documents left the result since a resume token is not kept: the stream starts over.
    if (wire.resumeToken !== undefined || wire.readTime !== undefined) {
      send({ targetChange: { targetChangeType: 'RESET', targetIds: [id] } })
    }
    sendChanges(store, target, time, send, true)
    send({ targetChange: { targetChangeType: 'CURRENT', targetIds: [id], ...moment(time) } })
    sendConsistent(time, send)
    if (wire.once) send({ targetChange: { targetChangeType: 'REMOVE', targetIds: [id] } })
    else targets.set(id, target)
  } catch (error) {
    if (!isRpcError(error)) throw error
    const cause = { code: error.code, message: error.message }
    send({ targetChange: { targetChangeType: 'REMOVE', targetIds: [id], cause } })
  }
}

function parseWatch(wire: WireTarget, database: string): Watch {
  if (wire.documents !== undefined) {
    const names = (wire.documents.documents ?? []).map(parseDocumentName)
    if (names.some((name) => name.database !== database)) throw invalid('A document is of another database.')
    return { kind: 'documents', database, paths: names.map((name) => name.path) }
  }
  const { parent, structuredQuery } = wire.query ?? {}
  if (structuredQuery === undefined) throw invalid('A target has neither documents nor a query.')
  const name = parseName(parent ?? '')
  if (name.database !== database) throw invalid('The query is of another database.')
  return { kind: 'query', plan: planQuery(name.database, name.path, structuredQuery) }
}

function isConcerned(watch: Watch, commit: Commit): boolean {
  if (watch.kind === 'documents') {
    return watch.database === commit.database && commit.changes.some(({ path }) => watch.paths.includes(path))
  }
  const { plan } = watch
  return plan.database === commit.database && commit.changes.some(({ path }) => concerns(plan, path))
}

/** Sends what is new, changed or gone since the last snapshot; says whether anything was. */
function sendChanges(
  store: Store,
  target: Target,
  time: Micros,
  send: (response: WireListenResponse) => void,
  first = false,
): boolean {
  const { watch, known } = target
  const database = watch.kind === 'query' ? watch.plan.database : watch.database
  const current = currentDocuments(store, watch, time)
  const readTime = toWireTimestamp(time)
  let changed = false
  for (const path of known.keys()) {
    if (current.has(path)) continue
    changed = true
    const document = `${database}/documents/${path}`
    const gone = store.tree(database).read(path, time) === undefined
    const removal = { document, readTime, removedTargetIds: [target.id] }
    send(gone ? { documentDelete: removal } : { documentRemove: removal })
    known.delete(path)
  }
  for (const [path, state] of current) {
    if (known.get(path) === state) continue
    changed = true
    const select = watch.kind === 'query' ? watch.plan.select : undefined
    const document = toWireDocument(`${database}/documents/${path}`, state, select)
    send({ documentChange: { document, targetIds: [target.id] } })
    known.set(path, state)
  }
  if (first && watch.kind === 'documents') {
    for (const path of watch.paths.filter((wanted) => !current.has(wanted))) {
      const document = `${database}/documents/${path}`
      send({ documentDelete: { document, readTime, removedTargetIds: [target.id] } })
    }
  }
  return changed
}

function currentDocuments(store: Store, watch: Watch, time: Micros): Map<string, DocumentState> {
  if (watch.kind === 'query') {
    const { rows } = runQuery(store.tree(watch.plan.database), watch.plan, time)
    return new Map(rows.map((row) => [row.path, row.state]))
  }
  const tree = store.tree(watch.database)
  return new Map(
    watch.paths.flatMap((path) => {
      const state = tree.read(path, time)
      return state === undefined ? [] : [[path, state] as const]
    }),
  )
}

/** Tells the client that all it was sent up to now belongs together. */
function sendConsistent(time: Micros, send: (response: WireListenResponse) => void): void {
  send({ targetChange: { targetChangeType: 'NO_CHANGE', targetIds: [], ...moment(time) } })
}

function moment(time: Micros): { readTime: { seconds: string; nanos: number }; resumeToken: Uint8Array } {
  return { readTime: toWireTimestamp(time), resumeToken: Buffer.from(String(time)) }
}
