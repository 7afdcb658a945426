import { type BucketRecord, type ObjectRecord, storageError } from './model.ts'
import { compare, isLive, type NewObject, type ObjectStore } from './store.ts'

/** An object's live version or the generation the query names, or the 404 of Google's API. */
export function getObject(
  store: ObjectStore,
  bucket: BucketRecord,
  name: string,
  query: URLSearchParams,
): ObjectRecord {
  const object = store.find(bucket.name, name, numberOf(query, 'generation'))
  if (object === undefined) throw storageError(404, 'notFound', `No such object: ${bucket.name}/${name}`)
  return object
}

/** Refuses with 412 when a precondition of the query does not hold; 0 means "there is no live version". */
export function checkPreconditions(current: ObjectRecord | undefined, query: URLSearchParams): void {
  const wanted = numberOf(query, 'ifGenerationMatch')
  const unwanted = numberOf(query, 'ifGenerationNotMatch')
  const metageneration = numberOf(query, 'ifMetagenerationMatch')
  const generation = current?.generation ?? 0
  const holds =
    (wanted === undefined || wanted === generation) &&
    (unwanted === undefined || unwanted !== generation) &&
    (metageneration === undefined || metageneration === current?.metageneration)
  if (holds) return
  throw storageError(412, 'conditionNotMet', 'At least one of the pre-conditions you specified did not hold.')
}

function numberOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null || text === '') return undefined
  if (/^\d{1,17}$/.test(text)) return Number(text)
  throw storageError(400, 'invalid', `Invalid value for ${name}: ${text}`)
}

/** Stores an object under the query's preconditions and describes it. */
export function putObject(
  store: ObjectStore,
  bucket: BucketRecord,
  name: string,
  object: NewObject,
  query: URLSearchParams,
): object {
  if (name === '' || Buffer.byteLength(name) > 1024 || /[\r\n]/.test(name)) {
    throw storageError(400, 'invalid', 'An object name has 1 to 1024 bytes and no line breaks.')
  }
  checkPreconditions(store.find(bucket.name, name), query)
  return describeObject(store.put(bucket, name, object))
}

/** Changes an object's content type and metadata; its bytes and generation stay. */
export function updateObject(
  store: ObjectStore,
  object: ObjectRecord,
  body: Record<string, unknown>,
  nowMs: number,
): object {
  const { metadata, contentType } = body
  const changed: ObjectRecord = {
    ...object,
    ...(typeof contentType === 'string' && { contentType }),
    metadata: { ...object.metadata, ...stringsOf(metadata) },
    metageneration: object.metageneration + 1,
    updated: new Date(nowMs).toISOString(),
  }
  store.update(changed)
  return describeObject(changed)
}

/** The members that are texts; others are passed over. */
export function stringsOf(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {}
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, each]) => (typeof each === 'string' ? [[key, each]] : [])),
  )
}

const LARGEST_PAGE = 1000

/** Objects by name; with a delimiter, the names below it are folded into `prefixes`. */
export function listObjects(store: ObjectStore, bucket: BucketRecord, query: URLSearchParams): object {
  const prefix = query.get('prefix') ?? ''
  const delimiter = query.get('delimiter') ?? ''
  const all = store.list(bucket.name).filter((object) => query.get('versions') === 'true' || isLive(object))
  const after = readToken(query.get('pageToken'))
  const size = Math.min(numberOf(query, 'maxResults') || LARGEST_PAGE, LARGEST_PAGE)
  const items: object[] = []
  const prefixes: string[] = []
  let last = ''
  for (const object of all) {
    if (!object.name.startsWith(prefix)) continue
    const folded = foldedPrefix(object.name, prefix, delimiter)
    const position = folded ?? `${object.name}\0${object.generation}`
    if (compare(position, after) <= 0) continue
    if (folded !== undefined && folded === prefixes.at(-1)) continue
    if (items.length + prefixes.length === size) return page(items, prefixes, last)
    if (folded === undefined) items.push(describeObject(object))
    else prefixes.push(folded)
    last = position
  }
  return page(items, prefixes, undefined)
}

function foldedPrefix(name: string, prefix: string, delimiter: string): string | undefined {
  if (delimiter === '') return undefined
  const end = name.indexOf(delimiter, prefix.length)
  return end === -1 ? undefined : name.slice(0, end + delimiter.length)
}

function page(items: object[], prefixes: string[], last: string | undefined): object {
  return {
    kind: 'storage#objects',
    ...(items.length > 0 && { items }),
    ...(prefixes.length > 0 && { prefixes }),
    ...(last !== undefined && { nextPageToken: Buffer.from(last).toString('base64url') }),
  }
}

function readToken(token: string | null): string {
  if (token === null) return ''
  const text = Buffer.from(token, 'base64url').toString()
  if (Buffer.from(text).toString('base64url') === token) return text
  throw storageError(400, 'invalid', 'Invalid pageToken.')
}

/** An object as the JSON API shows it; 64-bit numbers are texts. */
export function describeObject(object: ObjectRecord): object {
  const { bucket, name, generation, metageneration, size, ...rest } = object
  return {
    kind: 'storage#object',
    id: `${bucket}/${name}/${generation}`,
    name,
    bucket,
    generation: String(generation),
    metageneration: String(metageneration),
    size: String(size),
    storageClass: 'STANDARD',
    etag: Buffer.from(`${generation}/${metageneration}`).toString('base64'),
    ...rest,
  }
}
