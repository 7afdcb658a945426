import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { systemClock } from '#shared/clock.ts'
import { createBucket, deleteBucket, describeBucket, getBucket, updateBucket } from './buckets.ts'
import { type BucketRecord, errorBody, type ObjectRecord, storageError } from './model.ts'
import { parseMultipart } from './multipart.ts'
import {
  checkPreconditions,
  describeObject,
  getObject,
  listObjects,
  putObject,
  stringsOf,
  updateObject,
} from './objects.ts'
import { type NewObject, type ObjectStore, openObjectStore } from './store.ts'

export type StorageOptions = {
  /** 0 or absent: any free port. */
  readonly port?: number
  readonly folder: string
  readonly now?: () => number
}

export type StorageServer = {
  /** For STORAGE_EMULATOR_HOST or the client's apiEndpoint. */
  readonly url: string
  readonly port: number
  close(): Promise<void>
}

/** Serves buckets and objects over a subset of Cloud Storage's JSON API, on the loopback interface. */
export async function startStorage(options: StorageOptions): Promise<StorageServer> {
  const now = options.now ?? systemClock.now
  const store = openObjectStore(options.folder, now)
  const server = createServer((request, response) => {
    answer({ store, now, request, response }).catch((error: unknown) => sendError(response, error))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

type Exchange = {
  readonly store: ObjectStore
  readonly now: () => number
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

async function answer(exchange: Exchange): Promise<void> {
  const url = new URL(exchange.request.url ?? '/', 'http://storage')
  const route = /^\/(upload\/|download\/)?storage\/v1\/b(?:\/([^/]+)(\/o(?:\/(.+))?)?)?$/.exec(url.pathname)
  if (route === null) throw storageError(404, 'notFound', 'Not Found')
  const [, kind, bucketName, objects, objectName] = route
  const { store, request, response } = exchange
  if (bucketName === undefined) return answerBuckets(exchange)
  const bucket = getBucket(store, decode(bucketName))
  if (objects === undefined) return answerBucket(exchange, bucket)
  if (kind === 'upload/' && request.method === 'POST') return upload(exchange, bucket, url.searchParams)
  if (objectName !== undefined) {
    return answerObject(exchange, bucket, decode(objectName), url.searchParams, kind === 'download/')
  }
  if (request.method !== 'GET') throw notAllowed()
  sendJson(response, listObjects(store, bucket, url.searchParams))
}

async function answerBuckets({ store, now, request, response }: Exchange): Promise<void> {
  if (request.method === 'POST') sendJson(response, createBucket(store, await readJson(request), now()))
  else if (request.method === 'GET') {
    sendJson(response, { kind: 'storage#buckets', items: store.buckets().map(describeBucket) })
  } else throw notAllowed()
}

async function answerBucket(
  { store, now, request, response }: Exchange,
  bucket: BucketRecord,
): Promise<void> {
  if (request.method === 'GET') sendJson(response, describeBucket(bucket))
  else if (request.method === 'PATCH') {
    sendJson(response, updateBucket(store, bucket, await readJson(request), now()))
  } else if (request.method === 'DELETE') {
    deleteBucket(store, bucket)
    response.writeHead(204).end()
  } else throw notAllowed()
}

async function answerObject(
  { store, now, request, response }: Exchange,
  bucket: BucketRecord,
  name: string,
  query: URLSearchParams,
  download: boolean,
): Promise<void> {
  const object = getObject(store, bucket, name, query)
  checkPreconditions(object, query)
  if (request.method === 'GET') {
    if (download || query.get('alt') === 'media') sendData(request, response, object, store.read(object))
    else sendJson(response, describeObject(object))
  } else if (request.method === 'PATCH') {
    sendJson(response, updateObject(store, object, await readJson(request), now()))
  } else if (request.method === 'DELETE') {
    store.remove(bucket, object, query.has('generation'))
    response.writeHead(204).end()
  } else throw notAllowed()
}

async function upload({ store, request, response }: Exchange, bucket: BucketRecord, query: URLSearchParams) {
  const body = await readBody(request)
  const contentType = request.headers['content-type']
  if (query.get('uploadType') === 'media') {
    const object: NewObject = { data: body, contentType: contentType ?? DEFAULT_TYPE, metadata: {} }
    sendJson(response, putObject(store, bucket, query.get('name') ?? '', object, query))
  } else if (query.get('uploadType') === 'multipart') {
    const parts = parseMultipart(contentType ?? '', body)
    const given = asRecord(parts.metadata)
    const text = (key: string): string | undefined => stringsOf(given)[key]
    const object: NewObject = {
      data: parts.data,
      contentType: text('contentType') ?? parts.contentType ?? DEFAULT_TYPE,
      metadata: stringsOf(given['metadata']),
      ...pick(stringsOf(given), [
        'md5Hash',
        'crc32c',
        'cacheControl',
        'contentDisposition',
        'contentEncoding',
      ]),
    }
    sendJson(response, putObject(store, bucket, query.get('name') ?? text('name') ?? '', object, query))
  } else throw storageError(400, 'invalid', 'uploadType must be media or multipart here.')
}

const DEFAULT_TYPE = 'application/octet-stream'

function sendData(
  request: IncomingMessage,
  response: ServerResponse,
  object: ObjectRecord,
  data: Buffer,
): void {
  const headers = {
    'content-type': object.contentType,
    etag: `"${object.md5Hash}"`,
    'x-goog-generation': String(object.generation),
    'x-goog-hash': `crc32c=${object.crc32c},md5=${object.md5Hash}`,
    ...(object.contentDisposition && { 'content-disposition': object.contentDisposition }),
    ...(object.contentEncoding && { 'content-encoding': object.contentEncoding }),
    ...(object.cacheControl && { 'cache-control': object.cacheControl }),
  }
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '')
  if (range === null) {
    response.writeHead(200, { ...headers, 'content-length': data.length }).end(data)
    return
  }
  const start = Number(range[1])
  if (start >= data.length)
    throw storageError(416, 'requestedRangeNotSatisfiable', 'The range lies beyond the object.')
  const end = Math.min(range[2] ? Number(range[2]) : data.length - 1, data.length - 1)
  const part = data.subarray(start, end + 1)
  response.writeHead(206, {
    ...headers,
    'content-range': `bytes ${start}-${end}/${data.length}`,
    'content-length': part.length,
  })
  response.end(part)
}

function sendJson(response: ServerResponse, body: object): void {
  response.writeHead(200, { 'content-type': 'application/json; charset=UTF-8' }).end(JSON.stringify(body))
}

function sendError(response: ServerResponse, error: unknown): void {
  const known = error instanceof Error && 'status' in error && 'reason' in error
  const told = known
    ? storageError(Number(error.status), String(error.reason), error.message)
    : storageError(500, 'backendError', String(error))
  response.writeHead(told.status, { 'content-type': 'application/json; charset=UTF-8' })
  response.end(JSON.stringify(errorBody(told)))
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  try {
    return asRecord(JSON.parse((await readBody(request)).toString('utf8') || '{}'))
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

const asRecord = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}

const pick = (from: Record<string, string>, keys: readonly string[]): Record<string, string> =>
  Object.fromEntries(Object.entries(from).filter(([key]) => keys.includes(key)))

const notAllowed = () => storageError(405, 'methodNotAllowed', 'Method not allowed')
