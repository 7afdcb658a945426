import { z } from 'zod'
import { DependencyFailed, signalAfter } from './deadline.ts'
import { parser } from './json.ts'
import type { AccessTokenSource } from './metadata-token.ts'

/** One version of an object; `live` is the current one of its name. */
export type ObjectVersion = {
  readonly name: string
  readonly generation: string
  readonly bytes: number
  /** Base64 of the CRC32C, as the store computed it. */
  readonly crc32c: string
  readonly live: boolean
  readonly updatedAt: string
}

/**
 * One bucket. Objects are written once: one of a name that is taken is left as it is. Every call throws
 * when the store does not answer as it should, and may then have taken effect.
 */
export type ObjectStore = {
  readonly bucket: string
  put(name: string, bytes: Uint8Array, contentType: string): Promise<void>
  /** The whole live object; undefined when there is none. */
  read(name: string): Promise<Uint8Array | undefined>
  find(name: string): Promise<ObjectVersion | undefined>
  /** Joins at most 32 live objects, in order. */
  compose(name: string, parts: readonly string[], contentType: string): Promise<void>
  /** All versions of objects whose names begin with `prefix`, old ones too, page by page. */
  listVersions(
    prefix: string,
    after: string | undefined,
  ): Promise<{ readonly versions: readonly ObjectVersion[]; readonly next: string | undefined }>
  /** Deletes this very version for good; missing is success. */
  deleteVersion(name: string, generation: string): Promise<void>
}

export type ObjectStoreOptions = {
  readonly apiUrl: string
  readonly bucket: string
  readonly tokens: AccessTokenSource
}

/** A part is some megabytes. */
const CALL_LIMIT_MS = 30_000
const PAGE = 500
const OK: readonly number[] = [200, 204]
const MISSING = 404
/** Generation 0 is no object: what is there already was written by an earlier try, with this content. */
const EXISTS = 412

const parseObject = parser(
  z
    .object({
      name: z.string(),
      generation: z.string(),
      size: z.string().regex(/^\d+$/),
      crc32c: z.string(),
      updated: z.string(),
      timeDeleted: z.string().optional(),
    })
    .transform(
      ({ size, updated, timeDeleted, ...object }): ObjectVersion => ({
        ...object,
        bytes: Number(size),
        live: timeDeleted === undefined,
        updatedAt: updated,
      }),
    ),
)
const parsePage = parser(
  z.object({ items: z.array(z.unknown()).default([]), nextPageToken: z.string().optional() }),
)

/** Cloud Storage over its JSON API, with the function's own account. */
export function cloudObjectStore(options: ObjectStoreOptions): ObjectStore {
  const { apiUrl, bucket } = options
  const root = `/storage/v1/b/${encodeURIComponent(bucket)}/o`
  const pathOf = (name: string): string => `${apiUrl}${root}/${encodeURIComponent(name)}`
  return {
    bucket,
    put: async (name, bytes, contentType) => {
      const query = new URLSearchParams({ uploadType: 'media', name, ifGenerationMatch: '0' })
      const body = Buffer.from(bytes)
      const headers = { 'content-type': contentType }
      const url = `${apiUrl}/upload${root}?${query}`
      await discard(await call(options, url, { method: 'POST', headers, body }, [EXISTS]))
    },
    read: async (name) => {
      const answer = await call(options, `${pathOf(name)}?alt=media`, {}, [MISSING])
      if (answer.status !== MISSING) return new Uint8Array(await answer.arrayBuffer())
      await discard(answer)
      return undefined
    },
    find: async (name) => {
      const answer = await call(options, pathOf(name), {}, [MISSING])
      if (answer.status !== MISSING) return parsed(parseObject, await answer.json())
      await discard(answer)
      return undefined
    },
    compose: async (name, parts, contentType) => {
      const sourceObjects = parts.map((part) => ({ name: part }))
      const body = JSON.stringify({ sourceObjects, destination: { contentType } })
      const headers = { 'content-type': 'application/json' }
      const url = `${pathOf(name)}/compose?ifGenerationMatch=0`
      await discard(await call(options, url, { method: 'POST', headers, body }, [EXISTS]))
    },
    listVersions: async (prefix, after) => {
      const query = new URLSearchParams({ prefix, versions: 'true', maxResults: String(PAGE) })
      if (after !== undefined) query.set('pageToken', after)
      const answer = await call(options, `${apiUrl}${root}?${query}`, {}, [])
      const { items, nextPageToken: next } = parsed(parsePage, await answer.json())
      return { versions: items.map((item) => parsed(parseObject, item)), next }
    },
    deleteVersion: async (name, generation) => {
      const query = new URLSearchParams({ generation })
      await discard(await call(options, `${pathOf(name)}?${query}`, { method: 'DELETE' }, [MISSING]))
    },
  }
}

type Request = {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer<ArrayBuffer>
}

/** One call, and another with a new token when the first was refused. */
async function call(
  options: ObjectStoreOptions,
  url: string,
  request: Request,
  expected: readonly number[],
): Promise<Response> {
  const attempt = async (): Promise<Response> => {
    const signal = signalAfter(CALL_LIMIT_MS)
    const authorization = `Bearer ${await options.tokens.token(signal)}`
    const headers = { ...request.headers, authorization }
    return fetch(url, { ...request, headers, redirect: 'error', signal })
  }
  let answer = await attempt()
  if (answer.status === 401) {
    options.tokens.forget()
    await discard(answer)
    answer = await attempt()
  }
  if (OK.includes(answer.status) || expected.includes(answer.status)) return answer
  await discard(answer)
  throw new DependencyFailed(`storage answered ${answer.status}`)
}

async function discard(answer: Response): Promise<void> {
  await answer.body?.cancel()
}

function parsed<T>(parse: ReturnType<typeof parser<T>>, raw: unknown): T {
  const value = parse(raw)
  if (!value.ok) throw new DependencyFailed(`storage answered what it should not: ${value.detail}`)
  return value.value
}
