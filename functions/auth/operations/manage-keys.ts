import type { Ids } from '#shared/ids.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { KeyLedger, KeyRings } from '../ports.ts'

export type ManageKeysDeps = {
  readonly ids: Ids
  readonly keyRings: KeyRings
  readonly keyLedger: KeyLedger
}

type ByOperator = {
  readonly ctx: TenantContext
  readonly ring: keyof KeyRings
  readonly nowMs: number
}

/**
 * Rotates ahead of time, as Secret Manager's message would.
 *
 * The audit says who asked before anything happens: what a crash leaves half done has an author.
 */
export async function rotateKeysNow(
  deps: ManageKeysDeps,
  { ctx, ring, nowMs }: ByOperator,
): Promise<Result<'rotated'>> {
  await deps.keyLedger.record(ctx, { action: 'auth.key.rotation_requested', target: `keyrings/${ring}` })
  const outcome = await deps.keyRings[ring].rotate(`operator:${deps.ids.uuid(nowMs)}`, nowMs)
  return outcome === 'rotated'
    ? ok(outcome)
    : refuse('tenant.state_conflict', 'rotated just now', 'The ring was rotated less than ten minutes ago.')
}

/**
 * Takes a key out of use: it signs nothing more, and within two seconds nobody believes what it signed.
 *
 * First the revocation, which every verifier sees, then the ring: after a crash between them the key
 * may sign a little longer, and its tokens are refused already.
 */
export async function compromiseKey(
  deps: ManageKeysDeps,
  { ctx, ring, nowMs, kid }: ByOperator & { readonly kid: string },
): Promise<Result<'compromised'>> {
  const { upkeep } = deps.keyRings[ring]
  const { keys } = await upkeep.show(nowMs)
  if (!keys.some((key) => key.kid === kid)) {
    return refuse('resource.not_found', 'no such key', 'The ring has no such key; see show-keyring.')
  }
  await deps.keyLedger.revoke(ctx, kid, nowMs)
  await upkeep.compromise(kid, nowMs)
  return ok('compromised')
}
