import { Metadata, type status } from '@grpc/grpc-js'
import { type RpcError, rpcError } from './rpc-error.ts'

/**
 * An error with a `google.rpc.ErrorInfo`, in the trailer Google's clients read it from
 * (`grpc-status-details-bin`: a `google.rpc.Status` holding an `Any`).
 *
 * Written by hand because no package ships these two messages with the services that use them.
 */
export function errorWithInfo(
  code: status,
  details: string,
  reason: string,
  domain: string,
  metadata: ReadonlyMap<string, string>,
): RpcError {
  const entries = [...metadata].map(([key, value]) =>
    field(3, Buffer.concat([field(1, key), field(2, value)])),
  )
  const info = Buffer.concat([field(1, reason), field(2, domain), ...entries])
  const any = Buffer.concat([field(1, 'type.googleapis.com/google.rpc.ErrorInfo'), field(2, info)])
  const trailers = new Metadata()
  const encoded = Buffer.concat([Buffer.of(0x08), varint(code), field(2, details), field(3, any)])
  trailers.set('grpc-status-details-bin', encoded)
  return rpcError(code, details, trailers)
}

/** A length-delimited protobuf field. */
function field(number: number, content: string | Buffer): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  return Buffer.concat([Buffer.of((number << 3) | 2), varint(bytes.length), bytes])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80)
    rest >>>= 7
  }
  bytes.push(rest)
  return Buffer.from(bytes)
}
