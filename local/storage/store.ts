import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32c } from '#shared/crc32c.ts'
import { type BucketRecord, type ObjectRecord, storageError } from './model.ts'

export type NewObject = Pick<ObjectRecord, 'contentType' | 'metadata'> &
  Partial<Pick<ObjectRecord, 'cacheControl' | 'contentDisposition' | 'contentEncoding'>> & {
    readonly data: Buffer
    /** Base64, checked when given. */
    readonly md5Hash?: string
    readonly crc32c?: string
  }

export type ObjectStore = {
  buckets(): readonly BucketRecord[]
  findBucket(name: string): BucketRecord | undefined
  saveBucket(bucket: BucketRecord): void
  deleteBucket(name: string): void
  /** The live version, or the one asked for. */
  find(bucket: string, name: string, generation?: number): ObjectRecord | undefined
  /** All versions, by name and then by age. */
  list(bucket: string): readonly ObjectRecord[]
  put(bucket: BucketRecord, name: string, object: NewObject): ObjectRecord
  update(object: ObjectRecord): void
  read(object: ObjectRecord): Buffer
  /** Ends the live version: kept as an old one where versions are kept. A named generation goes for good. */
  remove(bucket: BucketRecord, object: ObjectRecord, forGood: boolean): void
}

type State = {
  readonly folder: string
  readonly now: () => number
  readonly buckets: Map<string, BucketRecord>
  /** Versions by bucket and name, oldest first. */
  readonly objects: Map<string, Map<string, ObjectRecord[]>>
  lastGeneration: number
}

/**
 * Objects as files below a folder: `bucket/hash-of-name/generation.bin` and `.json`.
 *
 * Data is written and renamed before its description, so a kill leaves the old object or the new one.
 */
export function openObjectStore(folder: string, now: () => number): ObjectStore {
  mkdirSync(folder, { recursive: true })
  const state: State = { folder, now, buckets: new Map(), objects: new Map(), lastGeneration: 0 }
  restore(state)
  const { buckets, objects } = state
  return {
    buckets: () => [...buckets.values()].sort((a, b) => compare(a.name, b.name)),
    findBucket: (name) => buckets.get(name),
    saveBucket: (bucket) => {
      mkdirSync(join(folder, bucket.name), { recursive: true })
      writeWhole(join(folder, bucket.name, 'bucket.json'), JSON.stringify(bucket))
      buckets.set(bucket.name, bucket)
    },
    deleteBucket: (name) => {
      rmSync(join(folder, name), { recursive: true, force: true })
      buckets.delete(name)
      objects.delete(name)
    },
    find: (bucket, name, generation) =>
      versionsOf(state, bucket, name).find(
        (each) => (generation === undefined && isLive(each)) || each.generation === generation,
      ),
    list: (bucket) =>
      [...(objects.get(bucket) ?? [])]
        .sort((a, b) => compare(a[0], b[0]))
        .flatMap(([, versions]) => versions),
    put: (bucket, name, object) => put(state, bucket, name, object),
    update: (object) => save(state, object),
    read: (object) => readFileSync(`${fileOf(folder, object)}.bin`),
    remove: (bucket, object, forGood) => {
      if (forGood) erase(state, object)
      else retire(state, bucket, object)
    },
  }
}

function restore(state: State): void {
  for (const { bucket, records } of readAll(state.folder)) {
    state.buckets.set(bucket.name, bucket)
    for (const record of records) {
      state.lastGeneration = Math.max(state.lastGeneration, record.generation)
      setVersions(state, record, [...versionsOf(state, bucket.name, record.name), record])
    }
    // Of two live versions the older one was about to be retired when the process ended.
    for (const versions of [...(state.objects.get(bucket.name)?.values() ?? [])]) {
      for (const stale of versions.filter(isLive).slice(0, -1)) retire(state, bucket, stale)
    }
  }
}

