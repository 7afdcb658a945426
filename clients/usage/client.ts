import { createBatcher, type Sealed } from './batcher.ts'
import { createRoom } from './room.ts'
import { createSender, type Final } from './sender.ts'
import { read, type Written, write } from './serialize.ts'
import type { Time, UsageClient, UsageClientOptions, UsageEvent } from './types.ts'

const MOST_EVENTS = 500
const MOST_BYTES = 256 * 1024
const MOST_BUFFERED = 16 * 1024 * 1024
const CLOSE_MS = 10_000

const realTime: Time = {
  after: (ms, run) => {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
  random: Math.random,
}

/**
 * Reports usage in batches that repeat safely.
 *
 * A batch is sealed once and sent until the service has it, byte for byte the same: the service names a
 * batch by its content, so one whose answer was lost counts once. Whatever was accepted ends in one of
 * three ways, and in one alone: delivered, handed to `onRejected`, or returned by `close`.
 */
export function createUsageClient(options: UsageClientOptions): UsageClient {
  const settings = settingsOf(options)
  const stats = { accepted: 0, delivered: 0, rejected: 0, buffered: 0 }
  const room = createRoom(settings.maxBufferedBytes, settings.maxBufferedBytesOfTenant)
  let closed = false

  const settle = (batch: Sealed, final: Final): void => {
    const rejected = rejectionsOf(batch, final)
    stats.buffered -= batch.events
    stats.rejected += rejected.length
    stats.delivered += batch.events - rejected.length
    room.release(batch.tenantId, batch.bytes)
    for (const { index, code, detail } of rejected) {
      const written = batch.written[index]
      if (written !== undefined) options.onRejected({ event: read(written), code, detail })
    }
  }
  const sender = createSender(options, settings, settle)
  const batcher = createBatcher(settings, settings.time, sender.send)

  const checked = (event: UsageEvent): Written => {
    const written = write(event, settings.maxBytes - 2)
    if (closed) throw closedError()
    return written
  }
  const accept = (written: Written): void => {
    stats.accepted += 1
    stats.buffered += 1
    batcher.add(written)
  }
  const flush = (): Promise<void> => {
    batcher.sealAll()
    return sender.settled()
  }

  return {
    record: async (event) => {
      const written = checked(event)
      if (room.take(written)) return accept(written)
      // What waits for more to come with it must not hold up those that wait for room.
      batcher.sealAll()
      await room.wait(written, () => accept(written))
    },
    tryRecord: (event) => {
      const written = checked(event)
      const hasRoom = room.take(written)
      if (hasRoom) accept(written)
      else batcher.sealAll()
      return hasRoom
    },
    flush,
    close: async ({ timeoutMs = CLOSE_MS } = {}) => {
      closed = true
      room.refuseAll(closedError())
      await within(settings.time, timeoutMs, flush())
      const left = sender.stop()
      for (const batch of left) {
        stats.buffered -= batch.events
        room.release(batch.tenantId, batch.bytes)
      }
      return left.flatMap(({ written }) => written.map(read))
    },
    stats: () => ({ ...stats, bufferedBytes: room.bytes(), attempts: sender.attempts() }),
  }
}

function rejectionsOf(batch: Sealed, final: Final) {
  if (final.kind === 'taken') return final.rejected ?? []
  const { code, detail } = final
  return batch.written.map((_one, index) => ({ index, code, detail }))
}

function within(time: Time, ms: number, work: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const cancel = time.after(ms, resolve)
    void work.then(() => {
      cancel()
      resolve()
    })
  })
}

function closedError(): Error {
  return new Error('the usage client is closed: the event was not accepted')
}

function settingsOf(options: UsageClientOptions) {
  const maxBufferedBytes = options.maxBufferedBytes ?? MOST_BUFFERED
  const numbers = {
    maxEvents: options.maxEvents ?? MOST_EVENTS,
    maxBytes: options.maxBytes ?? MOST_BYTES,
    maxDelayMs: options.maxDelayMs ?? 1_000,
    maxBufferedBytes,
    maxBufferedBytesOfTenant: options.maxBufferedBytesOfTenant ?? maxBufferedBytes / 2,
    maxInFlight: options.maxInFlight ?? 4,
    firstRetryMs: options.firstRetryMs ?? 200,
    maxRetryMs: options.maxRetryMs ?? 30_000,
  }
  const bad = Object.entries(numbers).find(([, value]) => !(Number.isFinite(value) && value > 0))
  if (bad !== undefined) throw new RangeError(`${bad[0]} must be a positive number`)
  if (numbers.maxEvents > MOST_EVENTS || numbers.maxBytes > MOST_BYTES) {
    throw new RangeError(`the service takes at most ${MOST_EVENTS} events and ${MOST_BYTES} bytes at once`)
  }
  return { ...numbers, time: options.time ?? realTime }
}
