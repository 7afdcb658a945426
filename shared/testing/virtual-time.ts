import { nextRound } from '../deadline.ts'

/** What happens when; nothing happens between two events. */
export type VirtualTime = {
  /** Milliseconds since 1970, as the whole world has it; instances may see it skewed. */
  now(): number
  /** Runs `run` in `ms`; of two at one moment, the earlier asked for runs first. The returned function takes it back. */
  after(ms: number, run: () => void): () => void
  /** Runs events in order until none is left before `untilMs`, or `stop` says so; time ends up at the last one run. */
  run(untilMs: number, stop?: () => boolean): Promise<void>
  /** Events run so far. */
  steps(): number
}

/**
 * Sooner than the next round, and enough where promises wait for nothing but each other: a tick's turn comes
 * once no promise can go on.
 */
export function promisesAtRest(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve))
}

type Event = { readonly atMs: number; readonly order: number; run: (() => void) | undefined }

/**
 * A clock and the heap of what is to happen.
 *
 * Between two events all promises that can go on do so: the promise a port returned is settled by an
 * event alone, so every interleaving comes from the order of events, and that from the seed. `rest` resolves
 * when they have all come to rest: the next round of the event loop, or sooner where nothing waits for one.
 */
export function virtualTime(startMs: number, rest: () => Promise<void> = nextRound): VirtualTime {
  const events: Event[] = []
  let nowMs = startMs
  let asked = 0
  let done = 0
  const runNext = async (event: Event): Promise<void> => {
    nowMs = Math.max(nowMs, event.atMs)
    done += 1
    event.run?.()
    await rest()
  }
  return {
    now: () => nowMs,
    after: (ms, run) => {
      asked += 1
      const event: Event = { atMs: nowMs + Math.max(0, Math.ceil(ms)), order: asked, run }
      push(events, event)
      return () => {
        event.run = undefined
      }
    },
    run: async (untilMs, stop = () => false) => {
      while (!stop()) {
        const next = events[0]
        if (next === undefined || next.atMs > untilMs) return
        pop(events)
        // What was taken back does not even let time pass.
        if (next.run !== undefined) await runNext(next)
      }
    },
    steps: () => done,
  }
}

function before(left: Event, right: Event): boolean {
  return left.atMs === right.atMs ? left.order < right.order : left.atMs < right.atMs
}

function at(events: readonly Event[], index: number): Event {
  const event = events[index]
  if (event === undefined) throw new RangeError('beyond the heap')
  return event
}

function swap(events: Event[], one: number, other: number): void {
  const held = at(events, one)
  events[one] = at(events, other)
  events[other] = held
}

function push(events: Event[], event: Event): void {
  let index = events.push(event) - 1
  while (index > 0) {
    const parent = (index - 1) >> 1
    if (before(at(events, parent), at(events, index))) return
    swap(events, parent, index)
    index = parent
  }
}

function pop(events: Event[]): void {
  const last = events.pop()
  if (last === undefined || events.length === 0) return
  events[0] = last
  let index = 0
  for (;;) {
    const children = [2 * index + 1, 2 * index + 2].filter((child) => child < events.length)
    const least = children.reduce(
      (low, child) => (before(at(events, child), at(events, low)) ? child : low),
      index,
    )
    if (least === index) return
    swap(events, least, index)
    index = least
  }
}
