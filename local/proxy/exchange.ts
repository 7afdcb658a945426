import type { Agent, IncomingMessage, ServerResponse } from 'node:http'
import type { HeaderList } from './header-list.ts'

/** Where a request goes: one origin on one port. */
export type Target = {
  readonly protocol: 'http:' | 'https:'
  readonly hostname: string
  readonly port: number
}

/** One request on its way through a proxy, after all decisions are made. */
export type Exchange = {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly target: Target
  readonly agent: Agent
  /** The method the backend gets; with a method override not the one the client sent. */
  readonly method: string
  readonly path: string
  /** Final fields, `Host` included; framing fields are decided by `forward`. */
  readonly headers: HeaderList
  /** Real time from the end of the request to the end of the answer. */
  readonly deadlineMs: number
  readonly maxRequestBytes: number
  readonly maxResponseBytes: number
  /** The client waits for `100 Continue` before it sends its body. */
  readonly continueExpected: boolean
  /** Whether a failed attempt may be made once more; see `forward`. */
  readonly retries: 0 | 1
}

/** How an exchange ended. Only a `relayed` one has sent anything to the client. */
export type Outcome =
  | {
      readonly kind: 'relayed'
      readonly status: number
      readonly truncated?: string
      readonly upstreamMs: number
    }
  | { readonly kind: 'deadline' }
  | { readonly kind: 'clientGone' }
  | { readonly kind: 'requestTooLarge' }
  | { readonly kind: 'responseTooLarge' }
  | { readonly kind: 'unsendable' }
  | Failure

/** The backend gave no answer. */
export type Failure = {
  readonly kind: 'failed'
  readonly reason: 'connect' | 'reset' | 'protocol' | 'unresolved'
  /** Whether bytes of the client's body were taken, after which nothing can be sent again. */
  readonly bodyTaken: boolean
  readonly retried: boolean
}
