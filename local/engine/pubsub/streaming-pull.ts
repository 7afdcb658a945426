import type { ServerDuplexStream } from '@grpc/grpc-js'
import type { StreamHandler } from '../grpc.ts'
import { asRpcError, type RpcError, rpcError, status } from '../rpc-error.ts'
import { applyAcks, applyDeadlines } from './acknowledge.ts'
import type { Broker, Subscription } from './broker.ts'
import { getAttached } from './lookup.ts'
import { type Consumer, type Leased, messageBytes } from './model.ts'
import { toReceived } from './pull.ts'
import { checkRange } from './rules.ts'

type StreamRequest = {
  readonly subscription: string
  readonly ackIds: readonly string[]
  readonly modifyDeadlineSeconds: readonly number[]
  readonly modifyDeadlineAckIds: readonly string[]
  readonly streamAckDeadlineSeconds: number
  readonly maxOutstandingMessages: string
  readonly maxOutstandingBytes: string
  readonly protocolVersion: string
}
type Call = ServerDuplexStream<StreamRequest, object>

/** A client that speaks protocol version 1 takes a stream silent for 15 s for dead. */
const KEEP_ALIVE_MS = 10_000

/** StreamingPull: the first request names the subscription, later ones only acknowledge and extend. */
export function streamingPull(broker: Broker): StreamHandler {
  return (call: Call) => {
    let open: OpenStream | undefined
    let over = false
    const close = (): void => {
      over = true
      open?.close()
    }
    const fail = (error: unknown): void => {
      if (over) return
      close()
      call.emit('error', asRpcError(error))
    }
    call.on('data', (request: StreamRequest) => {
      if (over) return
      try {
        if (open === undefined) open = openStream(broker, call, request, fail)
        else open.take(request)
      } catch (error) {
        fail(error)
      }
    })
    call.on('end', () => {
      close()
      call.end()
    })
    call.on('cancelled', close)
    call.on('error', close)
  }
}

type OpenStream = { take(request: StreamRequest): void; close(): void }

function openStream(
  broker: Broker,
  call: Call,
  first: StreamRequest,
  fail: (error: RpcError) => void,
): OpenStream {
  const subscription = getAttached(broker, first.subscription)
  const maxMessages = Number(first.maxOutstandingMessages) || Number.POSITIVE_INFINITY
  const maxBytes = Number(first.maxOutstandingBytes) || Number.POSITIVE_INFINITY
  const outstanding = new Map<string, number>()
  let outstandingBytes = 0
  let blocked = false
  const consumer: Consumer & { ackDeadlineMs: number } = {
    room: () => ({
      messages: blocked ? 0 : maxMessages - outstanding.size,
      bytes: maxBytes - outstandingBytes,
    }),
    deliver: (batch) => {
      for (const { ackId, message } of batch) {
        const bytes = messageBytes(message)
        outstanding.set(ackId, bytes)
        outstandingBytes += bytes
      }
      blocked = !call.write(toResponse(subscription, batch))
    },
    released: (_message, ackId) => {
      outstandingBytes -= outstanding.get(ackId) ?? 0
      outstanding.delete(ackId)
    },
    ackDeadlineMs: deadlineMs(first.streamAckDeadlineSeconds),
    oneAtATimePerKey: false,
  }
  const take = (request: StreamRequest): void => {
    takeAcks(broker, subscription, call, request)
    if (request.streamAckDeadlineSeconds > 0) {
      consumer.ackDeadlineMs = deadlineMs(request.streamAckDeadlineSeconds)
    }
    // The client's heartbeat is an empty request and wants an answer.
    if (first.protocolVersion !== '0') call.write({})
  }
  const detach = subscription.queue.attach(consumer)
  call.on('drain', () => {
    blocked = false
    subscription.queue.pump()
  })
  subscription.streams.add(fail)
  const keepAlive = setInterval(() => call.write({}), KEEP_ALIVE_MS)
  keepAlive.unref()
  call.write(toResponse(subscription, []))
  takeAcks(broker, subscription, call, first)
  return {
    take,
    close: () => {
      detach()
      clearInterval(keepAlive)
      subscription.streams.delete(fail)
    },
  }
}

function deadlineMs(seconds: number): number {
  checkRange('stream_ack_deadline_seconds', seconds, 10, 600)
  return seconds * 1000
}

function toResponse(subscription: Subscription, batch: readonly Leased[]): object {
  return {
    receivedMessages: batch.map((leased) => toReceived(subscription, leased)),
    subscriptionProperties: {
      exactlyOnceDeliveryEnabled: subscription.config.enableExactlyOnceDelivery,
      messageOrderingEnabled: subscription.config.enableMessageOrdering,
    },
  }
}

function takeAcks(broker: Broker, subscription: Subscription, call: Call, request: StreamRequest): void {
  const { ackIds, modifyDeadlineAckIds, modifyDeadlineSeconds } = request
  if (modifyDeadlineAckIds.length !== modifyDeadlineSeconds.length) {
    throw rpcError(
      status.INVALID_ARGUMENT,
      'modify_deadline_seconds and modify_deadline_ack_ids differ in length.',
    )
  }
  const changes = modifyDeadlineAckIds.map((ackId, index) => {
    const seconds = modifyDeadlineSeconds[index] ?? 0
    checkRange('modify_deadline_seconds', seconds, 0, 600)
    return { ackId, seconds }
  })
  const invalidAcks = new Set(applyAcks(broker, subscription, ackIds))
  const invalidChanges = new Set(applyDeadlines(broker, subscription, changes))
  if (!subscription.config.enableExactlyOnceDelivery || ackIds.length + changes.length === 0) return
  call.write({
    acknowledgeConfirmation: {
      ackIds: ackIds.filter((ackId) => !invalidAcks.has(ackId)),
      invalidAckIds: [...invalidAcks],
    },
    modifyAckDeadlineConfirmation: {
      ackIds: modifyDeadlineAckIds.filter((ackId) => !invalidChanges.has(ackId)),
      invalidAckIds: [...invalidChanges],
    },
  })
}
