import { isIP } from 'node:net'

/** Any text. */
export function nonEmpty(text: string): string {
  return text
}

/** One digit. */
export function wholeNumber(text: string): number {
  if (/^\d$/.test(text)) return Number(text)
  throw new Error('must be a whole number from 0 to 9')
}

/** The number that Google gives a project. */
export function projectNumber(text: string): string {
  if (/^[1-9]\d{5,18}$/.test(text)) return text
  throw new Error('must be the number of a project')
}

/** What Cloud KMS takes as the waiting time of a destruction. */
export function destroyDays(text: string): number {
  const days = Number(text)
  if (/^\d{1,3}$/.test(text) && days >= 1 && days <= 120) return days
  throw new Error('must be a whole number of days from 1 to 120')
}

/** A range of addresses that is not all of them. */
export function ipRange(text: string): string {
  const [, address = '', bits = ''] = /^([0-9a-fA-F.:]+)\/(\d{1,3})$/.exec(text) ?? []
  const most = { 4: 32, 6: 128 }[isIP(address) as 4 | 6] ?? -1
  if (bits !== '' && Number(bits) > 0 && Number(bits) <= most) return text
  throw new Error('must be a range of addresses such as 10.8.0.0/28, and not all of them')
}

/** The id of a project. */
export function projectId(text: string): string {
  if (/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/.test(text)) return text
  throw new Error('must be a project id: 6 to 30 lower-case letters, digits and hyphens')
}

/** An address to append paths to, without a slash at its end. */
export function url(text: string): string {
  const parsed = /\s/.test(text) ? null : URL.parse(text)
  if (parsed === null || !['http:', 'https:'].includes(parsed.protocol)) {
    throw new Error('must be an http or https URL')
  }
  // Paths are appended to it, and it is compared with what tokens name.
  if (parsed.username !== '' || parsed.password !== '' || /[?#]/.test(text)) {
    throw new Error('must be a URL without credentials, query or fragment')
  }
  return text.replace(/\/+$/, '')
}

/** Each in full and as a browser sends it, so that nothing is matched by a pattern. */
export function origins(text: string): readonly string[] {
  const all = text.split(',').map((origin) => origin.trim())
  for (const origin of all) {
    const parsed = URL.parse(origin)
    const local = parsed !== null && ['localhost', '127.0.0.1', '[::1]'].includes(parsed.hostname)
    if (
      parsed?.origin !== origin ||
      origin.includes('*') ||
      !(parsed.protocol === 'https:' || (local && parsed.protocol === 'http:'))
    ) {
      throw new Error('must be origins such as https://console.energent.ai, without a path and without *')
    }
  }
  return all
}

/** The resource name of a key ring. */
export function keyRing(text: string): string {
  if (/^projects\/[a-z0-9:.-]{1,100}\/locations\/[a-z0-9-]{1,40}\/keyRings\/[A-Za-z0-9_-]{1,63}$/.test(text))
    return text
  throw new Error('must be projects/…/locations/…/keyRings/…')
}

/** Each name once, and each issuer once: a token must not be able to come from two clusters. */
export function clusterIssuers(
  text: string,
): readonly { readonly cluster: string; readonly issuer: string }[] {
  const all = text.split(',').map((entry) => {
    const [, cluster = '', issuer = ''] = /^\s*([a-z][a-z0-9-]{0,62})=(\S+)\s*$/.exec(entry) ?? []
    return { cluster, issuer: issuer === '' ? '' : url(issuer) }
  })
  const distinct = (values: readonly string[]): boolean => new Set(values).size === all.length
  const named = all.every(({ cluster }) => cluster !== '')
  if (named && distinct(all.map((one) => one.cluster)) && distinct(all.map((one) => one.issuer))) return all
  throw new Error('must be pairs such as energent-shared=https://…, each name and each issuer once')
}

/** The name of a bucket. */
export function bucketName(text: string): string {
  if (/^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/.test(text)) return text
  throw new Error('must be the name of a bucket')
}

/** Tax rates, each id once. */
export function taxRates(
  text: string,
): readonly { readonly rateId: string; readonly category: string; readonly percent: string }[] {
  const all = text.split(',').map((entry) => {
    const [, rateId = '', category = '', percent = ''] =
      /^\s*([a-z][a-z0-9-]{0,62})=([a-z][a-z0-9_-]{0,63}):(\d{1,2}(?:\.\d{1,6})?)\s*$/.exec(entry) ?? []
    return { rateId, category, percent }
  })
  if (
    all.every(({ rateId }) => rateId !== '') &&
    new Set(all.map(({ rateId }) => rateId)).size === all.length
  )
    return all
  throw new Error('must be entries such as vat=standard:19, each id once')
}

/** A key of 32 bytes. */
export function key32(text: string): Buffer {
  const key = Buffer.from(text, 'base64url')
  if (key.length === 32 && key.toString('base64url') === text) return key
  throw new Error('must be 32 bytes in base64url, without padding')
}

/** A service account's address. */
export function email(text: string): string {
  if (/^[^@\s]+@[^@\s]+$/.test(text)) return text
  throw new Error("must be a service account's e-mail address")
}

/** One of a few words. */
export function oneOf<const T extends string>(...values: readonly T[]): (text: string) => T {
  return (text) => {
    const found = values.find((value) => value === text)
    if (found === undefined) throw new Error(`must be one of ${values.join(', ')}`)
    return found
  }
}
