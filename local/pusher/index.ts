import { setTimeout as sleep } from 'node:timers/promises'
import { cacheIdTokens, type MintIdToken } from './id-tokens.ts'
import type { MessageSource, OpenSource, PushMessage, PushSubscription } from './model.ts'
import { type PushResult, push } from './push.ts'
import { createWindow } from './window.ts'

export { clientSource } from './client-source.ts'
export { embeddedSource } from './embedded-source.ts'
export type { MintIdToken } from './id-tokens.ts'
export type { MessageSource, PushMessage, PushSubscription } from './model.ts'
export { createTopology, type TopologyOptions } from './topology.ts'

/** One try to push one message, for the console. */
export type PushAttempt = PushResult & {
  /** ISO 8601, on the stack's clock. */
  readonly at: string
  readonly subscription: string
  readonly messageId: string
  readonly attempt: number
  readonly durationMs: number
}

export type PusherOptions = {
  readonly project: string
  readonly subscriptions: readonly PushSubscription[]
  readonly source: MessageSource
  readonly mintIdToken: MintIdToken
  readonly now: () => number
  /** Most messages of one subscription out at once. */
  readonly maxOutstanding?: number
  /** How many attempts `attempts()` remembers. */
  readonly attemptsKept?: number
}

export type Pusher = {
  /** Nothing is being pushed and nothing is due; messages in back-off may be waiting. */
  quiescent(): boolean
  /** Resolves once quiescent; with `includingRetries`, once nothing waits for its back-off either. */
  idle(options?: { includingRetries?: boolean; timeoutMs?: number }): Promise<void>
  /** The latest attempts, oldest first. */
  attempts(): readonly PushAttempt[]
  /** Stops; what was being pushed is refused and delivered again by the next pusher. */
  close(): Promise<void>
}

type Feed = { readonly source: OpenSource; readonly outstanding: () => number }

/**
 * Pushes messages to the functions as production's push subscriptions do.
 *
 * A message is acknowledged only after the endpoint's success, so killing this process or a function
 * with -9 delays messages and may repeat them, but loses none.
 */
export async function startPusher(options: PusherOptions): Promise<Pusher> {
  const closing = new AbortController()
  const mintIdToken = cacheIdTokens(options.mintIdToken, options.now)
  const attempts: PushAttempt[] = []
  const record = (attempt: PushAttempt): void => {
    attempts.push(attempt)
    if (attempts.length > (options.attemptsKept ?? 1000)) attempts.shift()
  }
  let lastActivity = performance.now()

  const openFeed = async (subscription: PushSubscription): Promise<Feed> => {
    const window = createWindow(options.maxOutstanding ?? 100)
    let outstanding = 0
    let source: OpenSource | undefined
    const deliver = async (message: PushMessage): Promise<void> => {
      const startedAt = performance.now()
      const result = await tryPush(subscription, message)
      outstanding -= 1
      lastActivity = performance.now()
      record({
        ...result,
        at: new Date(options.now()).toISOString(),
        subscription: subscription.name,
        messageId: message.messageId,
        attempt: message.deliveryAttempt,
        durationMs: Math.round(lastActivity - startedAt),
      })
      if (result.ok) {
        window.succeeded()
        message.ack()
      } else {
        window.failed()
        message.nack()
      }
      if (!closing.signal.aborted) source?.wake()
    }
    source = await options.source.open(subscription, {
      room: () => (closing.signal.aborted ? 0 : window.size - outstanding),
      take: (message) => {
        outstanding += 1
        lastActivity = performance.now()
        void deliver(message)
      },
    })
    return { source, outstanding: () => outstanding }
  }
  const tryPush = async (subscription: PushSubscription, message: PushMessage): Promise<PushResult> => {
    const { serviceAccountEmail: email, audience } = subscription
    try {
      const token = await mintIdToken({ email, audience })
      return await push(subscription, message, options.project, token, closing.signal)
    } catch (error) {
      return { ok: false, error: `no identity token: ${String(error)}` }
    }
  }

  const feeds = await Promise.all(options.subscriptions.map(openFeed))
  const quiescent = (): boolean =>
    performance.now() - lastActivity >= options.source.settleMs &&
    feeds.every((feed) => feed.outstanding() === 0 && feed.source.due() === 0)
  return {
    quiescent,
    idle: (wanted = {}) => waitUntilIdle(feeds, quiescent, wanted),
    attempts: () => attempts,
    close: async () => {
      closing.abort()
      while (feeds.some((feed) => feed.outstanding() > 0)) await sleep(5)
      await Promise.all(feeds.map((feed) => feed.source.close()))
    },
  }
}

// Real time: what is waited for is other processes answering.
async function waitUntilIdle(
  feeds: readonly Feed[],
  quiescent: () => boolean,
  wanted: { includingRetries?: boolean; timeoutMs?: number },
): Promise<void> {
  const deadline = performance.now() + (wanted.timeoutMs ?? 30_000)
  const idle = (): boolean =>
    quiescent() && (!wanted.includingRetries || feeds.every((feed) => feed.source.delayed() === 0))
  while (!idle()) {
    if (performance.now() > deadline) throw new Error('messages are still being pushed')
    await sleep(5)
  }
}
