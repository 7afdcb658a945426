import type { MintIdToken } from '../id-tokens.ts'
import type { MessageSource, OpenSource, PushMessage, PushSubscription } from './model.ts'
import { type PushResult, push } from './push.ts'
import { createWindow } from './window.ts'

/** One try to push one message, for the console. */
export type PushAttempt = PushResult & {
  /** ISO 8601, on the stack's clock. */
  readonly at: string
  readonly subscription: string
  readonly messageId: string
  readonly attempt: number
  readonly durationMs: number
}

export type FeedContext = {
  readonly project: string
  readonly now: () => number
  readonly mintIdToken: MintIdToken
  readonly maxOutstanding: number
  readonly closing: AbortSignal
  onActivity(): void
  onAttempt(attempt: PushAttempt): void
}

/** One subscription being pushed. */
export type Feed = {
  readonly source: OpenSource
  /** Requests that have no answer yet. */
  outstanding(): number
}

/** Starts pushing one subscription's messages, as many at once as its window allows. */
export async function openFeed(
  context: FeedContext,
  subscription: PushSubscription,
  messages: MessageSource,
): Promise<Feed> {
  const window = createWindow(context.maxOutstanding)
  let outstanding = 0
  let source: OpenSource | undefined
  const deliver = async (message: PushMessage): Promise<void> => {
    const startedMs = performance.now()
    const result = await tryPush(context, subscription, message)
    outstanding -= 1
    context.onActivity()
    context.onAttempt(describe(context, subscription, message, result, performance.now() - startedMs))
    if (result.ok) {
      window.succeeded()
      message.ack()
    } else {
      window.failed()
      message.nack()
    }
    if (!context.closing.aborted) source?.wake()
  }
  source = await messages.open(subscription, {
    room: () => (context.closing.aborted ? 0 : window.size - outstanding),
    take: (message) => {
      outstanding += 1
      context.onActivity()
      void deliver(message)
    },
  })
  return { source, outstanding: () => outstanding }
}

/** Without a token nothing is sent: the endpoint would only refuse it. */
async function tryPush(
  context: FeedContext,
  subscription: PushSubscription,
  message: PushMessage,
): Promise<PushResult> {
  const { serviceAccountEmail: email, audience } = subscription
  try {
    const token = await context.mintIdToken({ email, audience })
    return await push(subscription, message, context.project, token, context.closing)
  } catch (error) {
    return { ok: false, error: `no identity token: ${String(error)}` }
  }
}

function describe(
  context: FeedContext,
  subscription: PushSubscription,
  message: PushMessage,
  result: PushResult,
  durationMs: number,
): PushAttempt {
  return {
    ...result,
    at: new Date(context.now()).toISOString(),
    subscription: subscription.name,
    messageId: message.messageId,
    attempt: message.deliveryAttempt,
    durationMs: Math.round(durationMs),
  }
}
