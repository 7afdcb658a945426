import type { Logger } from '#shared/log.ts'
import { ok, type Result } from '#shared/result.ts'
import type { AccessKeyring } from '../ports.ts'

export type RotateAccessKeyDeps = { readonly keyring: AccessKeyring }

/**
 * Lets the published standby sign from now on, and publishes a new standby.
 *
 * Secret Manager repeats its messages: a copy, or a second one within ten minutes, finds nothing due.
 * Throws when another process changed the ring meanwhile; the message comes again and finds that too.
 */
export async function rotateAccessKey(
  deps: RotateAccessKeyDeps,
  request: { readonly messageId: string; readonly nowMs: number; readonly log: Logger },
): Promise<Result<'rotated' | 'not-due'>> {
  const outcome = await deps.keyring.rotate(request.messageId, request.nowMs)
  request.log.info('access key rotation', { outcome })
  return ok(outcome)
}
