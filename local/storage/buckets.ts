import { type BucketRecord, storageError } from './model.ts'
import type { ObjectStore } from './store.ts'

/** A bucket, or the 404 of Google's API. */
export function getBucket(store: ObjectStore, name: string): BucketRecord {
  const bucket = store.findBucket(name)
  if (bucket === undefined) throw storageError(404, 'notFound', 'The specified bucket does not exist.')
  return bucket
}

/** Creates a bucket; 409 when there is one of this name. */
export function createBucket(store: ObjectStore, body: Record<string, unknown>, nowMs: number): object {
  const name = body['name']
  if (typeof name !== 'string' || !/^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/.test(name) || name.includes('..')) {
    throw storageError(400, 'invalid', `Invalid bucket name: '${String(name)}'`)
  }
  if (store.findBucket(name) !== undefined) {
    throw storageError(
      409,
      'conflict',
      'Your previous request to create the named bucket succeeded and you already own it.',
    )
  }
  const at = new Date(nowMs).toISOString()
  const bucket: BucketRecord = {
    name,
    timeCreated: at,
    updated: at,
    metageneration: 1,
    versioning: versioningOf(body) ?? false,
    location: typeof body['location'] === 'string' ? body['location'].toUpperCase() : 'US',
  }
  store.saveBucket(bucket)
  return describeBucket(bucket)
}

/** Changes what a request may change of a bucket: versioning. */
export function updateBucket(
  store: ObjectStore,
  bucket: BucketRecord,
  body: Record<string, unknown>,
  nowMs: number,
): object {
  const changed: BucketRecord = {
    ...bucket,
    versioning: versioningOf(body) ?? bucket.versioning,
    metageneration: bucket.metageneration + 1,
    updated: new Date(nowMs).toISOString(),
  }
  store.saveBucket(changed)
  return describeBucket(changed)
}

/** Deletes a bucket; 409 while anything is in it. */
export function deleteBucket(store: ObjectStore, bucket: BucketRecord): void {
  if (store.list(bucket.name).length > 0) {
    throw storageError(409, 'conflict', 'The bucket you tried to delete is not empty.')
  }
  store.deleteBucket(bucket.name)
}

/** A bucket as the JSON API shows it. */
export function describeBucket(bucket: BucketRecord): object {
  return {
    kind: 'storage#bucket',
    id: bucket.name,
    name: bucket.name,
    location: bucket.location,
    storageClass: 'STANDARD',
    timeCreated: bucket.timeCreated,
    updated: bucket.updated,
    metageneration: String(bucket.metageneration),
    etag: Buffer.from(`${bucket.name}/${bucket.metageneration}`).toString('base64'),
    versioning: { enabled: bucket.versioning },
  }
}

function versioningOf(body: Record<string, unknown>): boolean | undefined {
  const versioning = body['versioning']
  if (typeof versioning !== 'object' || versioning === null || !('enabled' in versioning)) return undefined
  return versioning.enabled === true
}
