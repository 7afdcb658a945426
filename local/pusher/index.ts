import { setTimeout as sleep } from 'node:timers/promises'
import { keepIdTokens, type MintIdToken } from '../id-tokens.ts'
import { type Feed, type FeedContext, openFeed, type PushAttempt } from './feed.ts'
import type { MessageSource, PushSubscription } from './model.ts'

export { clientSource } from './client-source.ts'
export { embeddedSource } from './embedded-source.ts'
export type { PushSubscription } from './model.ts'
export { createTopology } from './topology.ts'

/** As early as Google's own libraries do. */
const RENEW_BEFORE_SECONDS = 300

type PusherOptions = {
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

/**
 * Pushes messages to the functions as production's push subscriptions do.
 *
 * A message is acknowledged only after the endpoint's success, so killing this process or a function
 * with -9 delays messages and may repeat them, but loses none.
 */
export async function startPusher(options: PusherOptions): Promise<Pusher> {
  const closing = new AbortController()
  const attempts: PushAttempt[] = []
  let lastActivity = performance.now()
  const context: FeedContext = {
    project: options.project,
    now: options.now,
    mintIdToken: keepIdTokens(options.mintIdToken, options.now, RENEW_BEFORE_SECONDS),
    maxOutstanding: options.maxOutstanding ?? 100,
    closing: closing.signal,
    onActivity: () => {
      lastActivity = performance.now()
    },
    onAttempt: (attempt) => {
      attempts.push(attempt)
      if (attempts.length > (options.attemptsKept ?? 1000)) attempts.shift()
    },
  }
  const feeds = await Promise.all(
    options.subscriptions.map((subscription) => openFeed(context, subscription, options.source)),
  )
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
