import { CALL_DEADLINE_MS, withDeadline } from '../deadline.ts'
import { type Database, type Opened, reach } from './database.ts'
import { type AnyWrite, detailOf, type WriteDetail } from './scoped.ts'
import { decode, encode } from './values.ts'

/**
 * How a conditional commit ended.
 *
 * `duplicate`: a `once` document of somebody else's commit is there; `existing` holds its fields.
 * `conflict`: a document changed since it was read; read and decide again.
 */
export type CommitOutcome =
  | { readonly kind: 'committed' }
  | { readonly kind: 'duplicate'; readonly existing: Readonly<Record<string, unknown>> }
  | { readonly kind: 'conflict' }

const NOT_FOUND = 5
const ALREADY_EXISTS = 6
const FAILED_PRECONDITION = 9
const ABORTED = 10

/**
 * Makes all writes or none, each `update` only if the document is as it was read.
 *
 * The official client retries a commit by itself when the answer was lost, and then reports our own
 * success as ALREADY_EXISTS or FAILED_PRECONDITION. So each guarded write carries `commitId`, and on
 * such an answer the documents are read: our id on any of them means all of it was committed.
 * Throws when the outcome is unknown; the same commit may be tried again.
 */
export async function commitWrites(
  database: Database,
  writes: readonly AnyWrite[],
  commitId: string,
): Promise<CommitOutcome> {
  if (writes.length === 0) return { kind: 'committed' }
  // The client repeats a commit whose answer was lost: without a guard an increment would count twice.
  if (writes.every((write) => write.kind === 'merge')) {
    throw new TypeError('a merge needs a guarded write in its commit')
  }
  const opened = await reach(database)
  const batch = opened.client.batch()
  for (const write of writes) addTo(opened, batch, write.kind, detailOf(write), commitId)
  try {
    await withDeadline('firestore.commit', CALL_DEADLINE_MS, batch.commit())
    return { kind: 'committed' }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (![NOT_FOUND, ALREADY_EXISTS, FAILED_PRECONDITION, ABORTED].includes(Number(code))) throw error
    return recognise(opened, writes, commitId)
  }
}

function addTo(
  { client, sdk }: Opened,
  batch: ReturnType<Opened['client']['batch']>,
  kind: AnyWrite['kind'],
  detail: WriteDetail,
  commitId: string,
): void {
  const reference = client.doc(detail.path)
  const precondition =
    detail.version === undefined ? undefined : { lastUpdateTime: timeOf(sdk, detail.version) }
  const fields = encode(sdk, detail.fields, detail.tenantId)
  if (kind === 'create') batch.create(reference, { ...fields, commitId })
  else if (kind === 'merge') batch.set(reference, fields, { merge: true })
  else if (precondition === undefined) throw new TypeError(`${kind} needs the document as it was read`)
  else if (kind === 'delete') batch.delete(reference, precondition)
  else batch.update(reference, { ...fields, commitId }, precondition)
}

async function recognise(
  { client, sdk }: Opened,
  writes: readonly AnyWrite[],
  commitId: string,
): Promise<CommitOutcome> {
  const guarded = writes.filter((write) => write.kind === 'create' || write.kind === 'update')
  if (guarded.length === 0) return { kind: 'conflict' }
  const snapshots = await withDeadline(
    'firestore.getAll',
    CALL_DEADLINE_MS,
    client.getAll(...guarded.map((write) => client.doc(detailOf(write).path))),
  )
  if (snapshots.some((snapshot) => snapshot.get('commitId') === commitId)) return { kind: 'committed' }
  const index = guarded.findIndex((write, at) => detailOf(write).once && snapshots[at]?.exists === true)
  if (index < 0) return { kind: 'conflict' }
  return {
    kind: 'duplicate',
    existing: decode(sdk, snapshots[index]?.data() ?? {}) as Record<string, unknown>,
  }
}

function timeOf(sdk: Opened['sdk'], version: string): InstanceType<Opened['sdk']['Timestamp']> {
  const [seconds, nanoseconds] = version.split('.')
  return new sdk.Timestamp(Number(seconds), Number(nanoseconds))
}
