import type { KeyObject } from 'node:crypto'
import type { AdmittedAlg } from '../domain/admit-jwk.ts'

/** Which rule an outbound call broke, or how the other side failed. */
export type GuardRule =
  | 'url'
  | 'scheme'
  | 'userinfo'
  | 'port'
  | 'host'
  | 'address'
  | 'method'
  | 'redirect'
  | 'encoding'
  | 'type'
  | 'size'
  | 'time'
  | 'network'

/**
 * An outbound call was not made, or its answer not taken. The message never holds anything of the
 * answer: whoever configured the URL must not read through us what they cannot reach themselves.
 */
export class GuardRefused extends Error {
  override readonly name = 'GuardRefused'
  readonly rule: GuardRule
  constructor(rule: GuardRule, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.rule = rule
  }
  /** Whether the same call may go better next time. */
  get passing(): boolean {
    return this.rule === 'time' || this.rule === 'network'
  }
}

export type GuardedRequest = {
  /** GET unless told; HEAD and POST besides. */
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** The largest body that is read, in bytes. */
  readonly maxBytes: number
  /** For the whole call, DNS and body included; 2.5 s unless told, and never more. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export type GuardedReply = {
  readonly status: number
  /** By lower-case name; of repeated ones, all values joined. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** A call to an address that somebody else configured. Rejects with `GuardRefused`. */
export type GuardedFetch = (url: string, request: GuardedRequest) => Promise<GuardedReply>

/** Where somebody's public keys come from: what they gave us, or a JWKS that is fetched and kept. */
export type KeyOrigin =
  | { readonly jwks: unknown }
  | {
      readonly jwksUri: string
      /** Whose configuration names the URI: a tenant id, or `platform`. One's copies never serve another. */
      readonly scope: string
    }

export type ForeignKeys = {
  /**
   * The key for a token's header, or undefined when there is none that fits both. Without a key id
   * only where one key alone fits. Throws `DependencyFailed` when the keys cannot be read now.
   */
  find(
    origin: KeyOrigin,
    wanted: { readonly kid: string | undefined; readonly alg: AdmittedAlg },
    nowMs: number,
  ): Promise<KeyObject | undefined>
}
