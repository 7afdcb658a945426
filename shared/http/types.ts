import type { OperationId } from '../catalogue/routes.ts'
import type { LogFields, Logger } from '../log.ts'
import type { Result } from '../result.ts'
import type { TenantContext } from '../tenancy/context.ts'
import type { VerifiedToken } from '../tenancy/proofs.ts'
import type { Trace } from '../trace.ts'

/** What a route with `security: 'public'` or `'scheduler'` gets: nothing is known about the caller's tenant. */
export type ApiRequest = {
  readonly operationId: OperationId
  /** The path as it was sent, without the query: what a DPoP proof names. */
  readonly path: string
  /** Path parameters, decoded once. */
  readonly params: Readonly<Record<string, string>>
  /** Query parameters; each name at most once. */
  readonly query: Readonly<Record<string, string>>
  /** The value of a header that may stand only once, or undefined. */
  header(name: string): string | undefined
  /** The credentials the caller sent for us (moved by the gateway), such as HTTP Basic at the token endpoint. */
  readonly authorization: string | undefined
  /** The body's bytes, within the route's limit and of an accepted media type. */
  readonly body: Uint8Array
  readonly contentType: string | undefined
  readonly requestId: string
  readonly trace: Trace
  /** When the request was taken, in milliseconds: the only time of the whole operation. */
  readonly nowMs: number
  /** Aborted when the request's deadline has passed: whoever works on in steps looks at it between them. */
  readonly signal: AbortSignal
  readonly clientAddress: string
  readonly log: Logger
}

/** What a route with `security: 'token'` gets: who calls, and the tenant whose data they may touch. */
export type TenantRequest = ApiRequest & {
  readonly token: VerifiedToken
  /** The tenant of the path, or of the token where the path names none. */
  readonly ctx: TenantContext
}

/** An answer. `json` is sent as JSON, `text` as it is with its `content-type` in `headers`. */
export type ApiReply = {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly json?: unknown
  readonly text?: string
  /** What the request's log line says besides: fields of `LOG_FIELDS`, never for the caller. */
  readonly logged?: LogFields
}

export type PublicHandler = (request: ApiRequest) => Promise<Result<ApiReply>>
export type TenantHandler = (request: TenantRequest) => Promise<Result<ApiReply>>
