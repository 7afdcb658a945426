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
  return {
    note: (...words) => {
      const line = words.join(' ')
      hash.update(line).update('\n')
      if (keep === 0) return
      kept.push(line)
      if (kept.length > 2 * keep) kept.splice(0, kept.length - keep)
    },
    digest: () => hash.copy().digest('hex'),
    tail: () => kept.slice(-keep),
  }
}
