import { asRecord } from '#shared/json.ts'
import type { Call } from '../loopback.ts'
import { type BucketRecord, storageError } from './model.ts'
import { parseMultipart } from './multipart.ts'
import { putObject, stringsOf } from './objects.ts'
import type { NewObject, ObjectStore } from './store.ts'

const DEFAULT_TYPE = 'application/octet-stream'
const SETTABLE = ['md5Hash', 'crc32c', 'cacheControl', 'contentDisposition', 'contentEncoding']

/** Stores what an upload carries: the bytes alone, or the object's description and its bytes. */
export function upload(store: ObjectStore, bucket: BucketRecord, call: Call): object {
  const query = call.url.searchParams
  const contentType = call.headers['content-type']
  const type = query.get('uploadType')
  if (type === 'media') {
    const object: NewObject = { data: call.body, contentType: contentType ?? DEFAULT_TYPE, metadata: {} }
    return putObject(store, bucket, query.get('name') ?? '', object, query)
  }
  if (type !== 'multipart') {
    throw storageError(400, 'invalid', 'uploadType must be media or multipart here.')
  }
  const parts = parseMultipart(contentType ?? '', call.body)
  const described = asRecord(parts.metadata) ?? {}
  const texts = stringsOf(described)
  const object: NewObject = {
    data: parts.data,
    contentType: texts['contentType'] ?? parts.contentType ?? DEFAULT_TYPE,
    metadata: stringsOf(described['metadata']),
    ...Object.fromEntries(Object.entries(texts).filter(([key]) => SETTABLE.includes(key))),
  }
  return putObject(store, bucket, query.get('name') ?? texts['name'] ?? '', object, query)
}
