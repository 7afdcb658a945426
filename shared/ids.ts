import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { ok, type Result, refuse } from './result.ts'

declare const brand: unique symbol

/** A string that cannot be swapped for another kind of string. */
export type Branded<B extends string> = string & { readonly [brand]: B }

/** `^[a-z][a-z0-9-]{1,38}[a-z0-9]$`, chosen at creation, immutable, never used again. */
export type TenantId = Branded<'TenantId'>

/** Where chance comes from; a simulation passes its own. */
export type Ids = {
  /** A time-ordered UUID (RFC 9562, version 7) for the instant given in milliseconds. */
  uuid(nowMs: number): string
  /** `count` unpredictable bytes, fit for secrets. */
  bytes(count: number): Buffer
}

export const systemIds: Ids = {
  uuid: (nowMs) => uuidVersion7(nowMs, randomUUID()),
  bytes: pooledBytes,
}

const TENANT_ID = /^[a-z][a-z0-9-]{1,38}[a-z0-9]$/
const DOCUMENT_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/

/** Ids no tenant can have; `platform` is where operators live. */
export const RESERVED_TENANT_IDS: readonly string[] = ['platform', 'system', 'energent', 'admin', 'internal']

/** The reserved tenant of the platform's own operators. */
export const PLATFORM_TENANT = 'platform' as TenantId

/**
 * Takes an id byte for byte: no folding, no trimming, no decoding.
 *
 * Whatever is not an id is answered like a tenant that does not exist, so nothing can be learnt by
 * varying the spelling.
 */
export function parseTenantId(value: unknown): Result<TenantId> {
  if (typeof value === 'string' && TENANT_ID.test(value)) return ok(value as TenantId)
  return refuse('resource.not_found', 'not a tenant id')
}

/** Whether `value` may name a document: our rule, stricter than the store's, so paths cannot be bent. */
export function isDocumentId(value: unknown): value is string {
  return typeof value === 'string' && DOCUMENT_ID.test(value)
}

/**
 * A document id for input from outside: base64url of the SHA-256 over the parts joined by NUL.
 *
 * Throws when a part holds a NUL itself, so that no two lists of parts give the same id.
 */
export function hashedId(...parts: readonly string[]): string {
  if (parts.some((part) => part.includes('\0'))) throw new TypeError('a part of an id holds a NUL')
  const digest = createHash('sha256').update(parts.join('\0'), 'utf8').digest('base64url')
  return `h${digest}`
}

/** Lower-case hex SHA-256 of bytes or UTF-8 text. */
export function sha256Hex(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** A ULID: 48 bits of time, 80 of chance, in Crockford's base 32, sortable by time. */
export function ulid(ids: Ids, nowMs: number): string {
  requireInstant(nowMs)
  let value = (BigInt(nowMs) << 80n) | BigInt(`0x${ids.bytes(10).toString('hex')}`)
  let text = ''
  for (let place = 0; place < 26; place += 1) {
    text = CROCKFORD.charAt(Number(value & 31n)) + text
    value >>= 5n
  }
  return text
}

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** `length` unbiased base-62 characters of chance. */
export function base62(ids: Ids, length: number): string {
  let text = ''
  while (text.length < length) {
    for (const byte of ids.bytes(length * 2)) {
      // 248 = 4 x 62: a larger byte would favour the first characters.
      if (byte < 248 && text.length < length) text += BASE62.charAt(byte % 62)
    }
  }
  return text
}

/** Many small requests for chance cost one call to the system; what was handed out is wiped here. */
const POOL_BYTES = 4_096
const LARGEST_POOLED = 64
let pool = Buffer.alloc(0)
let handedOut = 0

function pooledBytes(count: number): Buffer {
  if (count > LARGEST_POOLED) return randomBytes(count)
  if (handedOut + count > pool.length) {
    pool = randomBytes(POOL_BYTES)
    handedOut = 0
  }
  const bytes = Buffer.from(pool.subarray(handedOut, handedOut + count))
  pool.fill(0, handedOut, handedOut + count)
  handedOut += count
  return bytes
}

/** Both formats hold 48 bits of whole milliseconds; anything else would make ids that sort wrongly. */
function requireInstant(nowMs: number): void {
  if (Number.isInteger(nowMs) && nowMs >= 0 && nowMs < 2 ** 48) return
  throw new RangeError(`${nowMs} is not an instant in whole milliseconds since 1970`)
}

function uuidVersion7(nowMs: number, random: string): string {
  requireInstant(nowMs)
  const time = nowMs.toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8, 12)}-7${random.slice(15)}`
}
