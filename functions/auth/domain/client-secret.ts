import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Branded } from '#shared/ids.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { checksumOf, withoutChecksum } from './checksum.ts'

/** `dcs_` + 43 base64url characters (256 bits) + a six-character checksum. Shown once, never stored. */
export type ClientSecret = Branded<'ClientSecret'>

/** What is stored of a secret: enough to recognise it, useless without the pepper of that version. */
export type StoredSecret = {
  readonly id: string
  /** HMAC-SHA-256(pepper, secret), base64url. */
  readonly hmac: string
  readonly pepperVersion: number
  readonly createdAt: number
  /** Milliseconds; null while it has no end. */
  readonly expiresAt: number | null
}

/** The peppers by version. */
export type Peppers = ReadonlyMap<number, Uint8Array>

/** How many secrets a client can have at once: the current one and the one being replaced. */
export const MOST_SECRETS = 2

const SECRET = /^dcs_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}$/
const SECRET_BYTES = 32
/** Compared with when there is no stored secret, so that the work is the same. No digest equals it knowingly. */
const NO_SECRET = Buffer.alloc(32, 0x5a)

/** Makes a secret of 32 random bytes. */
export function newClientSecret(random: Uint8Array): ClientSecret {
  if (random.length !== SECRET_BYTES) throw new RangeError(`a secret takes ${SECRET_BYTES} random bytes`)
  const body = `dcs_${Buffer.from(random).toString('base64url')}`
  return `${body}${checksumOf(body)}` as ClientSecret
}

/** Refuses what cannot be a secret of ours before anything is read. */
export function parseClientSecret(value: unknown): Result<ClientSecret> {
  if (typeof value !== 'string' || !SECRET.test(value) || withoutChecksum(value) === undefined) {
    return refuse('client.invalid', 'not a client secret')
  }
  return ok(value as ClientSecret)
}

/** What to store of a secret. */
export function digestSecret(pepper: Uint8Array, secret: ClientSecret): string {
  return hmacOf(pepper, secret).toString('base64url')
}

/**
 * Whether `secret` is one of the live ones.
 *
 * It computes and compares as often for an unknown client, a client with one secret and a client with
 * two, whatever matches: how long it takes says nothing.
 */
export function matchesSecret(
  secret: ClientSecret,
  stored: readonly StoredSecret[],
  peppers: Peppers,
  nowMs: number,
): boolean {
  let found = false
  for (let slot = 0; slot < MOST_SECRETS; slot += 1) {
    const candidate = stored[slot]
    const pepper = candidate === undefined ? undefined : peppers.get(candidate.pepperVersion)
    const expected = pepper === undefined ? NO_SECRET : fixedLength(candidate?.hmac)
    const equal = timingSafeEqual(hmacOf(pepper ?? NO_SECRET, secret), expected)
    const live = candidate?.expiresAt === null || (candidate?.expiresAt ?? 0) > nowMs
    if (equal && live && pepper !== undefined) found = true
  }
  return found
}

/** What is stored of a credential, as bytes. */
export function hmacOf(pepper: Uint8Array, secret: string): Buffer {
  return createHmac('sha256', pepper).update(secret, 'utf8').digest()
}

function fixedLength(hmac: string | undefined): Buffer {
  const bytes = Buffer.from(hmac ?? '', 'base64url')
  return bytes.length === NO_SECRET.length ? bytes : NO_SECRET
}
