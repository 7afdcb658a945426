import type { CloudEvent } from '../contracts/cloud-event.ts'
import type { EventContract } from '../contracts/define-event.ts'
import type { Claim } from '../firestore/claim.ts'
import type { Logger } from '../log.ts'
import type { Result } from '../result.ts'
import type { TenantContext } from '../tenancy/context.ts'
import type { Trace } from '../trace.ts'
import type { MessageOrigin } from './quarantine.ts'

/** One verified event, as an operation gets it. */
export type ReceivedEvent<T> = {
  readonly event: CloudEvent<T>
  /** The right to touch the event's tenant. */
  readonly ctx: TenantContext
  /** Goes into the operation's own commit: claim and effect are one. */
  readonly claim: Claim
  readonly nowMs: number
  readonly trace: Trace
  /** Aborted when the message's deadline has passed: it comes again, so whoever works in steps stops. */
  readonly signal: AbortSignal
  readonly log: Logger
}

/** Handles one event type. A refusal is quarantined and acknowledged; an exception is delivered again. */
export type EventHandler<T> = {
  readonly contract: EventContract<T>
  readonly handle: (received: ReceivedEvent<T>) => Promise<Result<unknown>>
}

/** A handler whose data type is known only to itself. */
export type AnyEventHandler = {
  readonly type: string
  readonly receive: (received: ReceivedEvent<Record<string, unknown>>) => Promise<Result<unknown>>
}

/** Ties an event's contract to what handles it: the data is parsed before the handler sees it. */
export function on<T>(
  contract: EventContract<T>,
  handle: (received: ReceivedEvent<T>) => Promise<Result<unknown>>,
): AnyEventHandler {
  return {
    type: contract.type,
    receive: async (received) => {
      const data = contract.parseData(received.event.data)
      if (!data.ok) return data
      return handle({ ...received, event: { ...received.event, data: data.value } })
    },
  }
}

/**
 * Handles a message that may hold many events of several tenants at once, as usage does.
 *
 * The edge has proven the pusher and parsed the JSON; splitting by tenant and claiming is the
 * handler's own, with one context for each tenant.
 */
export type BatchHandler = {
  /** How the bytes become JSON, where the spelling matters; as `parseJsonText` does unless given. */
  readonly parseBytes?: (bytes: Uint8Array) => Result<unknown>
  readonly handleBatch: (received: ReceivedBatch) => Promise<Result<unknown>>
}

export type ReceivedBatch = {
  /** Events whose envelope parsed and whose tenant ids agree, by tenant; the rest is in quarantine already. */
  readonly parts: readonly {
    readonly ctx: TenantContext
    readonly events: readonly CloudEvent<Record<string, unknown>>[]
  }[]
  /** Of the message, not of an event: what its publisher says of itself. */
  readonly attributes: Readonly<Record<string, string>>
  /** How the message came, for what must be set aside. */
  readonly origin: MessageOrigin
  readonly messageId: string
  readonly nowMs: number
  readonly trace: Trace
  /** Aborted when the message's deadline has passed. */
  readonly signal: AbortSignal
  readonly log: Logger
}

/** Handles messages that are no CloudEvents; the topics that carry them are named one by one. */
export type PlainHandler = {
  readonly handlePlain: (received: ReceivedPlain) => Promise<Result<unknown>>
}

export type ReceivedPlain = {
  readonly attributes: Readonly<Record<string, string>>
  readonly data: Uint8Array
  /** The transport's id: only good for recognising a message delivered again. */
  readonly messageId: string
  readonly nowMs: number
  readonly trace: Trace
  /** Aborted when the message's deadline has passed. */
  readonly signal: AbortSignal
  readonly log: Logger
}
