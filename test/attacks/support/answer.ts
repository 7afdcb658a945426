import type { IncomingHttpHeaders } from 'node:http'

/** An answer as it came, and what it says in one line: what the table compares. */
export type Seen = {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** `200`, `401 token.invalid`, `400 oauth invalid_grant`, `401 gateway: Jwt is expired`, … */
  readonly said: string
}

/** What a problem says, and what a batch says of its parts. */
const PROBLEM = ['accepted', 'code', 'detail', 'rejected', 'requestId', 'status', 'title', 'type']

/** Reads an answer strictly: one that has a member or header it must not have is told as that. */
export function readAnswer(status: number, headers: IncomingHttpHeaders, body: string): Seen {
  return {
    status,
    headers,
    body,
    said: `${status}${faultOfHeaders(headers)}${wordsOf(status, headers, body)}`,
  }
}

function wordsOf(status: number, headers: IncomingHttpHeaders, body: string): string {
  const type = headers['content-type'] ?? ''
  if (status >= 300 && status < 400) return ` to ${destinationOf(headers.location ?? '')}`
  if (type.startsWith('text/html'))
    return ` page ${/<code>([^<]*)<\/code>/.exec(body)?.[1] ?? 'of another kind'}`
  const json = jsonOf(body)
  if (type === 'application/problem+json') return ` ${problemWords(status, json)}`
  if (type === 'application/scim+json' && status >= 400) return ` scim ${String(json['scimType'] ?? '-')}`
  if (Object.keys(json).join() === 'code,message') return ` gateway: ${String(json['message'])}`
  if ('error' in json) return ` oauth ${oauthWords(headers, json)}`
  return status < 300 ? successWords(json) : ` ${body.slice(0, 80)}`
}

function problemWords(status: number, json: Readonly<Record<string, unknown>>): string {
  const extra = Object.keys(json).filter((name) => !PROBLEM.includes(name))
  const code = String(json['code'])
  const sound = json['status'] === status && json['type'] === `urn:energent:error:${code}`
  return extra.length === 0 && sound ? code : `a problem with a fault: ${JSON.stringify(json)}`
}

function oauthWords(headers: IncomingHttpHeaders, json: Readonly<Record<string, unknown>>): string {
  const extra = Object.keys(json).filter((name) => name !== 'error' && name !== 'error_description')
  const kept = headers['cache-control'] !== 'no-store' || headers.pragma !== 'no-cache'
  const word = String(json['error'])
  if (extra.length > 0 || kept) return `an error with a fault: ${JSON.stringify({ headers, json })}`
  // Nobody learns from it why: it is the same bytes for every reason.
  return word === 'invalid_client' && 'error_description' in json ? 'invalid_client that says why' : word
}

function successWords(json: Readonly<Record<string, unknown>>): string {
  if (json['active'] === false) return Object.keys(json).length === 1 ? ' inactive' : ' inactive and more'
  if (json['active'] === true) return ' active'
  if (json['valid'] === false) return Object.keys(json).length === 1 ? ' not valid' : ' not valid and more'
  if ('access_token' in json) return ` token of ${String(json['scope'])}`
  return ''
}

/** Where a redirect goes: by host for strangers, by error for clients of ours. */
function destinationOf(location: string): string {
  const url = URL.parse(location)
  if (url === null) return `"${location}"`
  const error = url.searchParams.get('error')
  const place =
    url.pathname === '/callback' ? 'the client' : url.pathname === '/auth' ? 'the provider' : url.href
  return `${place}${error === null ? '' : ` with ${error}`}`
}

/** What every answer of ours has, whatever it says. */
function faultOfHeaders(headers: IncomingHttpHeaders): string {
  const own = headers['x-request-id'] !== undefined && headers['content-security-policy'] !== undefined
  if (!own) return ''
  const sound =
    headers['x-content-type-options'] === 'nosniff' && headers['referrer-policy'] === 'no-referrer'
  return sound && headers['x-powered-by'] === undefined ? '' : ' without its security headers'
}

export function jsonOf(body: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
