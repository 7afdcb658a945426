import { revoked } from '#shared/contracts/events/revoked.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { withDeadline } from '#shared/deadline.ts'
import type { AnnounceRevocations } from '#shared/firestore/tenant-store.ts'
import { errorFields, type Logger } from '#shared/log.ts'
import type { Signer } from '../domain/access-token.ts'
import { securityEvent, signSecurityEvent } from '../domain/security-event.ts'

/** How long a revocation waits for a key to sign what others are told of it. */
const PATIENCE_MS = 1_500

/**
 * The facts that tell others of revocations, each with its security event token.
 *
 * A revocation waits for nothing and fails for nobody: if no key can be had, the fact leaves without a
 * token, and a listener that asks for proof reads the feed.
 */
export function announceRevocations(deps: {
  readonly issuer: string
  readonly signer: (nowMs: number) => Promise<Signer>
  readonly log: Logger
}): AnnounceRevocations {
  return async (tenantId, revocations, { commitId, nowMs }) => {
    if (revocations.length === 0) return []
    // A command line that does not know what we are called must not sign in our name.
    const named = !new URL(deps.issuer).hostname.endsWith('.invalid')
    const signer = named ? await signerIfAny(deps, nowMs) : undefined
    return revocations.map((revocation, at) => {
      const id = `revoked:${commitId}-${at}`
      const { kind, before, reason } = revocation
      const set =
        signer === undefined
          ? undefined
          : signSecurityEvent(securityEvent(deps.issuer, tenantId, revocation, { jti: id, nowMs }), signer)
      const event = newEvent({
        ...{ id, source: '//energent.ai/auth', type: revoked.type, tenantId, nowMs },
        data: {
          ...{ tenantId, kind, id: revocation.id, before, at: new Date(nowMs).toISOString() },
          ...(reason === undefined ? {} : { reason }),
          ...(set === undefined ? {} : { set }),
        },
      })
      return { topic: 'auth-facts', event }
    })
  }
}

async function signerIfAny(
  { signer, log }: { readonly signer: (nowMs: number) => Promise<Signer>; readonly log: Logger },
  nowMs: number,
): Promise<Signer | undefined> {
  try {
    return await withDeadline('key of security events', PATIENCE_MS, signer(nowMs))
  } catch (error) {
    log.error('security event not signed', errorFields(error))
    return undefined
  }
}
