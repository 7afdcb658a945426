import type { IncomingMessage } from 'node:http'
import type { Route } from '../catalogue/routes.ts'
import { ok, type Result, refuse } from '../result.ts'

/** What functions-framework hands to a handler: a Node request whose body it has already read. */
export type FrameworkRequest = IncomingMessage & { readonly rawBody?: Buffer; readonly originalUrl?: string }

/** The media type the caller sent, kept by the front before the framework could parse by it. */
export const ORIGINAL_CONTENT_TYPE = 'x-energent-content-type'

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
  for (const piece of text === '' ? [] : text.split('&')) {
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
export function readBody(
  request: FrameworkRequest,
  route: Route,
): Result<{ body: Uint8Array; contentType: string | undefined }> {
  const body = request.rawBody ?? Buffer.alloc(0)
  if (body.length > route.maxBodyBytes) {
    const limit = route.maxBodyBytes
    return refuse(
      'request.too_large',
      `${body.length} bytes`,
      `This route takes a body of at most ${limit} bytes.`,
    )
  }
  const sent = request.headers[ORIGINAL_CONTENT_TYPE]
  const [mediaType, ...parameters] = String(sent ?? '')
    .toLowerCase()
    .split(';')
  const contentType = mediaType?.trim() ?? ''
  if (route.accepts === undefined)
    return ok({ body, contentType: contentType === '' ? undefined : contentType })
  if (!route.accepts.includes(contentType)) {
    const hint = `Send Content-Type: ${route.accepts.join(' or ')}.`
    return refuse('request.unsupported_media_type', `content-type ${contentType}`, hint)
  }
  const charset = parameters
    .map((parameter) => parameter.trim())
    .find((parameter) => parameter.startsWith('charset='))
  if (charset !== undefined && !/^charset="?utf-8"?$/.test(charset)) {
    return refuse('request.malformed', charset, 'The only charset accepted is UTF-8.')
  }
  return ok({ body, contentType })
}

/** The address Google's front end saw: it appends to X-Forwarded-For, so only the last entry is its own. */
export function clientAddress(request: IncomingMessage): string {
  const forwarded = String(request.headers['x-forwarded-for'] ?? '')
    .split(',')
    .at(-1)
    ?.trim()
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
