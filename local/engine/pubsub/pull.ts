import type { Subscription } from './broker.ts'
import type { Consumer, Leased } from './model.ts'
import { toTimestamp } from './wire.ts'

/** How long a pull waits for a first message: less than the client's own deadline of a minute. */
const PULL_WAIT_MS = 20_000
const LARGEST_PULL = 1000

/** Answers what is there, or waits for the first message; empty when none came or none was waited for. */
export async function pull(
  subscription: Subscription,
  maxMessages: number,
  returnImmediately: boolean,
  cancelled: AbortSignal,
): Promise<{ receivedMessages: object[] }> {
  const leased = await new Promise<readonly Leased[]>((resolve) => {
    let answered = false
    const finish = (batch: readonly Leased[]): void => {
      answered = true
      detach()
      clearTimeout(timer)
      resolve(batch)
    }
    const consumer: Consumer = {
      // A caller that has gone is given nothing: its lease would only delay the message.
      room: () => ({
        messages: answered || cancelled.aborted ? 0 : Math.min(maxMessages, LARGEST_PULL),
        bytes: 10_000_000,
      }),
      deliver: finish,
      ackDeadlineMs: subscription.config.ackDeadlineSeconds * 1000,
      oneAtATimePerKey: false,
    }
    const detach = subscription.queue.attach(consumer)
    const timer = setTimeout(() => finish([]), PULL_WAIT_MS)
    timer.unref()
    cancelled.addEventListener('abort', () => finish([]), { once: true })
    subscription.queue.pump()
    if (returnImmediately && !answered) finish([])
  })
  return { receivedMessages: leased.map((item) => toReceived(subscription, item)) }
}

/** A message as it crosses the wire; the attempt is told only where a dead-letter policy counts it. */
export function toReceived(subscription: Subscription, { ackId, message, attempt }: Leased): object {
  return {
    ackId,
    message: {
      data: message.data,
      attributes: message.attributes,
      messageId: message.messageId,
      publishTime: toTimestamp(message.publishMs),
      orderingKey: message.orderingKey,
    },
    deliveryAttempt: subscription.config.deadLetterPolicy === null ? 0 : attempt,
  }
}
