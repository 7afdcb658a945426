import { canonicalJson } from '#shared/json.ts'
import type { Period } from '../calendar.ts'
import type { Price } from '../plan.ts'
import { add, type Rational } from '../rational.ts'
import type { Segment } from './terms.ts'

/** A stretch of the period in which one price stayed the same; its usage is rated in one go. */
export type PricePart = {
  /** Names the part among those of one period. */
  readonly key: string
  readonly price: Price
  /** `{plan}@{version}/{price}`: of the first segment, where several have the same price. */
  readonly priceRef: string
  readonly period: Period
  /** Of what a whole period includes, and of the price's commitment. */
  readonly share: Rational
}

/**
 * The parts in which usage is rated: a period is cut where a price changes, and not where a change of
 * plan leaves that price as it was. Otherwise tiers would begin anew without a reason.
 */
export function partsOf(segments: readonly Segment[]): PricePart[] {
  const parts: PricePart[] = []
  const open = new Map<string, { index: number; content: string }>()
  for (const { period, plan, share } of segments) {
    for (const price of plan.prices) {
      const content = canonicalJson(price)
      const before = open.get(price.priceId)
      const last = before === undefined ? undefined : parts[before.index]
      if (last !== undefined && before?.content === content && last.period.toMs === period.fromMs) {
        parts[before.index] = partOf({
          ...last,
          period: { ...last.period, toMs: period.toMs },
          share: add(last.share, share),
        })
      } else {
        open.set(price.priceId, { index: parts.length, content })
        const priceRef = `${plan.planId}@${plan.version}/${price.priceId}`
        parts.push(partOf({ price, priceRef, period, share }))
      }
    }
  }
  return parts
}

function partOf(part: Omit<PricePart, 'key'>): PricePart {
  return { ...part, key: `${part.price.priceId}/${part.period.fromMs}-${part.period.toMs}` }
}
