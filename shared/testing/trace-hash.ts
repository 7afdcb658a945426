import { createHash } from 'node:crypto'

/** What happened, as one number that two runs can be compared by. */
export type TraceHash = {
  note(...words: readonly (string | number)[]): void
  /** Hex; the same for the same notes in the same order. */
  digest(): string
  /** The last notes, for whoever asks what led to a violation. */
  tail(): readonly string[]
}

/** `keep` is how many notes are kept as text. */
export function traceHash(keep = 0): TraceHash {
  const hash = createHash('sha256')
  const kept: string[] = []
  // Gathered, because hashing line by line costs as much as what the lines tell of.
  let gathered = ''
  const flush = (): void => {
    hash.update(gathered)
    gathered = ''
  }
  return {
    note: (...words) => {
      const line = words.join(' ')
      gathered += `${line}\n`
      if (gathered.length > 65_536) flush()
      if (keep === 0) return
      kept.push(line)
      if (kept.length > 2 * keep) kept.splice(0, kept.length - keep)
    },
    digest: () => {
      flush()
      return hash.copy().digest('hex')
    },
    tail: () => kept.slice(-keep),
  }
}
