import { SUBSCRIPTIONS, type Subscription } from '#shared/contracts/topics.ts'
import { CALL_DEADLINE_MS, withDeadline } from '#shared/deadline.ts'
import type { OutgoingMessage, Publisher } from '#shared/pubsub/publisher.ts'
import type { Simulation } from '#shared/testing/simulation.ts'

/** Pushes a body to a function; `answered` hears the status once, or undefined when the connection broke. */
export type Push = (
  subscription: Subscription,
  body: Uint8Array,
  message: OutgoingMessage,
  answered: (status: number | undefined) => void,
) => void

export type SimulatedPubSub = {
  /** What production's publisher is: a call with a deadline. */
  readonly publisher: Publisher
  /** Publishes from outside of any function, as collectors do. */
  publish(message: OutgoingMessage): string
  /** Messages that are neither acknowledged nor dead letters, and deliveries still to come. */
  outstanding(): number
  deadLetters(): number
  /** Publishes all dead letters again, under new ids. */
  redrive(): void
  /** Hears of every message that was taken. */
  onPublish(listener: (message: OutgoingMessage) => void): void
}

type Copy = {
  readonly subscription: Subscription
  readonly messageId: string
  readonly message: OutgoingMessage
  attempts: number
  acked: boolean
}

/**
 * Topics with their push subscriptions: at least once, in whatever order, for as long as it takes.
 *
 * An acknowledgement that comes after its deadline is worth nothing; the message is on its way again.
 */
export function simulatedPubSub(simulation: Simulation, push: Push): SimulatedPubSub {
  const { time, plan } = simulation
  const chance = simulation.random('pubsub')
  const listeners: ((message: OutgoingMessage) => void)[] = []
  const dead: Copy[] = []
  let published = 0
  let outstanding = 0

  const deliver = (copy: Copy, settle: (acked: boolean) => void): void => {
    const { subscription, message } = copy
    const body = {
      message: {
        data: Buffer.from(message.data).toString('base64'),
        attributes: message.attributes,
        messageId: copy.messageId,
      },
      subscription: `projects/demo-sim/subscriptions/${subscription.name}`,
      deliveryAttempt: copy.attempts,
    }
    push(subscription, Buffer.from(JSON.stringify(body)), message, (status) =>
      settle(status !== undefined && status >= 200 && status < 300),
    )
  }
  /** A delivery nobody asked for: its answer changes nothing. */
  const deliverExtra = (copy: Copy, delayMs: number): void => {
    outstanding += 1
    time.after(delayMs, () =>
      deliver(copy, () => {
        outstanding -= 1
      }),
    )
  }
  const attempt = (copy: Copy): void => {
    copy.attempts += 1
    const number = copy.attempts
    let over = false
    let unheard = false
    const again = (delayMs: number): void => {
      over = true
      if (number >= plan.mostAttempts) {
        simulation.count('dead-letter')
        dead.push(copy)
        outstanding -= 1
      } else time.after(delayMs, () => attempt(copy))
    }
    const overrun = time.after(copy.subscription.ackDeadlineSeconds * 1_000, () => {
      if (over) return
      if (!unheard) simulation.count('ack-overrun')
      again(0)
    })
    if (plan.deliveryFault('concurrent', time.now())) {
      simulation.count('concurrent')
      deliverExtra(copy, chance.between(0, 60))
    }
    deliver(copy, (acked) => {
      if (over) return
      if (acked && plan.deliveryFault('ack-lost', time.now())) {
        unheard = true
        return simulation.count('ack-lost')
      }
      overrun()
      if (!acked) return again(backoffMs(copy.subscription, number) * (0.8 + 0.4 * chance.next()))
      over = true
      copy.acked = true
      outstanding -= 1
      if (plan.deliveryFault('duplicate', time.now())) {
        simulation.count('duplicate')
        deliverExtra(copy, chance.between(1_000, 600_000))
      }
    })
  }
  const take = (message: OutgoingMessage): string => {
    published += 1
    const messageId = String(published)
    for (const subscription of SUBSCRIPTIONS.filter(({ topic }) => topic === message.topic)) {
      outstanding += 1
      const delayed = plan.deliveryFault('delayed', time.now())
      if (delayed) simulation.count('delayed')
      const delayMs = delayed ? chance.between(1_000, 1_800_000) : chance.between(1, 250)
      time.after(delayMs, () => attempt({ subscription, messageId, message, attempts: 0, acked: false }))
    }
    return messageId
  }
  const publish = (message: OutgoingMessage): string => {
    for (const listener of listeners) listener(message)
    if (plan.deliveryFault('published-twice', time.now())) {
      simulation.count('published-twice')
      take(message)
    }
    return take(message)
  }
  return {
    publisher: {
      publish: (message) =>
        withDeadline(
          'pubsub.publish',
          CALL_DEADLINE_MS,
          simulation.call('pubsub', `publish ${message.topic}`, () => publish(message)),
        ),
    },
    publish,
    outstanding: () => outstanding,
    deadLetters: () => dead.length,
    redrive: () => {
      for (const { message } of dead.splice(0)) take(message)
    },
    onPublish: (listener) => void listeners.push(listener),
  }
}

function backoffMs(subscription: Subscription, attempts: number): number {
  const { minimumBackoffSeconds, maximumBackoffSeconds } = subscription
  return Math.min(minimumBackoffSeconds * 2 ** (attempts - 1), maximumBackoffSeconds) * 1_000
}
