import type { CloudEvent } from '#shared/contracts/cloud-event.ts'
import type { Revocation } from '#shared/contracts/revocation.ts'
import type { Claim } from '#shared/firestore/claim.ts'
import type { AuditEntry, Committed } from '#shared/firestore/tenant-store.ts'
import type { TenantId } from '#shared/ids.ts'
import type { Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { PublicJwk } from './domain/access-key.ts'
import type { Signer } from './domain/access-token.ts'
import type { Client } from './domain/client.ts'
import type { ClientId } from './domain/client-id.ts'
import type { Peppers } from './domain/client-secret.ts'
import type { KeyState } from './domain/key-lifecycle.ts'
import type { Once } from './domain/once.ts'
import type { TenantAuthState } from './domain/tenant-state.ts'
import type { WorkloadBinding } from './domain/workload-binding.ts'

/** What is read of a tenant before anybody is known. */
export type KnownState = Pick<TenantAuthState, 'status' | 'tier' | 'version' | 'notBefore' | 'policy'>

/** What proves a client: read before anybody is known, so it takes a bare tenant id and only reads. */
export type Credentials = {
  /**
   * The tenant's state and one client, in one read. What was read before is taken while it is younger
   * than `kept` allows; without it, the store is asked. Throws when the store is down.
   */
  find(tenantId: TenantId, clientId: ClientId, kept?: KeptCredentials): Promise<FoundCredentials>
}

/** How old what is known of a client, or of there being none, may be at `nowMs`. */
export type KeptCredentials = {
  readonly nowMs: number
  readonly clientMs: number
  readonly missingMs: number
}

export type FoundCredentials = {
  readonly state: KnownState | undefined
  readonly client: Client | undefined
  /** Whether the store was not asked for this. */
  readonly kept: boolean
  /** When it was asked, where that was before this request. */
  readonly asOfMs?: number
}

/** What may count only once: assertions, codes, proofs. */
export type ReplayStore = {
  /** Whether this is the first time; of callers at once, in whatever processes, one is the first. */
  claimOnce(ctx: TenantContext, use: Once): Promise<boolean>
  /** Whether somebody claimed it before, without claiming it. */
  wasClaimed(ctx: TenantContext, use: Omit<Once, 'expSeconds'>): Promise<boolean>
}

/** Client assertions (RFC 7523). */
export type ClientAssertions = {
  /**
   * Whether `assertion` is by the client with this id, for us, and fresh. Without a client the same
   * work is done and it is refused. Throws when the client's published keys cannot be read.
   */
  check(
    assertion: string,
    clientId: ClientId,
    client: Client | undefined,
    nowMs: number,
  ): Promise<Result<{ readonly jti: string; readonly expSeconds: number }>>
}

/** The ring of access-token keys. */
export type AccessKeyring = {
  /** The key that signs at this instant. Throws when the ring or the key cannot be read. */
  signer(nowMs: number): Promise<Signer>
  /** What the JWKS shows: the last ring known if the store is down. Throws if none was ever read. */
  publicKeys(nowMs: number): Promise<readonly { readonly kid: string; readonly jwk: PublicJwk }[]>
  /** Activates the standby and publishes a new one, unless this message or another did so just now. */
  rotate(messageId: string, nowMs: number): Promise<'rotated' | 'not-due'>
}

/** What an operator sees of a key; its private half is nowhere but in Secret Manager. */
export type KeyView = {
  readonly kid: string
  readonly state: KeyState
  readonly secretVersion: string
  /** Milliseconds, or null for what has not happened. */
  readonly publishAt: number
  readonly activateAt: number | null
  readonly compromisedAt: number | null
  readonly disabledAt: number | null
  readonly destroyedAt: number | null
}

export type RingView = {
  readonly ring: string
  readonly generation: number
  readonly lastRotation: { readonly at: number; readonly messageId: string } | null
  readonly keys: readonly KeyView[]
}

/** What is done with the keys of a ring besides signing. Each may be done again after a crash anywhere. */
export type KeyUpkeep = {
  /** Takes a key out of use at once and lets another sign; answers whether there is such a key. */
  compromise(kid: string, nowMs: number): Promise<boolean>
  /** Disables and destroys the private halves that are due; answers how many. Costs nothing when none is. */
  tidy(nowMs: number): Promise<number>
  /** Disables secret versions that no ring names: what a crashed rotation left. Answers how many. */
  disableOrphans(nowMs: number): Promise<number>
  show(nowMs: number): Promise<RingView>
}

/** A ring with everything that is done with it. */
export type ManagedKeyring = AccessKeyring & { readonly upkeep: KeyUpkeep }

/** The rings by name: `access` signs access tokens, `events` what we tell others. */
export type KeyRings = Readonly<Record<'access' | 'events', ManagedKeyring>>

/** What is written about keys besides the ring, in the operators' own tenant. */
export type KeyLedger = {
  record(ctx: TenantContext, entry: AuditEntry): Promise<void>
  /** Lets every verifier refuse what a key signed, within two seconds. */
  revoke(ctx: TenantContext, kid: string, nowMs: number): Promise<void>
}

/** The secrets that stored credentials are hashed with. */
export type PepperStore = {
  /** The version for new credentials. */
  current(): Promise<{ readonly version: number; readonly pepper: Uint8Array }>
  /** All versions; read again first if one of `needed` is not among those known. */
  all(needed: readonly number[]): Promise<Peppers>
  /** Makes a new version for new credentials, unless this message or another did so just now. */
  rotate(messageId: string, nowMs: number): Promise<'rotated' | 'not-due'>
}

/** What a new client is decided by. */
export type ClientSurroundings = {
  readonly state: TenantAuthState | undefined
  readonly clientCount: number
  /** The client that asks, when it is one of this tenant. */
  readonly creator: Client | undefined
  /** A client that has the wanted id already: a preset one, made before. */
  readonly existing: Client | undefined
}

/** Everything that becomes true together with a new client. */
export type ClientCommit<T> = {
  readonly value: T
  readonly client?: Client
  /** The tenant's own state, when it begins with this client: the platform's. */
  readonly state?: TenantAuthState
  readonly events?: readonly CloudEvent[]
  readonly audit?: readonly AuditEntry[]
}

export type ClientStore = {
  /**
   * Adds a client and counts it, in one commit. Contention runs `decide` again, so it computes and
   * does nothing else. Throws when the store is down.
   */
  add<T>(
    ctx: TenantContext,
    claim: Claim | undefined,
    wanted: { readonly clientId: ClientId; readonly creatorId: ClientId | undefined },
    decide: (found: ClientSurroundings) => Result<ClientCommit<T>>,
  ): Promise<Result<Committed<T>>>
}

/** What a tenant fact changes. */
export type StateChange = {
  readonly state?: TenantAuthState
  readonly binding?: WorkloadBinding
  readonly audit?: readonly AuditEntry[]
  readonly revocations?: readonly Revocation[]
}

export type TenantStateStore = {
  /** Applies `decide` once per event (`claim`), in one commit; the binding is only made if it is missing. */
  change(
    ctx: TenantContext,
    claim: Claim,
    decide: (known: TenantAuthState | undefined) => StateChange,
  ): Promise<Result<unknown>>
}

/** How many token requests a tenant may still make now, on this instance. */
export type RateLimit = {
  take(key: string, perSecond: number, nowMs: number): boolean
}
