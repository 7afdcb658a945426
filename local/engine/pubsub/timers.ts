import { createHeap } from '../heap.ts'

export type Timers = {
  /** Runs `action` once `atMs` (of `realNow`) has come. It cannot be cancelled: let it check. */
  at(atMs: number, action: () => void): void
  close(): void
}

/** Real milliseconds that never jump: ack deadlines and back-off run on them, whatever a test clock says. */
export const realNow = (): number => performance.now()

/** Many deadlines on one timer of the machine, which never keeps the process alive by itself. */
export function createTimers(): Timers {
  const heap = createHeap<{ at: number; action: () => void }>((a, b) => a.at < b.at)
  let timer: NodeJS.Timeout | undefined
  let wakesAt = Number.POSITIVE_INFINITY
  const run = (): void => {
    timer = undefined
    wakesAt = Number.POSITIVE_INFINITY
    const now = realNow()
    for (let next = heap.peek(); next !== undefined && next.at <= now; next = heap.peek()) {
      heap.pop()
      next.action()
    }
    schedule()
  }
  const schedule = (): void => {
    const next = heap.peek()
    if (next === undefined || next.at >= wakesAt) return
    clearTimeout(timer)
    wakesAt = next.at
    timer = setTimeout(run, Math.max(0, Math.ceil(next.at - realNow())))
    timer.unref()
  }
  return {
    at: (atMs, action) => {
      heap.push({ at: atMs, action })
      schedule()
    },
    close: () => {
      clearTimeout(timer)
      while (heap.pop() !== undefined);
    },
  }
}
