/** An exact fraction in lowest terms; the denominator is positive. Money and quantities are never floats. */
export type Rational = { readonly n: bigint; readonly d: bigint }

export const ROUNDINGS = ['half_up', 'half_down', 'half_even', 'ceil', 'floor', 'up', 'down'] as const
/** `half_up` rounds halves away from zero, `up` away from zero, `down` towards it. */
export type Rounding = (typeof ROUNDINGS)[number]

export const ZERO: Rational = { n: 0n, d: 1n }
export const ONE: Rational = { n: 1n, d: 1n }

/** The fraction `n`/`d` in lowest terms. Throws a RangeError when `d` is zero. */
export function rational(n: bigint, d = 1n): Rational {
  if (d === 1n) return { n, d }
  if (d === 0n) throw new RangeError('a fraction needs a denominator other than zero')
  const sign = d < 0n ? -1n : 1n
  const divisor = gcd(n < 0n ? -n : n, d * sign)
  return { n: (n * sign) / divisor, d: (d * sign) / divisor }
}

const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?$/

/** Reads `-12.340`; undefined for anything else: no sign `+`, no exponent, no white space. */
export function findDecimal(text: string): Rational | undefined {
  const parts = DECIMAL.exec(text)
  if (parts === null) return undefined
  const fraction = parts[3] ?? ''
  const digits = BigInt(`${parts[2] ?? ''}${fraction}`)
  return rational(parts[1] === '-' ? -digits : digits, 10n ** BigInt(fraction.length))
}

/** Reads a decimal that we wrote ourselves. Throws a RangeError on anything else. */
export function decimal(text: string): Rational {
  const value = findDecimal(text)
  if (value === undefined) throw new RangeError(`${JSON.stringify(text)} is not a decimal number`)
  return value
}

export function add(left: Rational, right: Rational): Rational {
  if (left.d === right.d) return rational(left.n + right.n, left.d)
  return rational(left.n * right.d + right.n * left.d, left.d * right.d)
}

export function subtract(left: Rational, right: Rational): Rational {
  return add(left, negate(right))
}

export function multiply(left: Rational, right: Rational): Rational {
  return rational(left.n * right.n, left.d * right.d)
}

/** Throws a RangeError when `right` is zero. */
export function divide(left: Rational, right: Rational): Rational {
  return rational(left.n * right.d, left.d * right.n)
}

export function negate(value: Rational): Rational {
  return { n: -value.n, d: value.d }
}

/** Below zero, zero or above zero, as `left` is below, equal to or above `right`. */
export function compare(left: Rational, right: Rational): number {
  const difference = left.n * right.d - right.n * left.d
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

export function smaller(left: Rational, right: Rational): Rational {
  return compare(left, right) <= 0 ? left : right
}

export function larger(left: Rational, right: Rational): Rational {
  return compare(left, right) >= 0 ? left : right
}

export function total(values: readonly Rational[]): Rational {
  return values.reduce(add, ZERO)
}

/** `value` in units of 10^-digits, rounded once; `digits` may be negative. */
export function toScaled(value: Rational, digits: number, mode: Rounding = 'half_up'): bigint {
  const power = 10n ** BigInt(Math.abs(digits))
  const scaled = multiply(value, digits < 0 ? { n: 1n, d: power } : { n: power, d: 1n })
  return roundToInteger(scaled, mode)
}

/** The value of a whole number of units of 10^-digits. */
export function fromScaled(units: bigint, digits: number): Rational {
  const power = 10n ** BigInt(Math.abs(digits))
  return digits < 0 ? rational(units * power) : rational(units, power)
}

export function round(value: Rational, digits: number, mode: Rounding = 'half_up'): Rational {
  return fromScaled(toScaled(value, digits, mode), digits)
}

/** A whole number of 10^-digits as a decimal with exactly `digits` places. */
export function formatScaled(units: bigint, digits: number): string {
  if (digits <= 0) return `${units * 10n ** BigInt(-digits)}`
  const text = (units < 0n ? -units : units).toString().padStart(digits + 1, '0')
  return `${units < 0n ? '-' : ''}${text.slice(0, -digits)}.${text.slice(-digits)}`
}

/** Places kept of a fraction that no decimal can say, such as 1/3. */
const LONGEST_FRACTION = 20

/** The shortest decimal that says the value; 20 places, rounded, where none is exact. */
export function formatDecimal(value: Rational): string {
  const digits = decimalPlaces(value.d) ?? LONGEST_FRACTION
  const text = formatScaled(toScaled(value, digits), digits)
  return digits === 0 ? text : text.replace(/\.?0+$/, '')
}

/** How many decimal places say n/d exactly, or undefined when none do. */
function decimalPlaces(d: bigint): number | undefined {
  let rest = d
  let twos = 0
  let fives = 0
  for (; rest % 2n === 0n; rest /= 2n) twos += 1
  for (; rest % 5n === 0n; rest /= 5n) fives += 1
  return rest === 1n ? Math.max(twos, fives) : undefined
}

function roundToInteger(value: Rational, mode: Rounding): bigint {
  const towardsZero = value.n / value.d
  const rest = value.n % value.d
  if (rest === 0n) return towardsZero
  const away = value.n < 0n ? -1n : 1n
  return mustStepAway(value, towardsZero, rest, mode) ? towardsZero + away : towardsZero
}

function mustStepAway(value: Rational, towardsZero: bigint, rest: bigint, mode: Rounding): boolean {
  const twice = 2n * (rest < 0n ? -rest : rest)
  switch (mode) {
    case 'up':
      return true
    case 'down':
      return false
    case 'ceil':
      return value.n > 0n
    case 'floor':
      return value.n < 0n
    case 'half_up':
      return twice >= value.d
    case 'half_down':
      return twice > value.d
    case 'half_even':
      return twice > value.d || (twice === value.d && towardsZero % 2n !== 0n)
  }
}

function gcd(left: bigint, right: bigint): bigint {
  let [a, b] = [left, right]
  while (b !== 0n) [a, b] = [b, a % b]
  return a === 0n ? 1n : a
}
