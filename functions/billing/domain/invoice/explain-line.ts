import type { Price } from '../plan.ts'
import type { InvoiceLine } from './line.ts'

/** How a line's amount came about, for people and for whoever calculates it again. */
export type Formula = {
  readonly text: string
  readonly model: string | null
  readonly parameters: Readonly<Record<string, unknown>>
  readonly steps: readonly { readonly step: string; readonly value: unknown }[]
}

/** Says in order what was done to a quantity until it was an amount. */
export function formulaOf(line: InvoiceLine, price: Price | undefined): Formula {
  const { amount, exact, quantity, included, granted, billedQuantity, unit, adjustments, components } = line
  const rounded = { exact, rounding: 'half away from zero', minor: amount.minor, currency: amount.currency }
  const money = `${amount.amount} ${amount.currency}`
  if (line.corrects !== null) return correctionFormula(line, price, rounded)
  if (price === undefined) {
    return {
      text: plainText(line, money),
      model: null,
      parameters: {},
      steps: [
        { step: 'share', value: billedQuantity },
        { step: 'round', value: rounded },
      ],
    }
  }
  const off = [
    included === '0' ? '' : ` less ${included} included`,
    granted === '0' ? '' : ` less ${granted} granted`,
  ].join('')
  const fraction = `${price.model} gives ${exact.n}/${exact.d}`
  const result =
    line.parent === null
      ? `${fraction}, rounded once: ${money}`
      : `${fraction} for all groups, rounded once: ${line.parent.amount.amount}, of which this group has ${money}`
  return {
    text: `${quantity} of ${line.meter}, in ${unit}${off}, is ${billedQuantity} billed; ${result}`,
    model: price.model,
    parameters: price.parameters,
    steps: [
      { step: 'quantity', value: quantity },
      { step: 'granted', value: granted },
      { step: 'convert', value: price.parameters['convert'] ?? null },
      { step: 'included', value: included },
      { step: 'billed', value: billedQuantity },
      { step: 'price', value: { model: price.model, components } },
      { step: 'percent_discount', value: adjustments.percentDiscount },
      { step: 'maximum', value: adjustments.maximumDiscount },
      { step: 'minimum', value: adjustments.minimumTrueUp },
      { step: 'round', value: rounded },
      ...(line.parent === null
        ? []
        : [
            {
              step: 'split',
              value: { parent: line.parent.amount, by: 'largest remainder', group: line.group },
            },
          ]),
    ],
  }
}

/** A correction is of the whole line, rated anew: what it comes to now, less what was billed for it. */
function correctionFormula(line: InvoiceLine, price: Price | undefined, rounded: unknown): Formula {
  const { amount, quantity, components } = line
  const of = (kind: string): string =>
    String(components.find((one) => one['kind'] === kind)?.['amount'] ?? '')
  const anew = line.meter === null ? 'Rated anew' : `Rated anew from ${quantity} of ${line.meter}`
  return {
    text: `${anew}: ${of('now')} now, ${of('billed')} billed before: ${amount.amount} ${amount.currency}`,
    model: price?.model ?? null,
    parameters: price?.parameters ?? {},
    steps: [
      { step: 'quantity', value: quantity },
      { step: 'now', value: of('now') },
      { step: 'billed', value: of('billed') },
      { step: 'round', value: rounded },
    ],
  }
}

function plainText(line: InvoiceLine, money: string): string {
  if (line.kind === 'minimum' || line.kind === 'maximum') return `${line.description}, by time: ${money}`
  return `${line.description} x ${line.billedQuantity} of the period: ${money}`
}
