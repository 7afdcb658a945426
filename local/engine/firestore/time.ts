/** Microseconds since the Unix epoch: the precision of Firestore's own times. Safe until the year 2255. */
export type Micros = number

/** A `google.protobuf.Timestamp` as the wire codec gives and takes it. */
export type WireTimestamp = { seconds?: string | number | null; nanos?: number | null }

/** Hands out the times of reads and commits of one engine. */
export type Timeline = {
  /** A time later than every earlier commit and read: two commits never share one. */
  nextCommit(): Micros
  /** The newest time at which nothing can be committed any more: what is read then stays so. */
  read(): Micros
  /** Never hands out anything up to `time` again (a store opened from a file, a restored snapshot). */
  advanceTo(time: Micros): void
  last(): Micros
}

/** Builds a timeline over a clock in milliseconds that may stand still, jump or run backwards. */
export function createTimeline(now: () => number): Timeline {
  let last = 0
  return {
    nextCommit: () => {
      last = Math.max(Math.floor(now() * 1000), last + 1)
      return last
    },
    read: () => {
      last = Math.max(Math.floor(now() * 1000), last)
      return last
    },
    advanceTo: (time) => {
      last = Math.max(last, time)
    },
    last: () => last,
  }
}

/** A moment as `google.protobuf.Timestamp`. */
export function toWireTimestamp(time: Micros): { seconds: string; nanos: number } {
  const seconds = Math.floor(time / 1e6)
  return { seconds: String(seconds), nanos: (time - seconds * 1e6) * 1000 }
}

/** Reads a wire timestamp, cut to the microsecond as the service does. */
export function fromWireTimestamp(wire: WireTimestamp): Micros {
  return Number(wire.seconds ?? 0) * 1e6 + Math.floor((wire.nanos ?? 0) / 1000)
}

/** A moment in ISO 8601 with microseconds, which `Date` would round. */
export function toIsoMicros(time: Micros): string {
  const seconds = Math.floor(time / 1e6)
  const fraction = String(time - seconds * 1e6).padStart(6, '0')
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${fraction}Z`
}
