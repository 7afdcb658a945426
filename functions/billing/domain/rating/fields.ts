import { asRecord } from '#shared/json.ts'
import { findDecimal, type Rational, ROUNDINGS, type Rounding, rational } from '../rational.ts'

/** Price data or usage data that its model does not understand: a fault of whoever wrote it. */
export class RatingError extends Error {
  override readonly name = 'RatingError'
}

/** The members of one object of price or usage data, read by name and typed. */
export type Fields = Readonly<Record<string, unknown>>

export function fieldsOf(value: unknown, what: string): Fields {
  const record = asRecord(value)
  if (record === undefined) throw new RatingError(`${what} must be an object`)
  return record
}

export function listAt(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name]
  if (!Array.isArray(value)) throw new RatingError(`${name} must be a list`)
  return value
}

export function has(fields: Fields, name: string): boolean {
  return Object.hasOwn(fields, name) && fields[name] !== undefined && fields[name] !== null
}

/** A decimal string, or a whole number that JSON can say exactly. */
export function toDecimal(value: unknown, name: string): Rational {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return rational(BigInt(value))
  const found = typeof value === 'string' ? findDecimal(value) : undefined
  if (found === undefined) throw new RatingError(`${name} must be a decimal string`)
  return found
}

export function decimalAt(fields: Fields, name: string, fallback?: Rational): Rational {
  if (!has(fields, name) && fallback !== undefined) return fallback
  return toDecimal(fields[name], name)
}

export function optionalDecimalAt(fields: Fields, name: string): Rational | undefined {
  return has(fields, name) ? toDecimal(fields[name], name) : undefined
}

export function decimalsAt(fields: Fields, name: string): Rational[] {
  return listAt(fields, name).map((value, index) => toDecimal(value, `${name}[${index}]`))
}

/** A whole number, of either sign. */
export function wholeAt(fields: Fields, name: string, fallback?: bigint): bigint {
  if (!has(fields, name) && fallback !== undefined) return fallback
  const value = toDecimal(fields[name], name)
  if (value.d !== 1n) throw new RatingError(`${name} must be a whole number`)
  return value.n
}

export function digitsAt(fields: Fields, name: string): number {
  const digits = Number(wholeAt(fields, name))
  if (Math.abs(digits) > 30) throw new RatingError(`${name} must be between -30 and 30`)
  return digits
}

export function choiceAt<const T extends string>(
  fields: Fields,
  name: string,
  choices: readonly T[],
  fallback?: T,
): T {
  if (!has(fields, name) && fallback !== undefined) return fallback
  const found = choices.find((choice) => choice === fields[name])
  if (found === undefined) throw new RatingError(`${name} must be one of ${choices.join(', ')}`)
  return found
}

export function roundingAt(fields: Fields, name: string, fallback: Rounding = 'half_up'): Rounding {
  return choiceAt(fields, name, ROUNDINGS, fallback)
}
