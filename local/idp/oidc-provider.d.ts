// The part of oidc-provider 9 that the identity provider uses; the package ships no types.
declare module 'oidc-provider' {
  import type { EventEmitter } from 'node:events'
  import type { IncomingMessage, ServerResponse } from 'node:http'

  type Interaction = {
    readonly uid: string
    readonly prompt: { readonly name: string }
    readonly params: { readonly [name: string]: unknown }
    readonly session?: { readonly accountId: string }
  }
  type LogoutClient = {
    readonly clientId: string
    readonly backchannelLogoutUri?: string
    backchannelLogout(accountId: string, sid: string): Promise<void>
  }
  type Grant = { addOIDCScope(scope: string): void; save(ttl?: number): Promise<string> }
  type Session = { destroy(): Promise<void> }

  export class Provider extends EventEmitter {
    constructor(issuer: string, configuration: object)
    proxy: boolean
    callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>
    interactionDetails(request: IncomingMessage, response: ServerResponse): Promise<Interaction>
    interactionFinished(
      request: IncomingMessage,
      response: ServerResponse,
      result: object,
      options?: { readonly mergeWithLastSubmission?: boolean },
    ): Promise<void>
    Client: { find(id: string): Promise<LogoutClient | undefined> }
    Session: { findByUid(uid: string): Promise<Session | undefined> }
    Grant: new (properties: {
      readonly accountId: string
      readonly clientId: string
    }) => Grant
  }
}
