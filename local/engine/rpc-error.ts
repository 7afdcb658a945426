import { type Metadata, status } from '@grpc/grpc-js'

export { status }

/** What a caller of an RPC is told: a gRPC status code, its message, its trailers. Thrown by handlers. */
export type RpcError = Error & {
  readonly code: status
  readonly details: string
  readonly metadata?: Metadata
}

/** An error that crosses the wire as this status; anything else a handler throws becomes INTERNAL. */
export function rpcError(code: status, details: string, metadata?: Metadata): RpcError {
  return Object.assign(new Error(details), { code, details, ...(metadata && { metadata }) })
}

/** The most frequent refusal: the request itself is wrong. */
export function invalid(details: string): RpcError {
  return rpcError(status.INVALID_ARGUMENT, details)
}

/** Whether an error was meant for the caller: it carries a gRPC code. */
export function isRpcError(error: unknown): error is RpcError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number'
}

/**
 * What a failed call answers with. What is no refusal is a mistake of ours, so it is printed with its
 * stack, which the wire does not carry.
 */
export function asRpcError(error: unknown): RpcError {
  if (isRpcError(error)) return Object.assign(error, { details: error.message })
  console.error('an engine failed', error)
  return rpcError(status.INTERNAL, error instanceof Error ? error.message : String(error))
}
