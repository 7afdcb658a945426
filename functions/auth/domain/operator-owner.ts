import { createHmac } from 'node:crypto'
import { ok, type Result, refuse } from '#shared/result.ts'

const EMAIL = /^[^\s@"<>()[\]\\,;:]{1,64}@[a-z0-9](?:[a-z0-9-]{0,62}\.)+[a-z]{2,63}$/i
const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** Takes an operator's e-mail address; case does not make another person. */
export function parseOperatorEmail(value: unknown): Result<string> {
  if (typeof value === 'string' && value.length <= 254 && EMAIL.test(value)) return ok(value.toLowerCase())
  return refuse('request.malformed', 'not an e-mail address', 'Give an e-mail address.')
}

/**
 * The user id of the person behind an e-mail address, which itself is never stored.
 *
 * The same address gives the same id, so two clients of one operator are recognised as one person's
 * where an approval needs two. Without the pepper nobody can try addresses against it.
 */
export function ownerUserIdOf(email: string, pepper: Uint8Array): string {
  const digest = createHmac('sha256', pepper).update(`operator:${email}`, 'utf8').digest()
  let id = ''
  for (const byte of digest.subarray(0, 26)) id += CROCKFORD.charAt(byte & 31)
  return `usr_${id}`
}
