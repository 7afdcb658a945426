import { systemClock } from '#shared/clock.ts'
import { asRecord } from '#shared/json.ts'
import type { Loopback } from '../bind-loopback.ts'
import { type Answer, type Call, json, serveLoopback } from '../loopback.ts'
import { createBucket, deleteBucket, describeBucket, getBucket, updateBucket } from './buckets.ts'
import { composeObjects } from './compose.ts'
import { type BucketRecord, errorBody, type ObjectRecord, storageError } from './model.ts'
import { checkPreconditions, describeObject, getObject, listObjects, updateObject } from './objects.ts'
import { type ObjectStore, openObjectStore } from './store.ts'
import { upload } from './upload.ts'

type StorageOptions = {
  /** 0 or absent: any free port. */
  readonly port?: number
  readonly folder: string
  readonly now?: () => number
  /** A bucket that is there from the beginning, as Terraform would have made it. */
  readonly bucket?: string
}

/** For STORAGE_EMULATOR_HOST or the client's apiEndpoint. */
export type StorageServer = Loopback

/** Serves buckets and objects over a subset of Cloud Storage's JSON API, on the loopback interface. */
export function startStorage(options: StorageOptions): Promise<StorageServer> {
  const now = options.now ?? systemClock.now
  const store = openObjectStore(options.folder, now)
  const { bucket } = options
  if (bucket !== undefined && store.findBucket(bucket) === undefined) {
    createBucket(store, { name: bucket }, now())
  }
  // An object may be as large as memory allows: the limit of the other stand-ins would be a false one.
  return serveLoopback(options.port ?? 0, (call) => answer({ store, now, call }), Number.POSITIVE_INFINITY)
}

type Exchange = { readonly store: ObjectStore; readonly now: () => number; readonly call: Call }

async function answer(exchange: Exchange): Promise<Answer> {
  try {
    return route(exchange)
  } catch (error) {
    return refusal(error)
  }
}

function route(exchange: Exchange): Answer {
  const { store, call } = exchange
  const path = /^\/(upload\/|download\/)?storage\/v1\/b(?:\/([^/]+)(\/o(?:\/(.+))?)?)?$/.exec(
    call.url.pathname,
  )
  if (path === null) throw storageError(404, 'notFound', 'Not Found')
  const [, kind, bucketName, objects, objectName] = path
  if (bucketName === undefined) return answerBuckets(exchange)
  const bucket = getBucket(store, decode(bucketName))
  if (objects === undefined) return answerBucket(exchange, bucket)
  if (kind === 'upload/' && call.method === 'POST') return found(upload(store, bucket, call))
  const composed = /^([^/]+)\/compose$/.exec(objectName ?? '')?.[1]
  if (composed !== undefined && call.method === 'POST') {
    return found(composeObjects(store, bucket, decode(composed), fieldsOf(call), call.url.searchParams))
  }
  if (objectName !== undefined) {
    return answerObject(exchange, bucket, decode(objectName), kind === 'download/')
  }
  if (call.method !== 'GET') throw notAllowed()
  return found(listObjects(store, bucket, call.url.searchParams))
}

function answerBuckets({ store, now, call }: Exchange): Answer {
  if (call.method === 'POST') return found(createBucket(store, fieldsOf(call), now()))
  if (call.method !== 'GET') throw notAllowed()
  return found({ kind: 'storage#buckets', items: store.buckets().map(describeBucket) })
}

function answerBucket({ store, now, call }: Exchange, bucket: BucketRecord): Answer {
  if (call.method === 'GET') return found(describeBucket(bucket))
  if (call.method === 'PATCH') return found(updateBucket(store, bucket, fieldsOf(call), now()))
  if (call.method !== 'DELETE') throw notAllowed()
  deleteBucket(store, bucket)
  return DELETED
}

function answerObject(
  { store, now, call }: Exchange,
  bucket: BucketRecord,
  name: string,
  download: boolean,
): Answer {
  const query = call.url.searchParams
  const object = getObject(store, bucket, name, query)
  checkPreconditions(object, query)
  if (call.method === 'GET') {
    return download || query.get('alt') === 'media'
      ? media(call.headers.range, object, store.read(object))
      : found(describeObject(object))
  }
  if (call.method === 'PATCH') return found(updateObject(store, object, fieldsOf(call), now()))
  if (call.method !== 'DELETE') throw notAllowed()
  store.remove(bucket, object, query.has('generation'))
  return DELETED
}

function media(wanted: string | undefined, object: ObjectRecord, data: Buffer): Answer {
  const headers = {
    'content-type': object.contentType,
    etag: `"${object.md5Hash}"`,
    'x-goog-generation': String(object.generation),
    'x-goog-hash': `crc32c=${object.crc32c},md5=${object.md5Hash}`,
    ...(object.contentDisposition && { 'content-disposition': object.contentDisposition }),
    ...(object.contentEncoding && { 'content-encoding': object.contentEncoding }),
    ...(object.cacheControl && { 'cache-control': object.cacheControl }),
  }
  const range = /^bytes=(\d+)-(\d*)$/.exec(wanted ?? '')
  if (range === null) return { status: 200, headers, body: data }
  const start = Number(range[1])
  if (start >= data.length)
    throw storageError(416, 'requestedRangeNotSatisfiable', 'The range lies beyond the object.')
  const end = Math.min(range[2] ? Number(range[2]) : data.length - 1, data.length - 1)
  return {
    status: 206,
    headers: { ...headers, 'content-range': `bytes ${start}-${end}/${data.length}` },
    body: data.subarray(start, end + 1),
  }
}

const JSON_TYPE = { 'content-type': 'application/json; charset=UTF-8' }
const DELETED: Answer = { status: 204, body: '' }

const found = (body: object): Answer => json(200, body, JSON_TYPE)

function refusal(error: unknown): Answer {
  const known = error instanceof Error && 'status' in error && 'reason' in error
  const told = known
    ? storageError(Number(error.status), String(error.reason), error.message)
    : storageError(500, 'backendError', String(error))
  return json(told.status, errorBody(told), JSON_TYPE)
}

/** The members of a JSON body; what is no object has none. */
function fieldsOf(call: Call): Record<string, unknown> {
  try {
    return asRecord(JSON.parse(call.body.toString('utf8') || '{}')) ?? {}
  } catch {
    throw storageError(400, 'parseError', 'The body is not JSON.')
  }
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw storageError(400, 'invalid', 'The name is not URL-encoded.')
  }
}

const notAllowed = () => storageError(405, 'methodNotAllowed', 'Method not allowed')
