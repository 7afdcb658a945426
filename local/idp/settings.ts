import type { Fault } from '../faults.ts'

/** Who may log in at a tenant's connection. The login is an e-mail address. */
type IdpUser = { readonly login: string; readonly password: string; readonly role: string }

/** One tenant's connection: our authorization server is the client. */
export type IdpTenant = {
  readonly tenantId: string
  readonly clientId: string
  readonly clientSecret: string
  readonly redirectUris: readonly string[]
  readonly postLogoutRedirectUris?: readonly string[]
  readonly backchannelLogoutUri?: string
  readonly users: readonly IdpUser[]
}

/** What the identity provider's process is told, in the environment variable `IDP_SETTINGS`. */
export type IdpSettings = {
  readonly port: number
  readonly dataDir: string
  readonly tenants: readonly IdpTenant[]
}

export type Account = IdpUser & { readonly tenantId: string; readonly subject: string }

/** A fault of the next `count` requests, of one path such as `/token` or of any. */
export type IdpFault = Fault & { readonly count: number; readonly path?: string }
