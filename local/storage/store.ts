import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32c } from '../engine/secrets/crc32c.ts'
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

/**
 * Objects as files below a folder: `bucket/hash-of-name/generation.bin` and `.json`.
 *
 * Data is written and renamed before its description, so a kill leaves the old object or the new one.
 */
export function openObjectStore(folder: string, now: () => number): ObjectStore {
  mkdirSync(folder, { recursive: true })
  const buckets = new Map<string, BucketRecord>()
  const objects = new Map<string, Map<string, ObjectRecord[]>>()
  let lastGeneration = 0

  const versionsOf = (bucket: string, name: string): ObjectRecord[] => objects.get(bucket)?.get(name) ?? []
  const setVersions = (bucket: string, name: string, versions: ObjectRecord[]): void => {
    const byName = objects.get(bucket) ?? new Map<string, ObjectRecord[]>()
    if (versions.length === 0) byName.delete(name)
    else byName.set(name, versions)
    objects.set(bucket, byName)
  }
  const save = (object: ObjectRecord): void => {
    writeWhole(`${fileOf(folder, object)}.json`, JSON.stringify(object))
    const others = versionsOf(object.bucket, object.name).filter(
      (each) => each.generation !== object.generation,
    )
    setVersions(
      object.bucket,
      object.name,
      [...others, object].sort((a, b) => a.generation - b.generation),
    )
  }
  const erase = (object: ObjectRecord): void => {
    rmSync(`${fileOf(folder, object)}.json`, { force: true })
    rmSync(`${fileOf(folder, object)}.bin`, { force: true })
    const left = versionsOf(object.bucket, object.name).filter(
      (each) => each.generation !== object.generation,
    )
    setVersions(object.bucket, object.name, left)
  }
  const retire = (bucket: BucketRecord, object: ObjectRecord): void => {
    if (bucket.versioning) save({ ...object, timeDeleted: new Date(now()).toISOString() })
    else erase(object)
  }

  for (const { bucket, records } of readAll(folder)) {
    buckets.set(bucket.name, bucket)
    for (const record of records) {
      lastGeneration = Math.max(lastGeneration, record.generation)
      setVersions(bucket.name, record.name, [...versionsOf(bucket.name, record.name), record])
    }
    // Of two live versions the older one was about to be retired when the process ended.
    for (const versions of objects.get(bucket.name)?.values() ?? []) {
      versions.sort((a, b) => a.generation - b.generation)
      for (const stale of versions.filter(isLive).slice(0, -1)) retire(bucket, stale)
    }
  }

  const findLive = (bucket: string, name: string): ObjectRecord | undefined =>
    versionsOf(bucket, name).find(isLive)
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
      generation === undefined
        ? findLive(bucket, name)
        : versionsOf(bucket, name).find((each) => each.generation === generation),
    list: (bucket) =>
      [...(objects.get(bucket) ?? [])]
        .sort((a, b) => compare(a[0], b[0]))
        .flatMap(([, versions]) => versions),
    put: (bucket, name, { data, ...given }) => {
      const previous = findLive(bucket.name, name)
      const at = new Date(now()).toISOString()
      lastGeneration = Math.max(lastGeneration + 1, Math.floor(now() * 1000))
      const object: ObjectRecord = {
        ...given,
        ...checksums(data, given),
        bucket: bucket.name,
        name,
        generation: lastGeneration,
        metageneration: 1,
        size: data.length,
        timeCreated: at,
        updated: at,
      }
      mkdirSync(join(fileOf(folder, object), '..'), { recursive: true })
      writeWhole(`${fileOf(folder, object)}.bin`, data)
      save(object)
      if (previous !== undefined) retire(bucket, previous)
      return object
    },
    update: save,
    read: (object) => readFileSync(`${fileOf(folder, object)}.bin`),
    remove: (bucket, object, forGood) => {
      if (forGood) erase(object)
      else retire(bucket, object)
    },
  }
}

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
