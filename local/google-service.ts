import { asRecord } from '#shared/json.ts'
import type { Loopback } from './bind-loopback.ts'
import { type Fault, type FaultHook, underFault } from './faults.ts'
import { type Answer, type Call, HANG_UP, json, serveLoopback } from './loopback.ts'

/** The canonical codes that Google's REST APIs answer with, and the HTTP status of each. */
const HTTP = {
  INVALID_ARGUMENT: 400,
  FAILED_PRECONDITION: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  ABORTED: 409,
  RESOURCE_EXHAUSTED: 429,
  INTERNAL: 500,
  UNAVAILABLE: 503,
  DEADLINE_EXCEEDED: 504,
} as const
export type GoogleStatus = keyof typeof HTTP

/** An answer that a service of Google's gives as an error. */
export class GoogleError extends Error {
  override readonly name = 'GoogleError'
  readonly status: GoogleStatus
  constructor(status: GoogleStatus, message: string) {
    super(message)
    this.status = status
  }
}

export type GoogleServiceOptions = {
  /** 0 or absent: any free port. */
  readonly port?: number
  /** Whose access token it is; undefined refuses it. Everybody may come in without this. */
  readonly authenticate?: ((token: string) => string | undefined) | undefined
  /** The name of the method that is called, such as `GetCluster`; undefined for none there is. */
  readonly operationOf: (call: Call) => string | undefined
  /** Answers with a JSON object, with a whole answer, or throws `GoogleError`. */
  readonly handle: (operation: string, call: Call) => object | Promise<object>
}

export type GoogleService = Loopback & {
  /** Asked before every call by the name of its method. */
  setFault(hook: FaultHook<Call> | undefined): void
}

/** Serves one of Google's REST APIs on the loopback interface: tokens, errors and faults as all of them have them. */
export async function serveGoogle(options: GoogleServiceOptions): Promise<GoogleService> {
  let hook: FaultHook<Call> | undefined
  const server = await serveLoopback(options.port ?? 0, async (call) => {
    const operation = options.operationOf(call)
    if (operation === undefined) return errorAnswer('NOT_FOUND', 'Not Found')
    return underFault(
      hook?.(operation, call),
      () => answer(options, operation, call),
      (fault) => (fault.mode === 'error' ? faultAnswer(fault) : HANG_UP),
    )
  })
  return {
    ...server,
    setFault: (next) => {
      hook = next
    },
  }
}

/** The JSON object of a request's body; empty without one. */
export function jsonBody(call: Call): Record<string, unknown> {
  try {
    return asRecord(JSON.parse(call.body.length === 0 ? '{}' : call.body.toString('utf8'))) ?? {}
  } catch {
    throw new GoogleError('INVALID_ARGUMENT', 'Invalid JSON payload received.')
  }
}

async function answer(options: GoogleServiceOptions, operation: string, call: Call): Promise<Answer> {
  try {
    authenticate(options, call)
    const done = await options.handle(operation, call)
    return isAnswer(done) ? done : json(200, done)
  } catch (error) {
    if (!(error instanceof GoogleError)) throw error
    return errorAnswer(error.status, error.message)
  }
}

function isAnswer(done: object): done is Answer {
  return 'status' in done && 'body' in done && typeof done.status === 'number'
}

function authenticate({ authenticate: whose }: GoogleServiceOptions, call: Call): void {
  if (whose === undefined) return
  const token = /^Bearer (\S+)$/.exec(call.headers.authorization ?? '')?.[1]
  if (token !== undefined && whose(token) !== undefined) return
  throw new GoogleError(
    'UNAUTHENTICATED',
    'Request had invalid authentication credentials. Expected OAuth 2 access token.',
  )
}

function errorAnswer(status: GoogleStatus, message: string): Answer {
  const code = HTTP[status]
  return json(code, { error: { code, message, status } })
}

/** `code` is the HTTP status; where several names share one, the usual name. */
export function faultAnswer({ code = 503 }: Fault): Answer {
  const named = Object.entries(HTTP).find(([, http]) => http === code)
  const headers: Record<string, string> = code === 429 ? { 'retry-after': '1' } : {}
  const status = named?.[0] ?? 'UNKNOWN'
  return json(code, { error: { code, message: 'injected fault', status } }, headers)
}
