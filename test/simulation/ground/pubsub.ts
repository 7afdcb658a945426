import { SUBSCRIPTIONS, type Subscription } from '#shared/contracts/topics.ts'
import { CALL_DEADLINE_MS, withDeadline } from '#shared/deadline.ts'
import type { OutgoingMessage, Publisher } from '#shared/pubsub/publisher.ts'
import type { DeliveryFault } from '#shared/testing/fault-plan.ts'
import type { Random } from '#shared/testing/random.ts'
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
}

type Broker = {
  readonly simulation: Simulation
  readonly push: Push
  readonly chance: Random
  readonly listeners: ((message: OutgoingMessage) => void)[]
  readonly dead: Copy[]
  published: number
  outstanding: number
}

/**
 * Topics with their push subscriptions: at least once, in whatever order, for as long as it takes.
 *
 * An acknowledgement that comes after its deadline is worth nothing; the message is on its way again.
 */
export function simulatedPubSub(simulation: Simulation, push: Push): SimulatedPubSub {
  const broker: Broker = {
    ...{ simulation, push, chance: simulation.random('pubsub') },
    ...{ listeners: [], dead: [], published: 0, outstanding: 0 },
  }
  return {
    publisher: {
      publish: (message) => {
        const what = `publish ${message.topic}`
        const taken = simulation.call('pubsub', what, () => publish(broker, message))
        return withDeadline('pubsub.publish', CALL_DEADLINE_MS, taken)
      },
    },
    publish: (message) => publish(broker, message),
    outstanding: () => broker.outstanding,
    deadLetters: () => broker.dead.length,
    redrive: () => {
      for (const { message } of broker.dead.splice(0)) take(broker, message)
    },
    onPublish: (listener) => void broker.listeners.push(listener),
  }
}

function publish(broker: Broker, message: OutgoingMessage): string {
  for (const listener of broker.listeners) listener(message)
  if (happens(broker, 'published-twice')) take(broker, message)
  return take(broker, message)
}

function take(broker: Broker, message: OutgoingMessage): string {
  const { chance, simulation } = broker
  broker.published += 1
  const messageId = String(broker.published)
  for (const subscription of SUBSCRIPTIONS.filter(({ topic }) => topic === message.topic)) {
    broker.outstanding += 1
    const delayMs = happens(broker, 'delayed') ? chance.between(1_000, 1_800_000) : chance.between(1, 250)
    const copy: Copy = { subscription, messageId, message, attempts: 0 }
    simulation.time.after(delayMs, () => attempt(broker, copy))
  }
  return messageId
}

/** One delivery that counts: in the end it is acknowledged, tried again, or a dead letter. */
function attempt(broker: Broker, copy: Copy): void {
  const { simulation, chance } = broker
  const { time, plan } = simulation
  const { ackDeadlineSeconds } = copy.subscription
  copy.attempts += 1
  const number = copy.attempts
  let over = false
  let unheard = false
  const again = (delayMs: number): void => {
    over = true
    if (number < plan.mostAttempts) time.after(delayMs, () => attempt(broker, copy))
    else bury(broker, copy)
  }
  const cancelOverrun = time.after(ackDeadlineSeconds * 1_000, () => {
    if (over) return
    if (!unheard) simulation.count('ack-overrun')
    again(0)
  })
  if (happens(broker, 'concurrent')) deliverExtra(broker, copy, chance.between(0, 60))
  deliver(broker, copy, (acked) => {
    if (over) return
    unheard = acked && happens(broker, 'ack-lost')
    if (unheard) return
    cancelOverrun()
    if (!acked) {
      again(backoffMs(copy.subscription, number) * (0.8 + 0.4 * chance.next()))
      return
    }
    over = true
    broker.outstanding -= 1
    if (happens(broker, 'duplicate')) deliverExtra(broker, copy, chance.between(1_000, 600_000))
  })
}

function bury(broker: Broker, copy: Copy): void {
  broker.simulation.count('dead-letter')
  broker.dead.push(copy)
  broker.outstanding -= 1
}

/** A delivery nobody asked for: its answer changes nothing. */
function deliverExtra(broker: Broker, copy: Copy, delayMs: number): void {
  broker.outstanding += 1
  const delivered = (): void => {
    broker.outstanding -= 1
  }
  broker.simulation.time.after(delayMs, () => deliver(broker, copy, delivered))
}

function deliver({ push }: Broker, copy: Copy, settle: (acked: boolean) => void): void {
  const { subscription, message, messageId, attempts } = copy
  const { attributes } = message
  const data = Buffer.from(message.data).toString('base64')
  const body = {
    message: { data, attributes, messageId },
    subscription: `projects/demo-sim/subscriptions/${subscription.name}`,
    deliveryAttempt: attempts,
  }
  push(subscription, Buffer.from(JSON.stringify(body)), message, (status) =>
    settle(status !== undefined && status >= 200 && status < 300),
  )
}

function happens({ simulation }: Broker, fault: DeliveryFault): boolean {
  const does = simulation.plan.deliveryFault(fault, simulation.time.now())
  if (does) simulation.count(fault)
  return does
}

function backoffMs(subscription: Subscription, attempts: number): number {
  const { minimumBackoffSeconds, maximumBackoffSeconds } = subscription
  return Math.min(minimumBackoffSeconds * 2 ** (attempts - 1), maximumBackoffSeconds) * 1_000
}
