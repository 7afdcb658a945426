import type { Branded, TenantId } from '../ids.ts'
import { OperatorGrant, VerifiedCredential, VerifiedEvent, VerifiedToken } from './proofs.ts'

/** Who acts, as it stands in the audit: `client:…`, `user:…`, `operator:…`, `event:…`. Ids only. */
export type Actor = Branded<'Actor'>

/**
 * The right to touch one tenant's data, and whose right it is.
 *
 * It can only be made from a proof: a verified token, event or credential, or an operator's grant. Its
 * private brand is checked at every use, so a look-alike object opens nothing.
 */
export class TenantContext {
  readonly #proven = true
  readonly tenantId: TenantId
  readonly actor: Actor
  /** When the right ends, in milliseconds; only an operator's grant has an end of its own. */
  readonly expiresAtMs: number | undefined

  constructor(proof: VerifiedToken | VerifiedEvent | OperatorGrant | VerifiedCredential) {
    if (new.target !== TenantContext) throw new TypeError('a tenant context has no subclasses')
    this.expiresAtMs = OperatorGrant.is(proof) ? proof.expiresAtMs : undefined
    if (VerifiedToken.is(proof)) {
      this.tenantId = proof.claims.tenant
      this.actor = `token:${proof.claims.subject}` as Actor
    } else if (VerifiedEvent.is(proof)) {
      this.tenantId = proof.tenantId
      this.actor = `event:${proof.type}:${proof.eventId}` as Actor
    } else if (OperatorGrant.is(proof)) {
      this.tenantId = proof.tenantId
      this.actor = `operator:${proof.operator}` as Actor
    } else if (VerifiedCredential.is(proof)) {
      this.tenantId = proof.tenantId
      this.actor = `${proof.kind}:${proof.id}` as Actor
    } else {
      throw new TypeError('a tenant context needs a proof')
    }
    // Frozen: a context for one tenant never becomes one for another.
    Object.freeze(this)
  }

  static is(value: unknown): value is TenantContext {
    return typeof value === 'object' && value !== null && #proven in value
  }
}
