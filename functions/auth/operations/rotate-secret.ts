import type { Logger } from '#shared/log.ts'
import { ok, type Result } from '#shared/result.ts'
import { ACCESS_KEYS_SECRET, EVENT_KEYS_SECRET } from '../domain/access-key.ts'
import { PEPPER_SECRET } from '../domain/pepper-ring.ts'
import type { KeyRings, PepperStore } from '../ports.ts'

export type RotateSecretDeps = { readonly keyRings: KeyRings; readonly peppers: PepperStore }

export type RotateSecretRequest = {
  readonly secretName: string
  readonly messageId: string
  readonly nowMs: number
  readonly log: Logger
}

type Outcome = 'rotated' | 'not-due' | 'ignored'

const RING_OF_SECRET: Readonly<Record<string, keyof KeyRings>> = {
  [ACCESS_KEYS_SECRET]: 'access',
  [EVENT_KEYS_SECRET]: 'events',
}

/**
 * Answers Secret Manager's wish for a new version of a secret.
 *
 * A ring of keys lets its published standby sign from now on and publishes a new one; the pepper gets a
 * version for new credentials. Secret Manager repeats its messages: a copy, or a second one within ten
 * minutes, finds nothing due. Throws when another process was faster; the message comes again and finds
 * that too.
 */
export async function rotateSecret(
  { keyRings, peppers }: RotateSecretDeps,
  { secretName, messageId, nowMs, log }: RotateSecretRequest,
): Promise<Result<Outcome>> {
  const ring = Object.hasOwn(RING_OF_SECRET, secretName) ? RING_OF_SECRET[secretName] : undefined
  if (ring !== undefined) {
    const outcome = await keyRings[ring].rotate(messageId, nowMs)
    log.info('secret rotation', { ring, outcome })
    await keyRings[ring].upkeep.disableOrphans(nowMs)
    return ok(outcome)
  }
  if (secretName !== PEPPER_SECRET) return ok('ignored')
  const outcome = await peppers.rotate(messageId, nowMs)
  log.info('secret rotation', { ring: 'pepper', outcome })
  return ok(outcome)
}
