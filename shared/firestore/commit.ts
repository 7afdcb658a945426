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
  if (hasMerge(writes) && writes.every(({ kind }) => kind === 'merge' || kind === 'verify')) {
    throw new TypeError('a merge needs a guarded write in its commit')
  }
  requireUnwritten(writes)
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

function hasMerge(writes: readonly AnyWrite[]): boolean {
  return writes.some(({ kind }) => kind === 'merge')
}

/** The store compares one write after the other: what an earlier one changed is never as it was read. */
function requireUnwritten(writes: readonly AnyWrite[]): void {
  const verified = writes.filter(({ kind }) => kind === 'verify').map((write) => detailOf(write).path)
  const written = new Set(writes.filter(({ kind }) => kind !== 'verify').map((write) => detailOf(write).path))
  const both = verified.find((path) => written.has(path))
  if (both !== undefined) throw new TypeError(`${both} is verified and written in one commit`)
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
  else if (kind === 'verify') verify(sdk, batch, reference, precondition)
  else if (kind === 'merge') batch.set(reference, fields, { merge: true })
  else if (precondition === undefined) throw new TypeError(`${kind} needs the document as it was read`)
  else if (kind === 'delete') batch.delete(reference, precondition)
  else batch.update(reference, { ...fields, commitId }, precondition)
}

/** No document has such a field: to remove it changes nothing. */
const NO_FIELD = 'verifiedOnly'

/**
 * A precondition with a write that changes nothing. The API has no write that only looks; one without
 * effect keeps the document's update time ("the previous update_time", WriteResult), so that guards of
 * others on it still hold, and a repeat of the commit finds it as before.
 */
function verify(
  sdk: Opened['sdk'],
  batch: ReturnType<Opened['client']['batch']>,
  reference: Parameters<typeof batch.delete>[0],
  precondition: { lastUpdateTime: InstanceType<Opened['sdk']['Timestamp']> } | undefined,
): void {
  if (precondition === undefined) batch.delete(reference, { exists: false })
  else batch.update(reference, { [NO_FIELD]: sdk.FieldValue.delete() }, precondition)
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
