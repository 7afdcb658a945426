import { lookup } from 'node:dns/promises'
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { LookupFunction } from 'node:net'
import { type Config, isDemoProject } from '#shared/config.ts'
import { signalAfter } from '#shared/deadline.ts'
import { specialUseOf } from '../domain/special-addresses.ts'
import { type GuardedFetch, type GuardedReply, type GuardedRequest, GuardRefused } from '../ports/outbound.ts'

const LIMIT_MS = 2_500
const MOST_HEADER_BYTES = 16 * 1024
const METHODS: readonly string[] = ['GET', 'HEAD', 'POST']
/** Names that only mean something inside a network (RFC 6761, 6762, 7686, 8375, and `internal`). */
const INNER_NAMES =
  /(?:^|\.)(?:localhost|local|localdomain|internal|intranet|lan|home\.arpa|onion|invalid|alt)$/
/** Set by us or by HTTP itself: a caller's own would let the answer be read in two ways. */
const OWN_HEADERS: readonly string[] = [
  'accept-encoding',
  'connection',
  'content-length',
  'host',
  'transfer-encoding',
]

export type ResolvedAddress = { readonly address: string; readonly family: number }

/** What tests put in place of DNS. */
export type GuardParts = {
  readonly resolve?: (host: string) => Promise<readonly ResolvedAddress[]>
}

/**
 * Calls to addresses that tenants configure: only https on port 443, only to the public internet, no
 * redirects, no credentials in the URL, bounded in size and in time as a whole.
 *
 * The name is resolved once, every address it has is checked, and the connection goes to one of these;
 * the socket's own remote address is checked again before a byte is sent. A name that points elsewhere
 * a moment later gains nothing. `OUTBOUND_ALLOW`, in demo projects alone, names host:port pairs that
 * may be private and without TLS.
 */
export function guardedFetch(
  config: Pick<Config, 'OUTBOUND_ALLOW' | 'GOOGLE_CLOUD_PROJECT'>,
  parts: GuardParts = {},
): GuardedFetch {
  const allowed = isDemoProject(config.GOOGLE_CLOUD_PROJECT)
    ? new Set((config.OUTBOUND_ALLOW ?? '').split(',').map((entry) => entry.trim().toLowerCase()))
    : new Set<string>()
  const resolve = parts.resolve ?? ((host) => lookup(host, { all: true, verbatim: true }))
  return async (address, wanted) => {
    const target = checkTarget(address, allowed)
    const limit = signalAfter(
      wanted.timeoutMs === undefined ? LIMIT_MS : Math.min(wanted.timeoutMs, LIMIT_MS),
    )
    const signal = wanted.signal === undefined ? limit : AbortSignal.any([limit, wanted.signal])
    try {
      const addresses = target.open
        ? undefined
        : await untilAborted(signal, checkedAddresses(target, resolve))
      return await exchange(target, wanted, { addresses, signal })
    } catch (error) {
      if (error instanceof GuardRefused) throw error
      if (limit.aborted) throw new GuardRefused('time', 'the answer took too long', { cause: error })
      throw new GuardRefused('network', messageOf(error), { cause: error })
    }
  }
}

type Target = {
  readonly url: URL
  /** Without the brackets of an IPv6 literal. */
  readonly host: string
  /** Named by OUTBOUND_ALLOW: may be private and plain. */
  readonly open: boolean
}

/** What the URL alone gives away; nothing is resolved for what is refused here. */
function checkTarget(address: string, allowed: ReadonlySet<string>): Target {
  const url = address.length > 2048 ? null : URL.parse(address)
  if (url === null) throw new GuardRefused('url', 'not a URL')
  if (url.username !== '' || url.password !== '') throw new GuardRefused('userinfo', 'credentials in the URL')
  const port = url.port === '' ? (url.protocol === 'http:' ? '80' : '443') : url.port
  const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
  if (/^https?:$/.test(url.protocol) && allowed.has(`${url.hostname}:${port}`))
    return { url, host, open: true }
  if (url.protocol !== 'https:') throw new GuardRefused('scheme', 'only https')
  if (port !== '443') throw new GuardRefused('port', 'only port 443')
  if (/^[\d.]+$|:/.test(host)) requirePublic(host)
  else if (!host.includes('.') || INNER_NAMES.test(host)) throw new GuardRefused('host', 'not a public name')
  return { url, host, open: false }
}

/** All of them: which one the connection takes is for the network to decide. */
async function checkedAddresses(
  { host }: Target,
  resolve: NonNullable<GuardParts['resolve']>,
): Promise<readonly ResolvedAddress[]> {
  if (/^[\d.]+$|:/.test(host)) return [{ address: host, family: host.includes(':') ? 6 : 4 }]
  const addresses = await resolve(host)
  if (addresses.length === 0) throw new GuardRefused('network', 'the name has no address')
  for (const { address } of addresses) requirePublic(address)
  return addresses
}

function requirePublic(address: string): void {
  const use = specialUseOf(address)
  if (use !== undefined) throw new GuardRefused('address', `the address is ${use}`)
}

type Connection = {
  readonly addresses: readonly ResolvedAddress[] | undefined
  readonly signal: AbortSignal
}

