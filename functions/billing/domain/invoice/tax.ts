import { allocate } from '../rating/adjustments.ts'
import { decimal, divide, fromScaled, multiply, type Rational, rational, toScaled } from '../rational.ts'
import type { TaxTable } from './terms.ts'

/** What a line or an adjustment leaves to be taxed. */
export type Net = { readonly lineKey: string; readonly taxCategory: string; readonly minor: bigint }

export type TaxLine = {
  readonly rateId: string
  readonly category: string
  readonly percent: string
  readonly taxableMinor: bigint
  readonly taxMinor: bigint
}

/**
 * Tax on what is to be paid, by category: rounded once for each rate, or on each line.
 *
 * What is negative, and what comes off the whole invoice, lowers the positive rest in proportion, so that
 * what is taxed adds up to what is paid.
 */
export function taxOn(nets: readonly Net[], payableMinor: bigint, table: TaxTable | undefined): TaxLine[] {
  if (table === undefined || payableMinor <= 0n) return []
  const units = table.mode === 'per_line' ? [...nets] : byCategory(nets)
  const positive = units.filter(({ minor }) => minor > 0n)
  if (positive.length === 0) return []
  const shares = allocate(
    payableMinor,
    positive.map(({ minor }) => rational(minor)),
  )
  const taxable = positive.map((unit, index) => ({ ...unit, minor: shares[index] ?? 0n }))
  return table.rates
    .toSorted((left, right) => (left.rateId < right.rateId ? -1 : 1))
    .map(({ rateId, category, percent }) => {
      const share = divide(decimal(percent), rational(100n))
      const own = taxable.filter((unit) => unit.taxCategory === category)
      return {
        rateId,
        category,
        percent,
        taxableMinor: own.reduce((sum, { minor }) => sum + minor, 0n),
        taxMinor: own.reduce((sum, { minor }) => sum + taxOf(minor, share), 0n),
      }
    })
    .filter(({ taxableMinor }) => taxableMinor > 0n)
}

function taxOf(minor: bigint, share: Rational): bigint {
  return toScaled(multiply(fromScaled(minor, 0), share), 0)
}

function byCategory(nets: readonly Net[]): Net[] {
  return [...Map.groupBy(nets, ({ taxCategory }) => taxCategory)]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([taxCategory, own]) => ({
      lineKey: taxCategory,
      taxCategory,
      minor: own.reduce((sum, { minor }) => sum + minor, 0n),
    }))
}
