import type { Branded } from '#shared/ids.ts'
import { ok, type Refusal, type Result, refuse } from '#shared/result.ts'
import { normalizeEmail } from './email-address.ts'

/** A domain name as DNS has it: lower case, ASCII (IDNA 2008 A-labels), no dot at the end, two labels at least. */
export type DomainName = Branded<'DomainName'>

/** Names that never belong to one organisation, or mean something inside a network alone (RFC 6761, 6762, 7686, 8375, 9476). */
const NEVER = new Set([
  'alt',
  'arpa',
  'corp',
  'home',
  'internal',
  'intranet',
  'invalid',
  'lan',
  'local',
  'localdomain',
  'localhost',
  'onion',
  'test',
])

/**
 * Second levels below which registries sell to everybody. Not the whole Public Suffix List: what keeps
 * such a name from being claimed is the TXT record, which only the registry could set. This is for
 * suffixes whose owners let strangers write records, and for a clear answer.
 */
const SHARED_SECOND_LEVELS = new Set([
  'ac',
  'co',
  'com',
  'edu',
  'gob',
  'gov',
  'gouv',
  'mil',
  'ne',
  'net',
  'or',
  'org',
  'sch',
])
const SHARED_NAMES = new Set([
  'appspot.com',
  'azurewebsites.net',
  'blogspot.com',
  'cloudfront.net',
  'cloudfunctions.net',
  'duckdns.org',
  'eu.org',
  'firebaseapp.com',
  'github.io',
  'gitlab.io',
  'herokuapp.com',
  'netlify.app',
  'ngrok.io',
  'no-ip.org',
  'pages.dev',
  'run.app',
  'uk.com',
  'us.com',
  'vercel.app',
  'web.app',
  'workers.dev',
])
const MAIL_FOR_ALL = new Set([
  'aol.com',
  'gmail.com',
  'gmx.de',
  'gmx.net',
  'googlemail.com',
  'hotmail.com',
  'icloud.com',
  'live.com',
  'mail.ru',
  'me.com',
  'msn.com',
  'outlook.com',
  'proton.me',
  'protonmail.com',
  'qq.com',
  'web.de',
  'yahoo.com',
  'yandex.ru',
  '163.com',
])

const LABEL = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/

/**
 * Reads a domain that a tenant wants to prove.
 *
 * Case and the two spellings of an international name are one name, by UTS 46 as URLs have it. What
 * that maps silently, such as full-width letters or an IPv4 address in octal, is refused.
 */
export function parseDomainName(text: string): Result<DomainName> {
  if (text.length > 253 || !/^[^\s/?#:@\\%[\]]+$/.test(text)) return refuseName('not a domain name')
  const lower = text.toLowerCase()
  const ascii = URL.parse(`https://${lower}`)?.hostname ?? ''
  if (ascii === '' || (isAscii(lower) && ascii !== lower)) return refuseName('not a domain name')
  if (lower.normalize('NFKC') !== lower) return refuseName('compatibility characters')
  const labels = ascii.split('.')
  if (ascii.length > 253 || !labels.every((label) => LABEL.test(label)))
    return refuseName('not a domain name')
  const [last = ''] = labels.slice(-1)
  if (labels.length < 2 || /^\d+$/.test(last) || NEVER.has(last)) return refuseName('not a public domain')
  if (isShared(ascii, labels)) return refuseName('shared by many organisations')
  return ok(ascii as DomainName)
}

function isShared(name: string, labels: readonly string[]): boolean {
  if (SHARED_NAMES.has(name) || MAIL_FOR_ALL.has(name)) return true
  const [second = '', top = ''] = labels
  return labels.length === 2 && top.length === 2 && SHARED_SECOND_LEVELS.has(second)
}

/** The domain of an e-mail address, or undefined for what is no address or of no organisation's domain. */
export function domainOfEmail(email: string): DomainName | undefined {
  const domain = parseDomainName(normalizeEmail(email)?.split('@').at(-1) ?? '')
  return domain.ok ? domain.value : undefined
}

function isAscii(text: string): boolean {
  return /^[\x21-\x7e]*$/.test(text)
}

function refuseName(detail: string): Refusal {
  return refuse(
    'domain.invalid',
    detail,
    'Send a domain of your own, such as acme.example, without dots around it.',
  )
}

/** Where the proof of a domain is looked for, and what it says. */
export function challengeOf(
  domain: DomainName,
  token: string,
): { readonly name: string; readonly value: string } {
  return { name: `_energent-challenge.${domain}`, value: `energent-domain-verification=${token}` }
}

/** Whether one of the records is the proof, whole and as it was given out. */
export function isProven(records: readonly string[], value: string): boolean {
  return records.some((record) => record === value)
}
