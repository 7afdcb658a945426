import type { FieldValue, Timestamp } from '@google-cloud/firestore'
import type { Opened } from './database.ts'

/**
 * What the store computes or converts at commit; built by the functions below alone. Others get the type
 * and not the class: whoever could make one would be handed the client's module.
 */
class StoreValue {
  readonly encode: (sdk: Opened['sdk']) => FieldValue | Timestamp
  constructor(encode: (sdk: Opened['sdk']) => FieldValue | Timestamp) {
    this.encode = encode
  }
}

export type { StoreValue }

/** Fields of a document. Instants are milliseconds unless a store value says otherwise. */
export type Fields = Readonly<Record<string, unknown>>

/** The store's own time at commit: the only time leases and feeds are ordered by. */
export function commitTime(): StoreValue {
  return new StoreValue((sdk) => sdk.FieldValue.serverTimestamp())
}

/** Adds to a number without reading it. `by` must be a safe integer. */
export function increment(by: number): StoreValue {
  if (!Number.isSafeInteger(by)) throw new RangeError(`cannot increment by ${by}: not a safe integer`)
  return new StoreValue((sdk) => sdk.FieldValue.increment(by))
}

/** Raises a number to `value` if it is lower, without reading it. */
export function atLeast(value: number): StoreValue {
  return new StoreValue((sdk) => sdk.FieldValue.maximum(value))
}

/** A store timestamp: what a TTL policy needs. */
export function timestamp(ms: number): StoreValue {
  return new StoreValue((sdk) => sdk.Timestamp.fromMillis(ms))
}

/** Removes a field. */
export function removed(): StoreValue {
  return new StoreValue((sdk) => sdk.FieldValue.delete())
}

/**
 * Prepares fields for the client, and refuses what would break the wall between tenants: references
 * to documents, and a `tenantId` that is not the one of the path.
 */
export function encode(
  sdk: Opened['sdk'],
  fields: Fields,
  tenantId: string | undefined,
): Record<string, unknown> {
  const walk = (value: unknown, path: string): unknown => {
    if (value instanceof StoreValue) return value.encode(sdk)
    if (value === null || ['string', 'number', 'boolean', 'bigint'].includes(typeof value)) return value
    if (value instanceof Uint8Array) return Buffer.from(value)
    if (Array.isArray(value)) return value.map((item, index) => walk(item, `${path}[${index}]`))
    if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
      return Object.fromEntries(
        Object.entries(value)
          .filter(([, member]) => member !== undefined)
          .map(([key, member]) => {
            if (key === 'tenantId' && tenantId !== undefined && member !== tenantId) {
              throw new TypeError(`${path}.tenantId names another tenant than the path`)
            }
            return [key, walk(member, `${path}.${key}`)]
          }),
      )
    }
    throw new TypeError(`${path} cannot be stored: ${Object.prototype.toString.call(value)}`)
  }
  return walk(fields, 'document') as Record<string, unknown>
}

/** Turns what the client returns into plain values: integers to numbers where they fit, timestamps to milliseconds. */
export function decode(sdk: Opened['sdk'], value: unknown): unknown {
  if (typeof value === 'bigint') {
    return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
      ? Number(value)
      : value
  }
  if (value instanceof sdk.Timestamp) return value.toMillis()
  if (value instanceof Uint8Array || value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map((item) => decode(sdk, item))
  // A reference would carry the whole client with it; nothing of ours stores one.
  if (Object.getPrototypeOf(value) !== Object.prototype) {
    throw new TypeError(`a stored value is of a kind we never write: ${value.constructor.name}`)
  }
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, decode(sdk, member)]))
}
