import { retryDelayMs } from './backoff.ts'
import type { Sealed } from './batcher.ts'
import type { Outcome, Time, UsageClientOptions } from './types.ts'

/** How a batch ended that will not be sent again. */
export type Final = Exclude<Outcome, { kind: 'later' }>

type Ready = { readonly batch: Sealed; readonly attempts: number }

/** Sends batches, some at a time, each until the service has taken or refused it. */
export type Sender = {
  send(batch: Sealed): void
  /** Resolves when all that was given before is settled, or nothing is sent any more. */
  settled(): Promise<void>
  /** Sends no more, and returns what is not settled. */
  stop(): readonly Sealed[]
  attempts(): number
}

export function createSender(
  { transport, onRetry }: Pick<UsageClientOptions, 'transport' | 'onRetry'>,
  settings: {
    readonly maxInFlight: number
    readonly firstRetryMs: number
    readonly maxRetryMs: number
    readonly time: Time
  },
  onSettled: (batch: Sealed, final: Final) => void,
): Sender {
  const { time } = settings
  const bounds = { firstMs: settings.firstRetryMs, mostMs: settings.maxRetryMs }
  const ready: Ready[] = []
  /** On their way, or between two attempts. */
  const unsettled = new Set<Sealed>()
  const watchers = new Set<() => void>()
  const stopped = new AbortController()
  let inFlight = 0
  let attempts = 0

  const pump = (): void => {
    while (inFlight < settings.maxInFlight && !stopped.signal.aborted) {
      const next = ready.shift()
      if (next === undefined) return
      inFlight += 1
      void attempt(next).finally(() => {
        inFlight -= 1
        pump()
      })
    }
  }

  const attempt = async (one: Ready): Promise<void> => {
    attempts += 1
    const outcome = await sent(one.batch)
    // Once it was given back by `stop` it is no longer ours to tell about.
    if (!unsettled.has(one.batch)) return
    if (outcome.kind === 'later') return again(one, outcome)
    unsettled.delete(one.batch)
    onSettled(one.batch, outcome)
    for (const look of [...watchers]) look()
  }

  const sent = async (batch: Sealed): Promise<Outcome> => {
    try {
      return await transport.send(batch, stopped.signal)
    } catch (error) {
      return { kind: 'later', why: error instanceof Error ? error.message : String(error) }
    }
  }

  /** It leaves its place until then: a tenant that cannot be reached holds up no other. */
  const again = ({ batch, attempts: before }: Ready, { why, afterMs }: Later): void => {
    const delayMs = retryDelayMs(before + 1, bounds, time.random, afterMs)
    const cancel = time.after(delayMs, () => {
      stopped.signal.removeEventListener('abort', cancel)
      ready.push({ batch, attempts: before + 1 })
      pump()
    })
    stopped.signal.addEventListener('abort', cancel)
    onRetry?.({ tenantId: batch.tenantId, attempt: before + 1, why, delayMs })
  }

  return {
    send: (batch) => {
      unsettled.add(batch)
      ready.push({ batch, attempts: 0 })
      pump()
    },
    settled: () => {
      const mine = [...unsettled]
      return new Promise((resolve) => {
        const look = (): void => {
          if (mine.some((batch) => unsettled.has(batch))) return
          watchers.delete(look)
          resolve()
        }
        watchers.add(look)
        look()
      })
    },
    stop: () => {
      const left = [...unsettled]
      unsettled.clear()
      ready.length = 0
      stopped.abort()
      for (const look of [...watchers]) look()
      return left
    },
    attempts: () => attempts,
  }
}

type Later = Extract<Outcome, { kind: 'later' }>
