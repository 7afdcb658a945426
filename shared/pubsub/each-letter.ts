import type { DeadLetter, DeadLetterBox } from './dead-letters.ts'

/** Which letters are wanted, and how long to look for them. */
export type Selection = {
  /** Message ids; with some, the search ends when all have been seen. */
  readonly ids: readonly string[]
  readonly selects: (letter: DeadLetter) => boolean
  /** At most so many are acted on. */
  readonly limit: number
  /** At most so many are looked at; all there are without it. */
  readonly mostSeen?: number
  /** Ends the search early. */
  readonly signal?: AbortSignal
}

const PAGE = 100
/** Pulls that bring nothing before the box counts as empty: Pub/Sub may answer one with less than it has. */
const EMPTY_PULLS = 3

/**
 * Gives each wanted letter to `act`, and back to Pub/Sub what it did not take, at the end: a letter given
 * back at once would come again with the next pull. Answers whether it saw all there were.
 */
export async function eachLetter(
  box: DeadLetterBox,
  wanted: Selection,
  act: (letter: DeadLetter) => Promise<'gone' | 'back'>,
): Promise<'all' | 'some'> {
  const held: DeadLetter[] = []
  const seen = new Set<string>()
  let taken = 0
  try {
    for (let empty = 0; empty < EMPTY_PULLS; ) {
      if (taken >= wanted.limit || seen.size >= (wanted.mostSeen ?? Number.POSITIVE_INFINITY)) return 'some'
      if (wanted.signal?.aborted === true) return 'some'
      const letters = await box.pull(PAGE)
      empty = letters.length === 0 ? empty + 1 : 0
      for (const letter of letters) {
        const isWanted = taken < wanted.limit && !seen.has(letter.messageId) && wanted.selects(letter)
        seen.add(letter.messageId)
        if (!isWanted) {
          held.push(letter)
          continue
        }
        taken += 1
        if ((await act(letter)) === 'back') held.push(letter)
      }
      if (wanted.ids.length > 0 && wanted.ids.every((id) => seen.has(id))) return 'some'
    }
    return 'all'
  } finally {
    for (let at = 0; at < held.length; at += PAGE) await box.giveBack(held.slice(at, at + PAGE))
  }
}
