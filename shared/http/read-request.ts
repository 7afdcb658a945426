import type { IncomingMessage } from 'node:http'
import type { Route } from '../catalogue/routes.ts'
import { after } from '../deadline.ts'
import { ok, type Result, refuse } from '../result.ts'
import { onBodyFault } from './body-fault.ts'

/** What functions-framework hands to a handler: a Node request whose body it has already read. */
export type FrameworkRequest = IncomingMessage & { readonly rawBody?: Buffer; readonly originalUrl?: string }

/** A header that may stand only once: undefined when absent, a refusal when repeated. */
export function singleHeader(request: IncomingMessage, name: string): Result<string | undefined> {
  const values = request.headersDistinct[name]
  if (values === undefined || values.length === 0) return ok(undefined)
  if (values.length > 1)
    return refuse('request.malformed', `header ${name} repeated`, `Send ${name} only once.`)
  return ok(values[0])
}

/** Query parameters, each at most once, percent-encoding and UTF-8 checked. */
export function readQuery(search: string): Result<Record<string, string>> {
  return readPairs(search, 'query parameter')
}

/** Name-value pairs of a query or form: duplicates, bad escapes, NUL and bad UTF-8 are refused. */
export function readPairs(text: string, what: string): Result<Record<string, string>> {
  const pairs = new Map<string, string>()
  for (const piece of text.split('&')) {
    if (piece === '') continue
    const cut = piece.indexOf('=')
    const name = decodePiece(cut < 0 ? piece : piece.slice(0, cut))
    const value = decodePiece(cut < 0 ? '' : piece.slice(cut + 1))
    if (name === undefined || value === undefined) {
      return refuse(
        'request.malformed',
        `bad escape in ${what}`,
        `A ${what} is not valid percent-encoded UTF-8.`,
      )
    }
    if (pairs.has(name)) {
      return refuse('request.malformed', `duplicate ${what}`, `Send each ${what} only once.`)
    }
    pairs.set(name, value)
    if (pairs.size > 32)
      return refuse('request.malformed', `too many ${what}s`, `At most 32 ${what}s are accepted.`)
  }
  return ok(Object.fromEntries(pairs))
}

/** The body, checked against what the route takes: size, media type and charset. The front has refused encodings. */
export async function readBody(
  request: FrameworkRequest,
  route: Pick<Route, 'maxBodyBytes' | 'accepts' | 'bodyOptional'>,
): Promise<Result<{ body: Uint8Array; contentType: string | undefined }>> {
  const named = readMediaType(request, route)
  const isBare = route.bodyOptional === true && request.headers['content-type'] === undefined
  const mediaType = isBare ? ok(undefined) : named
  if (!mediaType.ok) return mediaType
  const body = await receiveBody(request, route.maxBodyBytes)
  // Bytes of no known kind are refused as everywhere.
  if (isBare && body.ok && body.value.length > 0 && !named.ok) return named
  return body.ok ? ok({ body: body.value, contentType: mediaType.value }) : body
}

function readMediaType(request: FrameworkRequest, route: Pick<Route, 'accepts'>): Result<string | undefined> {
  const [mediaType = '', ...parameters] = (request.headers['content-type'] ?? '').toLowerCase().split(';')
  const contentType = mediaType.trim()
  if (route.accepts === undefined) return ok(contentType === '' ? undefined : contentType)
  if (!route.accepts.includes(contentType)) {
    const hint = `Send Content-Type: ${route.accepts.join(' or ')}.`
    return refuse('request.unsupported_media_type', 'content-type', hint)
  }
  const charsets = parameters
    .map((parameter) => parameter.trim())
    .filter((parameter) => parameter.startsWith('charset='))
  if (charsets.some((charset) => !/^charset=(?:utf-8|"utf-8")$/.test(charset))) {
    return refuse('request.malformed', 'charset', 'The only charset accepted is UTF-8.')
  }
  return ok(contentType)
}

/** Without a byte for so long a body has stalled; real time, since it is the caller's connection that is waited for. */
const MOST_SILENCE_MS = 5_000
/** A whole body, however it drips: less than the deadline of any route, which would call it our fault. */
const MOST_BODY_MS = 10_000

/**
 * The bytes of a body of at most `maxBytes`.
 *
 * One that does not arrive is told 408: it holds a place of this instance, and nobody had to prove
 * anything to send its headers. A body that declares more is not read at all, and one that turns out longer is let run past without
 * being kept: the framework has buffered nothing (see `installFront`).
 */
export function receiveBody(request: FrameworkRequest, maxBytes: number): Promise<Result<Buffer>> {
  const tooLarge = refuse(
    'request.too_large',
    'body over the limit',
    `This route takes a body of at most ${maxBytes} bytes.`,
  )
  const { rawBody } = request
  if (rawBody !== undefined) return Promise.resolve(rawBody.length > maxBytes ? tooLarge : ok(rawBody))
  if (Number(request.headersDistinct['content-length']?.[0] ?? 0) > maxBytes) return Promise.resolve(tooLarge)
  if (request.readableEnded) return Promise.resolve(ok(Buffer.alloc(0)))
  if (request.destroyed) return Promise.resolve(refuse('request.malformed', 'the body ended early'))
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let received = 0
    const settle = (result: Result<Buffer>): void => {
      forgetSilence()
      forgetWhole()
      request.off('data', onData).off('end', onEnd).off('close', onCutOff)
      unhear()
      // Whatever else comes is thrown away; a late error of the socket is nobody's business any more.
      request.resume()
      resolve(result)
    }
    const onLate = (): void => settle(refuse('request.timeout', 'the body did not arrive'))
    let forgetSilence = after(MOST_SILENCE_MS, onLate)
    const forgetWhole = after(MOST_BODY_MS, onLate)
    const onData = (chunk: Buffer): void => {
      forgetSilence()
      forgetSilence = after(MOST_SILENCE_MS, onLate)
      received += chunk.length
      if (received > maxBytes) settle(tooLarge)
      else chunks.push(chunk)
    }
    const onEnd = (): void => settle(ok(Buffer.concat(chunks, received)))
    const onCutOff = (): void => settle(refuse('request.malformed', 'the body ended early'))
    let unhear = (): void => undefined
    unhear = onBodyFault(request, settle)
    request.on('error', onCutOff).on('data', onData).on('end', onEnd).on('close', onCutOff)
  })
}

/**
 * The address that called, as the outermost of our own proxies saw it.
 *
 * Each proxy appends to X-Forwarded-For whom it heard from, so the entry is counted from the right:
 * `proxyHops` of them stand between that proxy and us. What the caller wrote is further left.
 */
export function clientAddress(request: IncomingMessage, proxyHops: number): string {
  const entries = String(request.headers['x-forwarded-for'] ?? '').split(',')
  const forwarded = entries.at(-1 - proxyHops)?.trim()
  return forwarded === undefined || forwarded === '' ? (request.socket.remoteAddress ?? '') : forwarded
}

function decodePiece(piece: string): string | undefined {
  try {
    const text = decodeURIComponent(piece.replaceAll('+', ' '))
    return text.includes('\0') ? undefined : text
  } catch {
    return undefined
  }
}
