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
  return {
    text: `${quantity} of ${line.meter}, in ${unit}${off}, is ${billedQuantity} billed; ${price.model} gives ${exact.n}/${exact.d}, rounded once: ${money}`,
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

function plainText(line: InvoiceLine, money: string): string {
  if (line.kind === 'correction') return `What the line would be now, less what was billed for it: ${money}`
  if (line.kind === 'minimum' || line.kind === 'maximum') return `${line.description}, by time: ${money}`
  return `${line.description} x ${line.billedQuantity} of the period: ${money}`
}
