import { formatScaled, type Rational, toScaled } from './rational.ts'

/** Minor digits of ISO 4217 currencies; what is not listed cannot be billed. */
const MINOR_DIGITS = {
  AUD: 2,
  BHD: 3,
  BRL: 2,
  CAD: 2,
  CHF: 2,
  CLP: 0,
  CNY: 2,
  CZK: 2,
  DKK: 2,
  EUR: 2,
  GBP: 2,
  HKD: 2,
  INR: 2,
  JOD: 3,
  JPY: 0,
  KRW: 0,
  KWD: 3,
  NOK: 2,
  NZD: 2,
  OMR: 3,
  PLN: 2,
  SEK: 2,
  SGD: 2,
  TND: 3,
  USD: 2,
  VND: 0,
} as const

export type Currency = keyof typeof MINOR_DIGITS

export const CURRENCIES = Object.keys(MINOR_DIGITS) as readonly Currency[]

/** Money on the wire: `minor` is a whole number of the currency's smallest unit. */
export type Money = { readonly amount: string; readonly minor: number; readonly currency: Currency }

export function minorDigits(currency: Currency): number {
  return MINOR_DIGITS[currency]
}

/** An exact amount in minor units, rounded once, halves away from zero. */
export function toMinor(amount: Rational, currency: Currency): bigint {
  return toScaled(amount, minorDigits(currency), 'half_up')
}

/** Whether JSON can say so many minor units exactly. */
export function isStatable(minor: bigint): boolean {
  return Number.isSafeInteger(Number(minor))
}

/** Throws a RangeError beyond 2^53 minor units: JSON could not say the number exactly. */
export function money(minor: bigint, currency: Currency): Money {
  if (!isStatable(minor)) throw new RangeError(`${minor} minor units are too many to state exactly`)
  return { amount: formatScaled(minor, minorDigits(currency)), minor: Number(minor), currency }
}
