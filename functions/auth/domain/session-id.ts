import { type Branded, type Ids, ulid } from '#shared/ids.ts'

/** `ses_{ulid}`: sorts by the time it began, and is 16 bytes inside a refresh token. */
export type SessionId = Branded<'SessionId'>

export const SESSION_ID_BYTES = 16

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
/** 26 characters are 130 bits: the first one holds three, so that nothing is spelt twice. */
const SESSION_ID = /^ses_[0-7][0-9A-HJKMNP-TV-Z]{25}$/

export function newSessionId(ids: Ids, nowMs: number): SessionId {
  return `ses_${ulid(ids, nowMs)}` as SessionId
}

/** The id as it is spelt, byte for byte; undefined for everything else. */
export function parseSessionId(value: unknown): SessionId | undefined {
  return typeof value === 'string' && SESSION_ID.test(value) ? (value as SessionId) : undefined
}

/** The 128 bits of an id. */
export function bytesOfSessionId(sessionId: SessionId): Buffer {
  let bits = 0n
  for (const digit of sessionId.slice('ses_'.length)) bits = (bits << 5n) | BigInt(CROCKFORD.indexOf(digit))
  return Buffer.from(bits.toString(16).padStart(SESSION_ID_BYTES * 2, '0'), 'hex')
}

/** The id that 16 bytes stand for; every 16 bytes are one. */
export function sessionIdOfBytes(bytes: Uint8Array): SessionId {
  if (bytes.length !== SESSION_ID_BYTES) throw new RangeError(`a session id has ${SESSION_ID_BYTES} bytes`)
  let bits = BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
  let text = ''
  for (let place = 0; place < 26; place += 1) {
    text = CROCKFORD.charAt(Number(bits & 31n)) + text
    bits >>= 5n
  }
  return `ses_${text}` as SessionId
}