function exchange(target: Target, wanted: GuardedRequest, connection: Connection): Promise<GuardedReply> {
  const { addresses, signal } = connection
  const method = wanted.method ?? 'GET'
  if (!METHODS.includes(method)) throw new GuardRefused('method', 'only GET, HEAD and POST')
  const body = wanted.body === undefined ? undefined : Buffer.from(wanted.body)
  const options = {
    method,
    signal,
    // A connection of its own: one that is kept open was checked for somebody else's request.
    agent: false as const,
    maxHeaderSize: MOST_HEADER_BYTES,
    headers: headersOf(wanted, body),
    ...(addresses === undefined ? {} : { lookup: fixedLookup(addresses) }),
  }
  return new Promise((resolve, reject) => {
    const request: ClientRequest =
      target.url.protocol === 'http:'
        ? httpRequest(target.url, options)
        : httpsRequest(target.url, { ...options, rejectUnauthorized: true, minVersion: 'TLSv1.2' })
    const fail = (error: unknown): void => {
      reject(error)
      request.destroy()
    }
    request.on('error', fail)
    request.once('upgrade', () => fail(new GuardRefused('redirect', 'a protocol upgrade')))
    request.once('socket', (socket) => {
      if (!target.open) socket.once('connect', () => checkSocket(socket.remoteAddress, fail))
    })
    request.once('response', (response) => readReply(response, wanted.maxBytes).then(resolve, fail))
    request.end(body)
  })
}

function checkSocket(remoteAddress: string | undefined, fail: (error: unknown) => void): void {
  try {
    requirePublic(remoteAddress ?? '')
  } catch (error) {
    fail(error)
  }
}

function headersOf(wanted: GuardedRequest, body: Buffer | undefined): Record<string, string | number> {
  const given = Object.entries(wanted.headers ?? {}).filter(
    ([name]) => !OWN_HEADERS.includes(name.toLowerCase()),
  )
  return {
    ...Object.fromEntries(given),
    // Nothing to inflate: a few bytes could become gigabytes.
    'accept-encoding': 'identity',
    ...(body === undefined ? {} : { 'content-length': body.length }),
  }
}

/** Answers every look-up of the connection with the addresses that were checked. */
function fixedLookup(addresses: readonly ResolvedAddress[]): LookupFunction {
  return (_host, options, callback) => {
    const [first] = addresses
    if (options.all === true)
      callback(
        null,
        addresses.map(({ address, family }) => ({ address, family })),
      )
    else callback(null, first?.address ?? '', first?.family ?? 4)
  }
}

async function readReply(response: IncomingMessage, maxBytes: number): Promise<GuardedReply> {
  const status = response.statusCode ?? 0
  if (status < 200 || status > 599) throw new GuardRefused('network', 'no status of HTTP')
  if (status >= 300 && status < 400 && status !== 304) throw new GuardRefused('redirect', `status ${status}`)
  const encoding = response.headers['content-encoding'] ?? 'identity'
  if (encoding.toLowerCase() !== 'identity') throw new GuardRefused('encoding', 'a compressed answer')
  const announced = Number(response.headers['content-length'] ?? 0)
  if (announced > maxBytes) throw new GuardRefused('size', 'more than was asked for')
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) throw new GuardRefused('size', 'more than was asked for')
    chunks.push(chunk)
  }
  const headers = Object.fromEntries(
    Object.entries(response.headersDistinct).map(([name, values]) => [name, (values ?? []).join(', ')]),
  )
  return { status, headers, body: Buffer.concat(chunks) }
}

function untilAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

function messageOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'no answer'
}

/**
 * The guard as a `fetch`, for libraries that bring their own requests, such as openid-client. Answers
 * of at most `maxBytes`; what the guard refuses rejects as its error.
 */
export function asFetch(guarded: GuardedFetch, maxBytes = 64 * 1024): GuardedAsFetch {
  return async (url, options = {}) => {
    const { body, method, signal } = options
    const headers = Object.fromEntries(new Headers(options.headers).entries())
    const bytes = body === undefined || body === null ? undefined : await bytesOf(body)
    if (body instanceof URLSearchParams)
      headers['content-type'] ??= 'application/x-www-form-urlencoded;charset=UTF-8'
    const reply = await guarded(url, {
      maxBytes,
      headers,
      ...(method === undefined ? {} : { method }),
      ...(bytes === undefined ? {} : { body: bytes }),
      ...(signal === undefined || signal === null ? {} : { signal }),
    })
    const bodyless = [204, 205, 304].includes(reply.status)
    return new Response(bodyless ? null : new Uint8Array(reply.body), {
      status: reply.status,
      headers: reply.headers,
    })
  }
}

type GuardedBody = ArrayBuffer | ReadableStream | string | Uint8Array<ArrayBuffer> | URLSearchParams

export type GuardedAsFetch = (
  url: string,
  options?: {
    readonly method?: string
    readonly headers?: Readonly<Record<string, string>> | Headers
    readonly body?: GuardedBody | null
    readonly signal?: AbortSignal | null
    readonly redirect?: 'manual' | 'error' | 'follow'
  },
) => Promise<Response>

async function bytesOf(body: GuardedBody): Promise<Uint8Array> {
  return new Uint8Array(await new Response(body).arrayBuffer())
}
