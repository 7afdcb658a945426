import { canonicalJson } from '#shared/json.ts'
import { merklePath, merkleRoot, type Sibling } from '../merkle.ts'
import { type Tally, tallyKey } from '../tally.ts'
import { byGroupThenVersion } from './assign-usage.ts'

/** The tallies of a UTC day that a line is made of, each with its root over the day's hours. */
export type DayLeaves = { readonly day: string; readonly tallies: readonly TallyRoot[] }
export type TallyRoot = Pick<Tally, 'meter' | 'version' | 'group' | 'root' | 'events'>

/** One level of a proof: what the hashes are over, and the way up through them. */
export type ProofLevel = { readonly over: string; readonly path: readonly Sibling[] }

/**
 * The Merkle tree of a line, from the roots of its days up: days of a tally, tallies of a measured
 * quantity, and quantities, where a line is made of several. The root of a line is the same however its
 * usage was read.
 */
export function lineTree(days: readonly DayLeaves[], rowGroup: (tally: TallyRoot) => Record<string, string>) {
  const placed = days.flatMap(({ day, tallies }) => tallies.map((tally) => ({ day, tally })))
  const rows = [
    ...Map.groupBy(placed, ({ tally }) => canonicalJson([rowGroup(tally), tally.version])).values(),
  ]
    .flatMap((members) => {
      const [first] = members
      if (first === undefined) return []
      const parts = [...Map.groupBy(members, ({ tally }) => tallyKey(tally))].sort(([left], [right]) =>
        left < right ? -1 : 1,
      )
      const tallies = parts.map(([key, ofTally]) => ({
        key,
        days: ofTally.map(({ day }) => day),
        roots: ofTally.map(({ tally }) => tally.root),
      }))
      return [{ group: rowGroup(first.tally), version: first.tally.version, tallies }]
    })
    .toSorted(byGroupThenVersion)
  const rowRoots = rows.map(({ tallies }) => merkleRoot(tallies.map(({ roots }) => merkleRoot(roots))))
  const [only] = rowRoots
  const root = rowRoots.length === 1 && only !== undefined ? only : merkleRoot(rowRoots)
  /** The levels from the root of a tally's day up; undefined where the line has none of it. */
  const pathFrom = (day: string, key: string): ProofLevel[] | undefined => {
    const row = rows.findIndex(({ tallies }) => tallies.some((one) => one.key === key))
    const tallies = rows[row]?.tallies ?? []
    const at = tallies.findIndex((one) => one.key === key)
    const place = tallies[at]?.days.indexOf(day) ?? -1
    if (row < 0 || place < 0) return undefined
    const tallyRoots = tallies.map(({ roots }) => merkleRoot(roots))
    const levels = [
      { over: 'days', path: merklePath(tallies[at]?.roots ?? [], place) },
      { over: 'groups', path: merklePath(tallyRoots, at) },
    ]
    return rowRoots.length === 1
      ? levels
      : [...levels, { over: 'quantities', path: merklePath(rowRoots, row) }]
  }
  return { root: rowRoots.length === 0 ? merkleRoot([]) : root, pathFrom }
}
