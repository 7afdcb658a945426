import { invalid } from '../rpc-error.ts'
import { type Fields, NULL, type Value } from './values.ts'
import type { WireFields, WireValue } from './wire.ts'

/** Reads a value off the wire; INVALID_ARGUMENT when it is none this service knows. */
export function fromWireValue(wire: WireValue | undefined | null): Value {
  if (wire === undefined || wire === null) throw invalid('A value is missing.')
  if (wire.stringValue !== undefined) return { kind: 'string', value: wire.stringValue }
  if (wire.integerValue !== undefined) return { kind: 'integer', value: BigInt(wire.integerValue) }
  if (wire.doubleValue !== undefined) return { kind: 'double', value: wire.doubleValue }
  if (wire.booleanValue !== undefined) return { kind: 'boolean', value: wire.booleanValue }
  if (wire.mapValue !== undefined) return { kind: 'map', fields: fromWireFields(wire.mapValue.fields) }
  if (wire.arrayValue !== undefined) {
    return { kind: 'array', values: (wire.arrayValue.values ?? []).map(fromWireValue) }
  }
  if (wire.timestampValue !== undefined) return readTimestamp(wire.timestampValue)
  if (wire.nullValue !== undefined) return NULL
  if (wire.bytesValue !== undefined) return { kind: 'bytes', value: wire.bytesValue }
  if (wire.referenceValue !== undefined) return { kind: 'reference', value: wire.referenceValue }
  if (wire.geoPointValue !== undefined) return readGeoPoint(wire.geoPointValue)
  throw invalid('A value has no type that can be stored.')
}

/** A document's fields as they came over the wire; refuses what is no value. */
export function fromWireFields(wire: WireFields | undefined): Fields {
  return new Map(Object.entries(wire ?? {}).map(([name, value]) => [name, fromWireValue(value)]))
}

/** Writes a value to the wire. */
export function toWireValue(value: Value): WireValue {
  switch (value.kind) {
    case 'null':
      return { nullValue: 'NULL_VALUE' }
    case 'boolean':
      return { booleanValue: value.value }
    case 'integer':
      return { integerValue: value.value.toString() }
    case 'double':
      return { doubleValue: value.value }
    case 'timestamp':
      return { timestampValue: writeTimestamp(value.value) }
    case 'string':
      return { stringValue: value.value }
    case 'bytes':
      return { bytesValue: value.value }
    case 'reference':
      return { referenceValue: value.value }
    case 'geoPoint':
      return { geoPointValue: { latitude: value.latitude, longitude: value.longitude } }
    case 'array':
      return { arrayValue: { values: value.values.map(toWireValue) } }
    case 'map':
      return { mapValue: { fields: toWireFields(value.fields) } }
  }
}

/** A document's fields as they go over the wire, and as they are stored. */
export function toWireFields(fields: Fields): WireFields {
  // `fromEntries` defines properties, so a field called `__proto__` stays a field.
  return Object.fromEntries([...fields].map(([name, value]) => [name, toWireValue(value)]))
}

/** Plain JSON for people and dumps: what JSON cannot hold becomes a string (large integers, times, bytes). */
function toJson(value: Value): unknown {
  switch (value.kind) {
    case 'null':
      return null
    case 'integer':
      return Number.isSafeInteger(Number(value.value)) ? Number(value.value) : value.value.toString()
    case 'double':
      return Number.isFinite(value.value) ? value.value : String(value.value)
    case 'timestamp':
      return new Date(Math.floor(Number(value.value) / 1000)).toISOString()
    case 'bytes':
      return Buffer.from(value.value).toString('base64')
    case 'geoPoint':
      return { latitude: value.latitude, longitude: value.longitude }
    case 'array':
      return value.values.map(toJson)
    case 'map':
      return fieldsToJson(value.fields)
    default:
      return value.value
  }
}

/** Fields as plain JSON for people to read: types that JSON lacks become text, so there is no way back. */
export function fieldsToJson(fields: Fields): Record<string, unknown> {
  return Object.fromEntries([...fields].map(([name, value]) => [name, toJson(value)]))
}

const MIN_SECONDS = -62_135_596_800
const MAX_SECONDS = 253_402_300_799

function readTimestamp(wire: NonNullable<WireValue['timestampValue']>): Value {
  const seconds = Number(wire.seconds ?? 0)
  const nanos = wire.nanos ?? 0
  if (seconds < MIN_SECONDS || seconds > MAX_SECONDS || nanos < 0 || nanos > 999_999_999) {
    throw invalid('A timestamp must lie between the years 1 and 9999.')
  }
  return { kind: 'timestamp', value: BigInt(seconds) * 1_000_000n + BigInt(Math.floor(nanos / 1000)) }
}

function writeTimestamp(micros: bigint): { seconds: string; nanos: number } {
  // BigInt division cuts towards zero; the wire wants seconds rounded down and nanos never negative.
  const fraction = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n
  return { seconds: String((micros - fraction) / 1_000_000n), nanos: Number(fraction) * 1000 }
}

function readGeoPoint(wire: { latitude?: number; longitude?: number }): Value {
  const latitude = wire.latitude ?? 0
  const longitude = wire.longitude ?? 0
  const inside = Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180
  // Written so that NaN fails too.
  if (!inside) throw invalid('Latitude must lie within ±90 and longitude within ±180.')
  return { kind: 'geoPoint', latitude, longitude }
}