function put(state: State, bucket: BucketRecord, name: string, { data, ...given }: NewObject): ObjectRecord {
  const previous = versionsOf(state, bucket.name, name).find(isLive)
  const at = new Date(state.now()).toISOString()
  const object: ObjectRecord = {
    ...given,
    ...checksums(data, given),
    bucket: bucket.name,
    name,
    generation: Math.max(state.lastGeneration + 1, Math.floor(state.now() * 1000)),
    metageneration: 1,
    size: data.length,
    timeCreated: at,
    updated: at,
  }
  state.lastGeneration = object.generation
  mkdirSync(join(fileOf(state.folder, object), '..'), { recursive: true })
  writeWhole(`${fileOf(state.folder, object)}.bin`, data)
  save(state, object)
  if (previous !== undefined) retire(state, bucket, previous)
  return object
}

function save(state: State, object: ObjectRecord): void {
  writeWhole(`${fileOf(state.folder, object)}.json`, JSON.stringify(object))
  setVersions(state, object, [...othersOf(state, object), object])
}

/** Ends a live version: kept as an old one where the bucket keeps versions. */
function retire(state: State, bucket: BucketRecord, object: ObjectRecord): void {
  if (bucket.versioning) save(state, { ...object, timeDeleted: new Date(state.now()).toISOString() })
  else erase(state, object)
}

function erase(state: State, object: ObjectRecord): void {
  rmSync(`${fileOf(state.folder, object)}.json`, { force: true })
  rmSync(`${fileOf(state.folder, object)}.bin`, { force: true })
  setVersions(state, object, othersOf(state, object))
}

const versionsOf = (state: State, bucket: string, name: string): readonly ObjectRecord[] =>
  state.objects.get(bucket)?.get(name) ?? []

const othersOf = (state: State, object: ObjectRecord): ObjectRecord[] =>
  versionsOf(state, object.bucket, object.name).filter((each) => each.generation !== object.generation)

function setVersions(state: State, { bucket, name }: ObjectRecord, versions: ObjectRecord[]): void {
  const byName = state.objects.get(bucket) ?? new Map<string, ObjectRecord[]>()
  if (versions.length === 0) byName.delete(name)
  else
    byName.set(
      name,
      versions.sort((a, b) => a.generation - b.generation),
    )
  state.objects.set(bucket, byName)
}

/** Whether this version of an object is the current one. */
export const isLive = (object: ObjectRecord): boolean => object.timeDeleted === undefined

/** By UTF-8 bytes, as object names are listed. */
export const compare = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

function checksums(data: Buffer, given: Pick<NewObject, 'md5Hash' | 'crc32c'>) {
  const md5Hash = createHash('md5').update(data).digest('base64')
  const crcBytes = Buffer.alloc(4)
  crcBytes.writeUInt32BE(crc32c(data))
  const crc = crcBytes.toString('base64')
  if ((given.md5Hash ?? md5Hash) !== md5Hash || (given.crc32c ?? crc) !== crc) {
    throw storageError(400, 'invalid', 'The provided checksum does not match the uploaded data.')
  }
  return { md5Hash, crc32c: crc }
}

function fileOf(folder: string, object: ObjectRecord): string {
  const hash = createHash('sha256').update(object.name).digest('hex').slice(0, 40)
  return join(folder, object.bucket, hash, String(object.generation))
}

function writeWhole(path: string, content: string | Buffer): void {
  writeFileSync(`${path}.tmp`, content)
  renameSync(`${path}.tmp`, path)
}

function readAll(folder: string): { bucket: BucketRecord; records: ObjectRecord[] }[] {
  const found: { bucket: BucketRecord; records: ObjectRecord[] }[] = []
  for (const name of readdirSync(folder)) {
    const files = readdirSync(join(folder, name), { recursive: true, encoding: 'utf8' })
    if (!files.includes('bucket.json')) continue
    const records = files.filter((file) => file.endsWith('.json') && file !== 'bucket.json')
    found.push({
      bucket: readJson(join(folder, name, 'bucket.json')) as BucketRecord,
      records: records.map((file) => readJson(join(folder, name, file)) as ObjectRecord),
    })
  }
  return found
}

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'))
