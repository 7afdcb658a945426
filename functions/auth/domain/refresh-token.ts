import { createHmac, timingSafeEqual } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Branded, TenantId } from '#shared/ids.ts'
import { ok, type Refusal, type Result, refuse } from '#shared/result.ts'
import type { ClientId } from './client-id.ts'
import type { Peppers } from './client-secret.ts'
import { bytesOfSessionId, SESSION_ID_BYTES, type SessionId, sessionIdOfBytes } from './session-id.ts'

/**
 * `drt_` + base64url(version | pepper version | session id | counter | MAC | CRC-32): one byte, one byte,
 * 16 bytes, a varint, 16 bytes, 4 bytes.
 *
 * It is computed and never stored: the same session, counter and pepper give the same bytes, so a
 * client that lost its answer can be told the same token again.
 */
export type RefreshToken = Branded<'RefreshToken'>

/** A token that is spelt as ours are; whether we made it, only the session's key can tell. */
export type PresentedRefreshToken = {
  readonly sessionId: SessionId
  readonly counter: number
  /** The lowest byte of the version of its pepper. */
  readonly pepperByte: number
  /** What the MAC is over. */
  readonly body: Buffer
  readonly mac: Buffer
}

/** What the key of a session's tokens follows from; a token of one client opens nothing for another. */
export type RefreshBinding = {
  readonly salt: string
  readonly sessionId: SessionId
  readonly clientId: ClientId
  readonly tenantId: TenantId
}

const PREFIX = 'drt_'
const FORMAT = 1
const MAC_BYTES = 16
const CRC_BYTES = 4
const HEAD_BYTES = 2 + SESSION_ID_BYTES
/** A session that is refreshed every second for its 90 days comes to less than 2^23. */
const MOST_COUNTER = 2 ** 32 - 1
const SHAPE = /^drt_[A-Za-z0-9_-]{52,58}$/

/** The token with this number. `pepper` is the one of `pepperVersion`. */
export function makeRefreshToken(
  binding: RefreshBinding,
  counter: number,
  pepper: { readonly version: number; readonly pepper: Uint8Array },
): RefreshToken {
  if (!Number.isSafeInteger(counter) || counter < 1 || counter > MOST_COUNTER) {
    throw new RangeError(`${counter} numbers no refresh token`)
  }
  const body = Buffer.concat([
    Buffer.of(FORMAT, pepper.version & 0xff),
    bytesOfSessionId(binding.sessionId),
    varint(counter),
  ])
  const signed = Buffer.concat([body, macOf(pepper.pepper, binding, body)])
  const checked = Buffer.concat([signed, Buffer.alloc(CRC_BYTES)])
  checked.writeUInt32BE(crc32(signed), signed.length)
  return `${PREFIX}${checked.toString('base64url')}` as RefreshToken
}

/**
 * Takes apart what may be a token of ours, without reading anything: wrong form, wrong checksum, another
 * spelling of the same bytes are refused here.
 */
export function parseRefreshToken(value: unknown): Result<PresentedRefreshToken> {
  if (typeof value !== 'string' || !SHAPE.test(value)) return refuseRefresh('not a refresh token')
  const text = value.slice(PREFIX.length)
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.toString('base64url') !== text) return refuseRefresh('base64url is not canonical')
  const signed = bytes.subarray(0, -CRC_BYTES)
  if (crc32(signed) !== bytes.readUInt32BE(signed.length)) return refuseRefresh('wrong checksum')
  const body = signed.subarray(0, -MAC_BYTES)
  const [format, pepperByte = 0] = body
  const counter = readVarint(body.subarray(HEAD_BYTES))
  if (format !== FORMAT || counter === undefined) return refuseRefresh('not a form we know')
  return ok({
    sessionId: sessionIdOfBytes(body.subarray(2, HEAD_BYTES)),
    counter,
    pepperByte,
    body,
    mac: signed.subarray(-MAC_BYTES),
  })
}

/** Whether the token was made by us, for this session and client, with a pepper that we still have. */
export function isAuthentic(
  token: PresentedRefreshToken,
  binding: RefreshBinding,
  peppers: Peppers,
): boolean {
  let authentic = false
  for (const [version, pepper] of peppers) {
    if ((version & 0xff) !== token.pepperByte) continue
    if (timingSafeEqual(macOf(pepper, binding, token.body), token.mac)) authentic = true
  }
  return authentic
}

/** One hint for all: what did not fit is for the log alone. */
export function refuseRefresh(detail: string): Refusal {
  return refuse('grant.invalid', detail, 'The refresh token is unknown, used, expired or revoked.')
}

function macOf(pepper: Uint8Array, binding: RefreshBinding, body: Uint8Array): Buffer {
  // No id holds a NUL, and salt and session id have one length: no two bindings are the same bytes.
  const key = createHmac('sha256', pepper)
    .update('refresh-token\0', 'ascii')
    .update(Buffer.from(binding.salt, 'base64url'))
    .update(bytesOfSessionId(binding.sessionId))
    .update(`${binding.clientId}\0${binding.tenantId}`, 'utf8')
    .digest()
  return createHmac('sha256', key).update(body).digest().subarray(0, MAC_BYTES)
}

/** LEB128: seven bits to a byte, the lowest first. */
function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  return Buffer.of(...bytes, rest)
}

/** The number that all of `bytes` spell in the shortest way; undefined for anything else. */
function readVarint(bytes: Uint8Array): number | undefined {
  let value = 0
  for (const [place, byte] of bytes.entries()) value += (byte & 0x7f) * 0x80 ** place
  const sound = value >= 1 && value <= MOST_COUNTER && varint(value).equals(bytes)
  return sound ? value : undefined
}
