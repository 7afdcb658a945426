import type { CountedEvent } from './usage-event.ts'

/** An event, and the batch that it came in. */
export type Said = { readonly event: CountedEvent; readonly batchId: string }

/** One content under an id that has several. */
export type Side = {
  readonly digest: string
  readonly batchIds: readonly string[]
  readonly timeMs: number
  readonly producer: CountedEvent['producer']
  readonly counted: boolean
}

export type Contradiction = Pick<CountedEvent, 'key' | 'source' | 'id' | 'meter' | 'timeMs'> & {
  readonly sides: readonly Side[]
}

/** For each key of which something lost: all contents that were sent, and which one counts. */
export function contradictions(
  said: readonly Said[],
  winners: readonly CountedEvent[],
  losers: readonly CountedEvent[],
): Contradiction[] {
  const disputed = new Set(losers.map(({ key }) => key))
  if (disputed.size === 0) return []
  const winnerOf = new Map(winners.filter(({ key }) => disputed.has(key)).map((event) => [event.key, event]))
  const byKey = Map.groupBy(
    said.filter(({ event }) => disputed.has(event.key)),
    ({ event }) => event.key,
  )
  return [...byKey].sort(byFirst).flatMap(([key, all]) => {
    const winner = winnerOf.get(key)
    if (winner === undefined) return []
    const { source, id, meter, timeMs } = winner
    return [{ key, source, id, meter, timeMs, sides: sidesOf(all, winner.digest) }]
  })
}

function sidesOf(all: readonly Said[], counted: string): Side[] {
  const byDigest = [...Map.groupBy(all, ({ event }) => event.digest)].sort(byFirst)
  return byDigest.flatMap(([digest, same]) => {
    const [first] = same
    if (first === undefined) return []
    const batchIds = [...new Set(same.map(({ batchId }) => batchId))].sort()
    const { timeMs, producer } = first.event
    return [{ digest, batchIds, timeMs, producer, counted: digest === counted }]
  })
}

function byFirst([left]: readonly [string, unknown], [right]: readonly [string, unknown]): number {
  return left < right ? -1 : 1
}
