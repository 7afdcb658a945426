import type { QuotaLimit } from './spec-quota.ts'
import type { UriTemplate } from './uri-template.ts'

/** Where an operation's requests go, from `x-google-backend`. */
export type Backend = {
  readonly address: string
  readonly protocol: 'http:' | 'https:'
  readonly hostname: string
  readonly port: number
  /** The `Host` field the backend gets. */
  readonly host: string
  /** The address's path without its last slash; empty at the root. */
  readonly basePath: string
  readonly translation: 'APPEND_PATH_TO_ADDRESS' | 'CONSTANT_ADDRESS'
  readonly deadlineMs: number
  /** The audience of the gateway's ID token; nothing with `disable_auth`. */
  readonly audience: string | undefined
}

/** Where a token or key is looked for. */
export type Location =
  | { readonly in: 'header'; readonly name: string; readonly prefix: string }
  | { readonly in: 'query'; readonly name: string }

/** Who signs tokens, from a security definition with `x-google-issuer`. */
export type JwtProvider = {
  readonly id: string
  readonly issuer: string
  readonly jwksUri: string
  readonly audiences: readonly string[]
  readonly locations: readonly Location[]
}

export type ApiKeyRule = { readonly required: boolean; readonly locations: readonly Location[] }

/** One method of one path, ready to be served. */
export type Operation = {
  readonly operationId: string | undefined
  readonly method: string
  readonly template: UriTemplate
  readonly backend: Backend
  /** Any one of them must accept the request's tokens; empty means that no token is needed. */
  readonly jwtProviders: readonly JwtProvider[]
  readonly apiKey: ApiKeyRule | undefined
  readonly metricCosts: ReadonlyArray<{ readonly metric: string; readonly cost: number }>
}

/** A specification the gateway can serve. */
export type GatewaySpec = {
  readonly serviceName: string
  readonly operations: readonly Operation[]
  readonly jwtProviders: readonly JwtProvider[]
  readonly quotaLimits: readonly QuotaLimit[]
}
