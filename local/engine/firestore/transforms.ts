import { invalid } from '../rpc-error.ts'
import { fromWireValue } from './codec.ts'
import { compareNumbers, compareValues } from './order.ts'
import { parseFieldPath } from './paths.ts'
import type { Micros } from './time.ts'
import {
  type Fields,
  isNaNValue,
  isNumber,
  NULL,
  type NumberValue,
  type Value,
  valueAt,
  withValueAt,
} from './values.ts'
import type { WireFieldTransform } from './wire.ts'

/** One server-side change of one field; `apply` gets what is there now and the commit's time. */
export type Transform = {
  path: readonly string[]
  /** The field's new value and what the caller is told about it. */
  apply(current: Value | undefined, time: Micros): { value: Value; result: Value }
}

/** Reads the field transforms of a write. */
export function parseTransforms(wire: readonly WireFieldTransform[] | undefined): Transform[] {
  return (wire ?? []).map(parseTransform)
}

/** Applies the transforms in their order; the results come in the same order. */
export function applyTransforms(
  fields: Fields,
  transforms: readonly Transform[],
  time: Micros,
): { fields: Fields; results: Value[] } {
  let current = fields
  const results = transforms.map((transform) => {
    const { value, result } = transform.apply(valueAt(current, transform.path), time)
    current = withValueAt(current, transform.path, value)
    return result
  })
  return { fields: current, results }
}

function parseTransform(wire: WireFieldTransform): Transform {
  const path = parseFieldPath(wire.fieldPath ?? '')
  if (wire.setToServerValue !== undefined) return serverTime(path, wire.setToServerValue)
  if (wire.increment !== undefined) return numeric(path, fromWireValue(wire.increment), add)
  if (wire.maximum !== undefined) return numeric(path, fromWireValue(wire.maximum), larger)
  if (wire.minimum !== undefined) return numeric(path, fromWireValue(wire.minimum), smaller)
  if (wire.appendMissingElements !== undefined) {
    return arrayChange(path, wire.appendMissingElements.values?.map(fromWireValue) ?? [], union)
  }
  if (wire.removeAllFromArray !== undefined) {
    return arrayChange(path, wire.removeAllFromArray.values?.map(fromWireValue) ?? [], without)
  }
  throw invalid(`The transform of "${wire.fieldPath}" has no operation.`)
}

function serverTime(path: string[], name: string): Transform {
  if (name !== 'REQUEST_TIME') throw invalid(`Unknown server value "${name}".`)
  return {
    path,
    apply: (_current, time) => {
      // REQUEST_TIME has millisecond precision by its contract; commit times have microseconds.
      const value: Value = { kind: 'timestamp', value: BigInt(Math.floor(time / 1000)) * 1000n }
      return { value, result: value }
    },
  }
}

function numeric(
  path: string[],
  operand: Value,
  combine: (current: NumberValue, operand: NumberValue) => NumberValue,
): Transform {
  if (!isNumber(operand)) throw invalid('The operand of a numeric transform must be a number.')
  return {
    path,
    apply: (current) => {
      // A field that is missing or no number is simply set to the operand.
      const value = isNumber(current) ? combine(current, operand) : operand
      return { value, result: value }
    },
  }
}

const MAX_INT64 = 2n ** 63n - 1n
const MIN_INT64 = -(2n ** 63n)

/** Adds; two integers stay an integer and stop at the ends of the 64-bit range instead of wrapping round. */
function add(current: NumberValue, operand: NumberValue): NumberValue {
  if (current.kind === 'integer' && operand.kind === 'integer') {
    const sum = current.value + operand.value
    return { kind: 'integer', value: sum > MAX_INT64 ? MAX_INT64 : sum < MIN_INT64 ? MIN_INT64 : sum }
  }
  return { kind: 'double', value: Number(current.value) + Number(operand.value) }
}

/** The larger number; equal ones keep what is stored, and NaN wins over everything. */
function larger(current: NumberValue, operand: NumberValue): NumberValue {
  if (isNaNValue(current) || isNaNValue(operand)) return { kind: 'double', value: Number.NaN }
  return compareNumbers(operand, current) > 0 ? operand : current
}

function smaller(current: NumberValue, operand: NumberValue): NumberValue {
  if (isNaNValue(current) || isNaNValue(operand)) return { kind: 'double', value: Number.NaN }
  return compareNumbers(operand, current) < 0 ? operand : current
}

function arrayChange(
  path: string[],
  operand: readonly Value[],
  combine: (current: readonly Value[], operand: readonly Value[]) => Value[],
): Transform {
  return {
    path,
    apply: (current) => ({
      value: { kind: 'array', values: combine(current?.kind === 'array' ? current.values : [], operand) },
      result: NULL,
    }),
  }
}

function union(current: readonly Value[], operand: readonly Value[]): Value[] {
  const result = [...current]
  for (const value of operand) if (!contains(result, value)) result.push(value)
  return result
}

function without(current: readonly Value[], operand: readonly Value[]): Value[] {
  return current.filter((value) => !contains(operand, value))
}

function contains(values: readonly Value[], wanted: Value): boolean {
  return values.some((value) => compareValues(value, wanted) === 0)
}
