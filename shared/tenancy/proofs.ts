import type { PlatformScope } from '../catalogue/scopes.ts'
import type { Tier } from '../catalogue/tiers.ts'
import type { TenantId } from '../ids.ts'

/**
 * Evidence that something was verified.
 *
 * Each proof has a private brand, so an object that merely looks like one is refused at run time
 * too. Only the three verifiers may import `prove`; the architecture test holds them to it.
 */
export type AccessTokenClaims = {
  readonly tenant: TenantId
  /** The tenant's tier as it is now, not as the token has it. */
  readonly tier: Tier
  readonly subject: string
  readonly clientId: string
  readonly scopes: ReadonlySet<string>
  readonly roles: readonly string[]
  readonly tokenId: string
  readonly issuedAt: number
  readonly expiresAt: number
  /** How the person signed in; missing where somebody else acts for them, and for machines. */
  readonly signIn?: SignIn | undefined
  /** Of a machine of the operators: the person who answers for it. */
  readonly owner?: string | undefined
  /** The key that the token is bound to; its holder has proven to have it. */
  readonly jkt?: string | undefined
}

/** A person's own sign-in: its session, and when and how it took place. */
export type SignIn = {
  readonly sessionId: string
  /** In seconds, at their identity provider. */
  readonly authTime: number
  readonly acr?: string | undefined
}

/** An access token whose signature, claims and tenant state have all been checked. */
export class VerifiedToken {
  readonly #verified = true
  readonly claims: AccessTokenClaims
  constructor(claims: AccessTokenClaims, key: typeof KEY) {
    if (key !== KEY || new.target !== VerifiedToken) {
      throw new TypeError('a token is verified by verifyAccessToken alone')
    }
    // Copied and frozen: what was verified cannot be changed afterwards.
    const scopes = frozenSet(claims.scopes)
    const signIn = claims.signIn === undefined ? undefined : Object.freeze({ ...claims.signIn })
    this.claims = Object.freeze({ ...claims, scopes, roles: Object.freeze([...claims.roles]), signIn })
    Object.freeze(this)
  }
  static is(value: unknown): value is VerifiedToken {
    return typeof value === 'object' && value !== null && #verified in value
  }
}

/** An event whose pusher was proven and whose three tenant ids agree. */
export class VerifiedEvent {
  readonly #verified = true
  readonly tenantId: TenantId
  readonly eventId: string
  readonly type: string
  constructor(fields: { tenantId: TenantId; eventId: string; type: string }, key: typeof KEY) {
    if (key !== KEY || new.target !== VerifiedEvent) {
      throw new TypeError('an event is verified by the event edge alone')
    }
    this.tenantId = fields.tenantId
    this.eventId = fields.eventId
    this.type = fields.type
    Object.freeze(this)
  }
  static is(value: unknown): value is VerifiedEvent {
    return typeof value === 'object' && value !== null && #verified in value
  }
}

/** An operator's audited permission to act on one tenant for a while. */
export class OperatorGrant {
  readonly #verified = true
  readonly tenantId: TenantId
  readonly operator: string
  readonly scope: PlatformScope
  readonly reason: string
  readonly expiresAtMs: number
  constructor(
    fields: {
      tenantId: TenantId
      operator: string
      scope: PlatformScope
      reason: string
      expiresAtMs: number
    },
    key: typeof KEY,
  ) {
    if (key !== KEY || new.target !== OperatorGrant) {
      throw new TypeError('a grant is made by openAsOperator alone')
    }
    this.tenantId = fields.tenantId
    this.operator = fields.operator
    this.scope = fields.scope
    this.reason = fields.reason
    this.expiresAtMs = fields.expiresAtMs
    Object.freeze(this)
  }
  static is(value: unknown): value is OperatorGrant {
    return typeof value === 'object' && value !== null && #verified in value
  }
}

/**
 * What a credential of a tenant is: its own id names the tenant, and it was found there and proven.
 * An `attempt` was found and not proven: it opens nothing but the note that it failed.
 */
export type CredentialKind = 'client' | 'key' | 'flow' | 'workload' | 'attempt'

/** A credential that was proven where no access token exists yet: a client, an API key, a sign-in under way. */
export class VerifiedCredential {
  readonly #verified = true
  readonly tenantId: TenantId
  readonly kind: CredentialKind
  readonly id: string
  constructor(fields: { tenantId: TenantId; kind: CredentialKind; id: string }, key: typeof KEY) {
    if (key !== KEY || new.target !== VerifiedCredential) {
      throw new TypeError('a credential is opened by openByCredential alone')
    }
    this.tenantId = fields.tenantId
    this.kind = fields.kind
    this.id = fields.id
    Object.freeze(this)
  }
  static is(value: unknown): value is VerifiedCredential {
    return typeof value === 'object' && value !== null && #verified in value
  }
}

const KEY: unique symbol = Symbol('proof')

/** A set that cannot grow: freezing alone does not stop `add`. */
function frozenSet(values: ReadonlySet<string>): ReadonlySet<string> {
  const refuse = (): never => {
    throw new TypeError('the scopes of a verified token cannot be changed')
  }
  return Object.freeze(Object.assign(new Set(values), { add: refuse, delete: refuse, clear: refuse }))
}

/** Makes proofs. For the verifiers alone. */
export const prove = {
  token: (claims: AccessTokenClaims): VerifiedToken => new VerifiedToken(claims, KEY),
  event: (fields: { tenantId: TenantId; eventId: string; type: string }): VerifiedEvent =>
    new VerifiedEvent(fields, KEY),
  operator: (fields: {
    tenantId: TenantId
    operator: string
    scope: PlatformScope
    reason: string
    expiresAtMs: number
  }): OperatorGrant => new OperatorGrant(fields, KEY),
  credential: (fields: { tenantId: TenantId; kind: CredentialKind; id: string }): VerifiedCredential =>
    new VerifiedCredential(fields, KEY),
}
