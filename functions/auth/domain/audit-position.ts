/**
 * How far a reader of the audit has come, the newest first.
 *
 * In the chain a position is a link, a segment in it and an entry in that. Before the chain begins there
 * are segments that wait; while one reads they may be sealed, so such a position also says where the
 * chain ended at the time.
 */
export type AuditPosition =
  | {
      readonly in: 'waiting'
      readonly endSeq: number
      readonly atMicros: number
      readonly id: string
      readonly entry: number
    }
  | { readonly in: 'chain'; readonly seq: number; readonly segment: number; readonly entry: number }

export function formatPosition(position: AuditPosition): string {
  return position.in === 'waiting'
    ? `w:${position.endSeq}:${position.atMicros}:${position.id}:${position.entry}`
    : `c:${position.seq}:${position.segment}:${position.entry}`
}

export function parsePosition(text: string): AuditPosition | undefined {
  const waiting = /^w:(\d{1,15}):(\d{1,16}):([A-Za-z0-9_-]{1,128}):(\d{1,6})$/.exec(text)
  if (waiting !== null) {
    const [, endSeq, atMicros, id = '', entry] = waiting
    return { in: 'waiting', endSeq: Number(endSeq), atMicros: Number(atMicros), id, entry: Number(entry) }
  }
  const chained = /^c:(\d{1,15}):(\d{1,6}):(\d{1,6})$/.exec(text)
  if (chained === null) return undefined
  const [, seq, segment, entry] = chained
  return { in: 'chain', seq: Number(seq), segment: Number(segment), entry: Number(entry) }
}

/** Whether a segment comes after a waiting position, the newest first: an older one, or the rest of the same. */
export function isBehind(
  position: { readonly atMicros: number; readonly id: string },
  segment: { readonly atMicros: number; readonly id: string },
): boolean {
  return (
    segment.atMicros < position.atMicros ||
    (segment.atMicros === position.atMicros && segment.id <= position.id)
  )
}
