import { asRecord } from '#shared/json.ts'
import { type BucketRecord, type ObjectRecord, storageError } from './model.ts'
import { getObject, putObject, stringsOf } from './objects.ts'
import type { ObjectStore } from './store.ts'

const MOST_SOURCES = 32

/** Joins live objects of the bucket to one, as `objects.compose` does. */
export function composeObjects(
  store: ObjectStore,
  bucket: BucketRecord,
  name: string,
  body: Record<string, unknown>,
  query: URLSearchParams,
): object {
  const sources = sourcesOf(store, bucket, body)
  const data = Buffer.concat(sources.map((source) => store.read(source)))
  const destination = asRecord(body['destination']) ?? {}
  const contentType = stringsOf(destination)['contentType'] ?? 'application/octet-stream'
  const metadata = stringsOf(destination['metadata'])
  return putObject(store, bucket, name, { data, contentType, metadata }, query)
}

function sourcesOf(
  store: ObjectStore,
  bucket: BucketRecord,
  body: Record<string, unknown>,
): readonly ObjectRecord[] {
  const sources: unknown = body['sourceObjects']
  if (!Array.isArray(sources) || sources.length === 0) {
    throw storageError(400, 'required', 'You must provide at least one source component.')
  }
  if (sources.length > MOST_SOURCES) {
    throw storageError(
      400,
      'invalid',
      `The number of source components provided (${sources.length}) exceeds the maximum (${MOST_SOURCES}).`,
    )
  }
  return sources.map((source: unknown) => {
    const { name = '', generation = '' } = stringsOf(source)
    return getObject(store, bucket, name, new URLSearchParams({ generation }))
  })
}
