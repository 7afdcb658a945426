import type { CloudEvent } from '#shared/contracts/cloud-event.ts'
import type { Claim } from '#shared/firestore/claim.ts'
import type { AuditEntry, Committed } from '#shared/firestore/tenant-store.ts'
import type { TenantId } from '#shared/ids.ts'
import type { Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { IssuedCode } from '../domain/authorization-code.ts'
import type { Connection, ConnectionId, IdpMetadata } from '../domain/connection.ts'
import type { IdTokenClaims } from '../domain/idp-identity.ts'
import type { ProvenDomain } from '../domain/proven-domain.ts'
import type { SignInFlow } from '../domain/sign-in-flow.ts'
import type { TenantAuthState } from '../domain/tenant-state.ts'
import type { KnownState } from '../ports.ts'

/** What a browser or a provider names before anybody is proven: read by id, from one tenant, never changed. */
export type SignOnReader = {
  findFlow(
    tenantId: TenantId,
    flowId: string,
  ): Promise<{ readonly state: KnownState | undefined; readonly flow: SignInFlow | undefined }>
  findConnection(
    tenantId: TenantId,
    connectionId: ConnectionId,
  ): Promise<{ readonly state: KnownState | undefined; readonly connection: Connection | undefined }>
}

/** How a sign-in ended, and everything that becomes true with it. */
export type FlowEnd = {
  /** Without one nobody is signed in, and the flow is over all the same. */
  readonly code?: IssuedCode
  readonly audit: readonly AuditEntry[]
}

export type FlowStore = {
  begin(ctx: TenantContext, flow: SignInFlow): Promise<void>
  /**
   * Takes the provider's answer, once: of copies at once one is taken, and the others are refused before
   * they reach the provider, which would take a second use of its code for a theft.
   */
  claim(ctx: TenantContext, flowId: string, nowMs: number): Promise<Result<unknown>>
  /** Ends a flow whose answer was taken, once, together with the code that comes of it. */
  end(ctx: TenantContext, flowId: string, nowMs: number, end: FlowEnd): Promise<Result<unknown>>
  /** Ends codes that were not redeemed yet, of a session at the provider that is over. */
  expireCodes(
    ctx: TenantContext,
    session: { readonly connectionId: string; readonly idpSid: string },
    nowMs: number,
  ): Promise<void>
}

/** What a change of a connection is decided by. */
export type ConnectionSurroundings = {
  readonly state: TenantAuthState | undefined
  /** Also one that was deleted. */
  readonly connection: Connection | undefined
  readonly count: number
  /** The domains that the tenant has proven. */
  readonly proven: readonly string[]
}

export type ConnectionCommit<T> = {
  readonly value: T
  /** A new or changed connection; one that was deleted is no longer counted. */
  readonly connection?: Connection
  readonly events?: readonly CloudEvent[]
  readonly audit?: readonly AuditEntry[]
}

export type ConnectionStore = {
  find(ctx: TenantContext, connectionId: ConnectionId): Promise<Connection | undefined>
  /** All that were not deleted, by id: a tenant has a few. */
  list(ctx: TenantContext): Promise<readonly Connection[]>
  /** Reads, decides and commits; contention runs `decide` again, so it computes and does nothing else. */
  change<T>(
    ctx: TenantContext,
    claim: Claim | undefined,
    connectionId: ConnectionId,
    decide: (found: ConnectionSurroundings) => Result<ConnectionCommit<T>>,
  ): Promise<Result<Committed<T>>>
}

export type DomainStore = {
  list(ctx: TenantContext): Promise<readonly ProvenDomain[]>
  find(ctx: TenantContext, domainId: string): Promise<ProvenDomain | undefined>
  /** The tenant's record of a domain: the one it has, or `wanted`, created now if `check` lets it. */
  findOrCreate(
    ctx: TenantContext,
    wanted: ProvenDomain,
    check: (state: TenantAuthState | undefined) => Result<unknown>,
  ): Promise<Result<ProvenDomain>>
  /**
   * Makes a domain this tenant's for good. Refuses when another one has it, and says no more than that.
   */
  prove(ctx: TenantContext, domainId: string, nowMs: number): Promise<Result<ProvenDomain>>
}

/** DNS, as far as a proof needs it. */
export type TxtResolver = {
  /** The TXT records of a name, each in one piece; none when there is no such name. Throws when DNS does not answer. */
  txt(name: string): Promise<readonly string[]>
}

/** Tokens by which a provider ends sessions. */
export type LogoutTokens = {
  /** The claims of a token that the connection's provider signed; refuses `logout.invalid`. */
  verify(
    token: string,
    tenantId: TenantId,
    connection: Connection,
    nowMs: number,
  ): Promise<Result<IdTokenClaims>>
}

/** What came of the code that a provider's answer brought. */
export type IdpAnswer =
  | { readonly kind: 'signed-in'; readonly claims: IdTokenClaims }
  /** The provider itself says no: an error code of OAuth or OpenID Connect. */
  | { readonly kind: 'error'; readonly error: string }
  /** It does not answer, or not to us. */
  | { readonly kind: 'unavailable'; readonly detail: string }
  /** What it answers is not what it should be: never to be trusted, whoever it is from. */
  | { readonly kind: 'untrusted'; readonly detail: string }

export type CallbackParameters = {
  readonly code: string | undefined
  readonly state: string
  readonly iss: string | undefined
  readonly error: string | undefined
}

/** The relying party's side of OpenID Connect. Every call it makes goes through the guard. */
export type IdentityProviders = {
  /** Reads the discovery document; refuses `issuer.invalid` whatever is wrong with it. */
  discover(issuer: string, nowMs: number): Promise<Result<IdpMetadata>>
  /** Checks the provider's answer, exchanges its code and verifies the ID token. */
  redeem(request: {
    readonly connection: Connection
    readonly clientSecret: string | undefined
    readonly callbackUri: string
    readonly parameters: CallbackParameters
    readonly verifier: string
    readonly nonce: string
    readonly maxAge: number | null
    readonly nowMs: number
  }): Promise<IdpAnswer>
}
