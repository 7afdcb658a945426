import type { Random } from '#shared/testing/random.ts'
import type { Message } from '../messages.ts'
import type { Ending, Kernel, Process } from './kernel.ts'
import type { Ground } from './world.ts'

/** Carries what was committed to whoever hears it: at least once, in no order. */
export type PubSub = {
  /** Looks for events that were committed, and publishes them as their process would. */
  collect(process: Process): void
  /** Publishes what nobody has published in time. */
  sweep(): void
  publish(message: Message): void
  /** Messages not acknowledged yet, and rows not published yet. */
  outstanding(): number
}

/** Hears a message in some process; `ended` hears whether it may be forgotten. */
export type Push = (message: Message, ended: (ending: Ending<unknown>) => void) => void

const FIRST_SWEPT_AFTER_MS = 30_000

export function createPubSub(kernel: Kernel, ground: Ground, push: Push): PubSub {
  const { time, faults, trace } = kernel
  const random: Random = kernel.random('delivery')
  const rows = new Map<Message, number>()
  let seen = ground.documents.outbox.length
  let open = 0
  const deliver = (message: Message, afterMs: number): void => {
    open += 1
    time.after(afterMs, () => {
      trace.note(time.now(), 'deliver', message.event.id)
      push(message, (ending) => {
        open -= 1
        if (ending.kind !== 'done') deliver(message, random.between(10_000, 40_000))
        else if (faults.delivery('unacknowledged')) deliver(message, random.between(10_000, 60_000))
      })
    })
  }
  const publish = (message: Message): void => {
    rows.delete(message)
    let copies = 1
    while (copies < 4 && faults.delivery('duplicated')) copies += 1
    for (let copy = 0; copy < copies; copy += 1) {
      const delayed = faults.delivery('delayed')
      deliver(message, delayed ? random.between(1_000, 900_000) : random.between(1, 150))
    }
  }
  return {
    collect: (process) => {
      const { outbox } = ground.documents
      for (; seen < outbox.length; seen += 1) {
        const row = outbox[seen]
        if (row === undefined) throw new RangeError('a row of the outbox is gone')
        rows.set(row, time.now())
        const unpublished = faults.delivery('unpublished')
        time.after(random.between(1, 8), () => {
          if (process.alive && !unpublished && rows.has(row)) publish(row)
        })
      }
    },
    sweep: () => {
      for (const [row, sinceMs] of rows) {
        if (time.now() - sinceMs > FIRST_SWEPT_AFTER_MS) publish(row)
      }
    },
    publish,
    outstanding: () => open + rows.size,
  }
}
