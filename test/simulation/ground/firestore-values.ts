import { formatFieldPath } from '#local/engine/firestore/paths.ts'
import type { WireFields, WireFieldTransform, WireValue } from '#local/engine/firestore/wire.ts'

/** An instant of the store, as the official client shows it. */
export class Timestamp {
  readonly seconds: number
  readonly nanoseconds: number
  constructor(seconds: number, nanoseconds: number) {
    this.seconds = seconds
    this.nanoseconds = nanoseconds
  }
  static fromMillis(ms: number): Timestamp {
    const seconds = Math.floor(ms / 1000)
    return new Timestamp(seconds, Math.round((ms - seconds * 1000) * 1e6))
  }
  static fromMicros(micros: number): Timestamp {
    const seconds = Math.floor(micros / 1e6)
    return new Timestamp(seconds, (micros - seconds * 1e6) * 1000)
  }
  toMillis(): number {
    return this.seconds * 1000 + Math.floor(this.nanoseconds / 1e6)
  }
}

/** What the store computes at commit. */
class Computed {
  readonly transform: Omit<WireFieldTransform, 'fieldPath'> | undefined
  /** Undefined removes the field. */
  constructor(transform: Omit<WireFieldTransform, 'fieldPath'> | undefined) {
    this.transform = transform
  }
}

const FieldValue = {
  serverTimestamp: () => new Computed({ setToServerValue: 'REQUEST_TIME' }),
  increment: (by: number) => new Computed({ increment: toWire(by) }),
  maximum: (value: number) => new Computed({ maximum: toWire(value) }),
  delete: () => new Computed(undefined),
}

/** The part of the official module that `shared/firestore/` uses. */
export const sdk = { Timestamp, FieldValue }

/** Fields on their way into the store: what is set, which paths that concerns, and what is computed. */
export type Encoded = {
  readonly fields: WireFields
  /** The paths of all leaves, those of removed fields among them. */
  readonly leaves: (readonly string[])[]
  readonly transforms: WireFieldTransform[]
}

export function encodeFields(fields: Readonly<Record<string, unknown>>): Encoded {
  const leaves: (readonly string[])[] = []
  const transforms: WireFieldTransform[] = []
  const walk = (members: Readonly<Record<string, unknown>>, above: readonly string[]): WireFields => {
    const set: WireFields = {}
    for (const [name, value] of Object.entries(members)) {
      const path = [...above, name]
      if (value instanceof Computed) {
        if (value.transform === undefined) leaves.push(path)
        else transforms.push({ fieldPath: formatFieldPath(path), ...value.transform })
      } else if (isMap(value) && Object.keys(value).length > 0) {
        const inner = walk(value, path)
        if (Object.keys(inner).length > 0) set[name] = { mapValue: { fields: inner } }
      } else {
        leaves.push(path)
        set[name] = toWire(value)
      }
    }
    return set
  }
  return { fields: walk(fields, []), leaves, transforms }
}

export function toWire(value: unknown): WireValue {
  if (value === null) return { nullValue: 'NULL_VALUE' }
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { booleanValue: value }
  if (typeof value === 'bigint') return { integerValue: value.toString() }
  if (typeof value === 'number') {
    return Number.isSafeInteger(value) && !Object.is(value, -0)
      ? { integerValue: String(value) }
      : { doubleValue: value }
  }
  if (value instanceof Timestamp) {
    return { timestampValue: { seconds: String(value.seconds), nanos: value.nanoseconds } }
  }
  if (value instanceof Uint8Array) return { bytesValue: Buffer.from(value) }
  if (Array.isArray(value)) return { arrayValue: { values: value.map(toWire) } }
  if (isMap(value)) {
    return {
      mapValue: {
        fields: Object.fromEntries(Object.entries(value).map(([name, member]) => [name, toWire(member)])),
      },
    }
  }
  throw new TypeError(`the client cannot send ${Object.prototype.toString.call(value)}`)
}

/** A stored value as the official client gives it with `useBigInt`. */
export function fromWire(wire: WireValue): unknown {
  if (wire.stringValue !== undefined) return wire.stringValue
  if (wire.integerValue !== undefined) return BigInt(wire.integerValue)
  if (wire.doubleValue !== undefined) return wire.doubleValue
  if (wire.booleanValue !== undefined) return wire.booleanValue
  if (wire.bytesValue !== undefined) return Buffer.from(wire.bytesValue)
  if (wire.timestampValue !== undefined) {
    return new Timestamp(Number(wire.timestampValue.seconds ?? 0), wire.timestampValue.nanos ?? 0)
  }
  if (wire.arrayValue !== undefined) return (wire.arrayValue.values ?? []).map(fromWire)
  if (wire.mapValue !== undefined) return fromWireFields(wire.mapValue.fields ?? {})
  if (wire.nullValue !== undefined) return null
  throw new TypeError('a stored value is of a kind we never write')
}

export function fromWireFields(fields: WireFields): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, fromWire(value)]))
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}
