import { createCipheriv, createDecipheriv, createHash } from 'node:crypto'
import type { Ids } from '../ids.ts'
import { canonicalJson } from '../json.ts'
import { ok, type Result, refuse } from '../result.ts'
import type { TenantRequest } from './types.ts'

/** What a list is asked for: how many, and after which position. */
export type PageRequest = { readonly pageSize: number; readonly after: string | undefined }

type PagedRequest = Pick<TenantRequest, 'operationId' | 'params' | 'query' | 'token'>

/** Reads and writes the two parameters that every list takes. */
export type Paging = {
  /** `pageSize` and the position in `pageToken`, or a refusal that names the parameter. */
  read(request: PagedRequest): Result<PageRequest>
  /** The token for what comes after `position`, which is null at the end. */
  next(request: PagedRequest, position: string | undefined): string | null
}

export const USUAL_PAGE_SIZE = 50
export const MOST_PAGE_SIZE = 100

export const NONCE_BYTES = 12
const TAG_BYTES = 16
/** Of the form of the token, so that it can change. */
const VERSION = 1

/**
 * Paging whose tokens say nothing and cannot be bent: a position, encrypted and authenticated
 * (AES-256-GCM) together with the route, its path, who asks and the rest of the query.
 *
 * A token that was altered, made up, or given out for another list, filter or caller is therefore
 * refused, and never read as a position. `key` is 32 bytes and the same in all instances; a page's
 * size may change from page to page.
 */
export function paging(
  key: Uint8Array,
  ids: Pick<Ids, 'bytes'>,
  mostPageSize: number = MOST_PAGE_SIZE,
): Paging {
  return {
    read: ({ query, ...request }) => {
      const { pageSize = String(USUAL_PAGE_SIZE), pageToken } = query
      if (!/^[1-9]\d{0,2}$/.test(pageSize) || Number(pageSize) > mostPageSize) {
        return refuse('request.malformed', 'pageSize', `pageSize: must be 1 to ${mostPageSize}`)
      }
      if (pageToken === undefined) return ok({ pageSize: Number(pageSize), after: undefined })
      const after = open(key, pageToken, bindingOf({ query, ...request }))
      if (after === undefined) {
        return refuse('request.malformed', 'pageToken', 'pageToken: not one that this list gave out')
      }
      return ok({ pageSize: Number(pageSize), after })
    },
    next: (request, position) =>
      position === undefined ? null : seal(key, ids.bytes(NONCE_BYTES), position, bindingOf(request)),
  }
}

/** What a token belongs to: everything of the request that decides what the list holds. */
function bindingOf({ operationId, params, query, token }: PagedRequest): Buffer {
  const { pageSize: _size, pageToken: _token, ...filter } = query
  const caller = { tenant: token.claims.tenant, subject: token.claims.subject }
  const text = canonicalJson({ v: VERSION, operationId, params: { ...params }, filter, caller })
  return createHash('sha256').update(text, 'utf8').digest()
}

/** Encrypts and authenticates a position together with what it belongs to. `nonce`: 12 bytes of chance. */
export function seal(key: Uint8Array, nonce: Buffer, position: string, binding: Buffer): string {
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(binding)
  const sealed = Buffer.concat([cipher.update(position, 'utf8'), cipher.final()])
  return Buffer.concat([Buffer.of(VERSION), nonce, sealed, cipher.getAuthTag()]).toString('base64url')
}

/** The position in a token, or undefined for one that was altered, made up or meant for something else. */
export function open(
  key: Uint8Array,
  token: string,
  binding: Buffer,
  mostLength = 1_024,
): string | undefined {
  if (token.length > mostLength || !/^[A-Za-z0-9_-]+$/.test(token)) return undefined
  const bytes = Buffer.from(token, 'base64url')
  // Base64 has spare bits at its end: only the one spelling that we gave out counts.
  if (bytes.toString('base64url') !== token || bytes[0] !== VERSION) return undefined
  if (bytes.length <= 1 + NONCE_BYTES + TAG_BYTES) return undefined
  const nonce = bytes.subarray(1, 1 + NONCE_BYTES)
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(binding)
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
  const sealed = bytes.subarray(1 + NONCE_BYTES, -TAG_BYTES)
  try {
    return Buffer.concat([decipher.update(sealed), decipher.final()]).toString('utf8')
  } catch {
    return undefined
  }
}
