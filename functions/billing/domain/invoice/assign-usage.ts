import { METERS } from '#shared/catalogue/meters.ts'
import { canonicalJson } from '#shared/json.ts'
import { merkleRoot } from '../merkle.ts'
import { dimensionsPriced, type Price, priceFor } from '../plan.ts'
import type { Quantity } from '../quantities.ts'
import { add, larger, type Rational } from '../rational.ts'
import type { PricePart } from './parts.ts'
import type { GroupUsage, Segment } from './terms.ts'

/** The prices that share out a part's meter: those of the plan with which the part began. */
export function pricesBeside(part: PricePart, segments: readonly Segment[]): readonly Price[] {
  return segments.find(({ period }) => period.fromMs === part.period.fromMs)?.plan.prices ?? [part.price]
}

/** The dimensions by which a part's usage must be measured. */
export function dimensionsOf(part: PricePart, segments: readonly Segment[]): readonly string[] {
  return dimensionsPriced(pricesBeside(part, segments), part.price.meter)
}

/** The quantities that are a part's to price, whichever group its line will be in. */
export function rowsOf<R extends Pick<Quantity, 'meterId' | 'group'>>(
  part: PricePart,
  segments: readonly Segment[],
  rows: readonly R[],
): R[] {
  const prices = pricesBeside(part, segments)
  return rows.filter(
    ({ meterId, group }) =>
      meterId === part.price.meter && priceFor(prices, meterId, group)?.priceId === part.price.priceId,
  )
}

/** The group of a price's own that a measured group belongs to. */
export function groupIn(price: Price, group: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(price.groupBy.map((name) => [name, group[name] ?? '']))
}

/** A part's usage by the groups that get a line each; of all versions of the meter. */
export function usageOf(
  part: PricePart,
  segments: readonly Segment[],
  rows: readonly Quantity[],
): GroupUsage[] {
  const own = rowsOf(part, segments, rows).toSorted(byGroupThenVersion)
  const byGroup = Map.groupBy(own, ({ group }) => canonicalJson(groupIn(part.price, group)))
  if (byGroup.size === 0) return []
  return [...byGroup].map(([key, members]) => ({
    group: JSON.parse(key) as Record<string, string>,
    quantity: quantityOf(part.price, members),
    events: members.reduce((sum, { events }) => sum + events, 0),
    root: rootOf(members),
  }))
}

/** The root of a line: of its one row, or over the roots of its rows in order of group and version. */
export function rootOf(rows: readonly Pick<Quantity, 'root'>[]): string {
  const [only] = rows
  return rows.length === 1 && only !== undefined ? only.root : merkleRoot(rows.map(({ root }) => root))
}

export function byGroupThenVersion(
  left: Pick<Quantity, 'group' | 'version'>,
  right: Pick<Quantity, 'group' | 'version'>,
): number {
  const [one, other] = [canonicalJson(left.group), canonicalJson(right.group)]
  return one === other ? left.version - right.version : one < other ? -1 : 1
}

function quantityOf(price: Price, rows: readonly Quantity[]): Rational | undefined {
  const values = rows.flatMap(({ value }) => value ?? [])
  if (values.length === 0) return undefined
  return values.reduce(METERS[price.meter].aggregation === 'max' ? larger : add)
}
