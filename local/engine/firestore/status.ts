/** gRPC status codes by name (google.rpc.Code). */
export const CODES = {
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const

export type CodeName = keyof typeof CODES

/** What a call answers when it does not succeed: a gRPC code and the text the client shows. */
export type RpcError = Error & { readonly code: number }

/** Builds the error a call is to fail with. */
export function rpcError(code: CodeName | number, message: string): RpcError {
  return Object.assign(new Error(message), { code: typeof code === 'number' ? code : CODES[code] })
}

/** Shorthand for the most frequent refusal: the request itself is wrong. */
export function invalid(message: string): RpcError {
  return rpcError('invalidArgument', message)
}

export function isRpcError(error: unknown): error is RpcError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number'
}
