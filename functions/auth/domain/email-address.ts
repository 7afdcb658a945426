import type { Branded } from '#shared/ids.ts'

/** An e-mail address in the one form that addresses are compared in. */
export type EmailAddress = Branded<'EmailAddress'>

const LOCAL = /^[^\s@"<>()[\]\\,;:\p{Cc}\p{Cf}\p{Cn}]{1,64}$/u
/** Nothing that would end a host name in a URL, or stand for something else there. */
const HOST = /^[^\s/?#:@\\%[\]]{1,253}$/
const DOMAIN = /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])$/

/**
 * The form two addresses are compared in, or undefined for what is none.
 *
 * The whole is put into NFC and lower case, and the domain into its ASCII form (RFC 5890): spellings
 * that mail systems treat alike are one address. Nothing else is folded; dots and `+` parts belong to
 * whoever runs the domain, and to guess their rules would make two people one.
 */
export function normalizeEmail(text: string): EmailAddress | undefined {
  if (text.length > 320) return undefined
  const folded = text.normalize('NFC').toLowerCase()
  const at = folded.lastIndexOf('@')
  const local = folded.slice(0, Math.max(at, 0))
  const host = folded.slice(at + 1)
  if (at < 1 || !LOCAL.test(local) || !HOST.test(host)) return undefined
  const domain = URL.parse(`https://${host}`)?.hostname ?? ''
  if (!DOMAIN.test(domain)) return undefined
  return `${local}@${domain}` as EmailAddress
}
