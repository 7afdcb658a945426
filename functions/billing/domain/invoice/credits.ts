import { type Currency, minorDigits } from '../currency.ts'
import { type Applied, burnGrants, type Demand, type Grant } from '../grant.ts'
import { fieldsOf, has, optionalDecimalAt } from '../rating/fields.ts'
import { fromScaled, larger, multiply, ONE, subtract, toScaled, ZERO } from '../rational.ts'
import type { RatedLine } from './line.ts'
import type { PricePart } from './parts.ts'

/** What one grant pays of one line, in minor units. */
export type Paid = { readonly grantId: string; readonly lineKey: string; readonly minor: bigint }

/**
 * Units of a meter that grants pay: what a part used beyond what is included, as events count it, at the
 * part's last millisecond. Credit that ends with the period still counts in it.
 */
export function burnUnits(
  parts: readonly {
    readonly part: PricePart
    readonly used: Applied['amount']
    readonly included: Applied['amount']
  }[],
  grants: readonly Grant[],
): Applied[] {
  const demands = parts.map(({ part, used, included }): Demand => {
    const { price, period, key } = part
    return {
      id: key,
      measure: { meter: price.meter },
      kind: 'usage',
      meter: price.meter,
      priceId: price.priceId,
      amount: larger(subtract(used, multiply(included, divisorOf(part))), ZERO),
      atMs: period.toMs - 1,
    }
  })
  return burnGrants(grants, demands)
}

/**
 * Pays lines with prepaid money. What comes back on other lines is taken off first: nobody pays with
 * credit for what was not due in the end.
 */
export function burnMoney(
  lines: readonly RatedLine[],
  grants: readonly Grant[],
  currency: Currency,
  periodEndMs: number,
): { readonly paid: readonly Paid[]; readonly burns: readonly Applied[] } {
  const digits = minorDigits(currency)
  const due = dueOf(lines)
  const demands = lines.flatMap((line): Demand[] => {
    const minor = due.get(line.lineKey) ?? 0n
    if (minor <= 0n) return []
    const priceId = line.priceRef.slice(line.priceRef.indexOf('/') + 1)
    const untilMs = line.kind === 'correction' ? periodEndMs : Date.parse(line.servicePeriod.to)
    return [
      {
        id: line.lineKey,
        measure: { currency },
        kind: line.isFee ? 'fee' : 'usage',
        ...(line.meter === null ? {} : { meter: line.meter }),
        priceId,
        amount: fromScaled(minor, digits),
        atMs: untilMs - 1,
      },
    ]
  })
  // A grant may hold less than a minor unit more: what cannot be said on a line stays in it.
  const applied = burnGrants(grants, demands).map((one) => ({
    ...one,
    minor: toScaled(one.amount, digits, 'floor'),
  }))
  const real = applied.filter(({ minor }) => minor > 0n)
  return {
    paid: real.map(({ grantId, demandId, minor }) => ({ grantId, lineKey: demandId, minor })),
    burns: real.map(({ minor, ...one }) => ({ ...one, amount: fromScaled(minor, digits) })),
  }
}

/** What is left of each positive line once the negative ones are taken off: fees from fees first, then from all. */
function dueOf(lines: readonly RatedLine[]): Map<string, bigint> {
  const due = new Map(lines.map(({ lineKey, minor }) => [lineKey, minor > 0n ? minor : 0n]))
  for (const negative of lines.filter(({ minor }) => minor < 0n)) {
    let off = -negative.minor
    const near = lines.filter(({ isFee }) => isFee === negative.isFee)
    for (const { lineKey } of [...near, ...lines]) {
      const left = due.get(lineKey) ?? 0n
      const taken = left < off ? left : off
      due.set(lineKey, left - taken)
      off -= taken
    }
  }
  return due
}

function divisorOf({ price }: PricePart): Applied['amount'] {
  const { parameters } = price
  if (!has(parameters, 'convert')) return ONE
  return optionalDecimalAt(fieldsOf(parameters['convert'], 'convert'), 'divide_by') ?? ONE
}
