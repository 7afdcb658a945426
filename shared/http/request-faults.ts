import type { IncomingMessage } from 'node:http'
import { type Refusal, refuse } from '../result.ts'

/** The largest body any function takes: Pub/Sub's 10 MB message in base64, and its envelope. */
export const MOST_BODY_BYTES = 14 * 1024 * 1024

/** All headers together: what the gateway lets through, with the token it adds and its copy. */
export const MOST_HEADER_BYTES = 64 * 1024
const MOST_HEADERS = 128
const MOST_VALUE_BYTES = 8 * 1024
const MOST_URL_BYTES = 8 * 1024

/** Paths that functions-framework answers itself, without our headers and without a log line. */
const FRAMEWORK_PATHS = /^\/(?:favicon\.ico|robots\.txt)(?:\/|$)/i

/** What is wrong with a request before anybody looks at who sent it, or nothing. */
export function faultOf(request: IncomingMessage): Refusal | undefined {
  return faultOfFraming(request) ?? faultOfHeaders(request) ?? faultOfPath(request.url ?? '/')
}

/** What the parser of Node could not take, in our words. */
export function faultOfParser(error: Error): Refusal {
  const code = 'code' in error ? String(error.code) : ''
  const detail = code === '' ? 'parser' : code
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return headersTooLarge(detail)
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return refuse('request.timeout', detail)
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return refuse('request.too_large', detail, 'Send chunks without extensions.')
    case 'HPE_INVALID_METHOD':
      return refuse('request.malformed', detail, 'The request line names no method of HTTP.')
    case 'HPE_INVALID_VERSION':
      return refuse('request.malformed', detail, 'The request is not HTTP/1.1.')
    case 'HPE_INVALID_URL':
      return refuse('request.malformed', detail, 'The request target is not a valid URL.')
    case 'HPE_INVALID_HEADER_TOKEN':
    case 'HPE_UNEXPECTED_SPACE':
      return refuse('request.malformed', detail, 'A header has a character that is not accepted.')
    case 'HPE_INVALID_CONTENT_LENGTH':
    case 'HPE_UNEXPECTED_CONTENT_LENGTH':
    case 'HPE_INVALID_TRANSFER_ENCODING':
      return refuse('request.malformed', detail, 'The length of the body is told wrongly or twice.')
    case 'HPE_INVALID_CHUNK_SIZE':
    case 'HPE_STRICT':
      return refuse('request.malformed', detail, 'The chunks of the body are malformed.')
    case 'HPE_INVALID_EOF_STATE':
      return refuse('request.malformed', detail, 'The request ended early.')
    default:
      return refuse('request.malformed', detail, 'The request is not HTTP/1.1.')
  }
}

function faultOfFraming({ headers, headersDistinct, httpVersion }: IncomingMessage): Refusal | undefined {
  if (!(Number(headers['content-length'] ?? 0) <= MOST_BODY_BYTES)) {
    const hint = `At most ${MOST_BODY_BYTES} bytes are accepted.`
    return refuse('request.too_large', 'declared too large', hint)
  }
  const transfer = headers['transfer-encoding']
  if (transfer !== undefined && transfer.toLowerCase() !== 'chunked') {
    return refuse('request.malformed', 'transfer-encoding', 'The only Transfer-Encoding accepted is chunked.')
  }
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    const hint = 'Send the body without Content-Encoding.'
    return refuse('request.unsupported_media_type', 'content-encoding', hint)
  }
  if (headersDistinct['host']?.length !== 1 && httpVersion !== '1.0') {
    return refuse('request.malformed', 'host', 'Send exactly one Host.')
  }
  return undefined
}

function faultOfHeaders({ rawHeaders }: IncomingMessage): Refusal | undefined {
  if (rawHeaders.length > 2 * MOST_HEADERS) return headersTooLarge('too many')
  const long = rawHeaders.some((text) => text.length > MOST_VALUE_BYTES)
  return long ? headersTooLarge('a value too long') : undefined
}

function headersTooLarge(detail: string): Refusal {
  const hint = `At most ${MOST_HEADERS} headers are accepted, each of at most ${MOST_VALUE_BYTES} bytes.`
  return refuse('request.headers_too_large', detail, hint)
}

function faultOfPath(url: string): Refusal | undefined {
  if (url.length > MOST_URL_BYTES) {
    return refuse('request.malformed', 'url too long', `The URL has at most ${MOST_URL_BYTES} bytes.`)
  }
  // Node's parser also takes `OPTIONS *` and any scheme; Express would answer those with a page of its own.
  if (!/^(?:\/|https?:\/\/)/i.test(url)) {
    return refuse('request.malformed', 'no path', 'The request target is not a valid URL.')
  }
  const [path = '/'] = url.split('?', 1)
  if (FRAMEWORK_PATHS.test(path)) return refuse('request.not_found', 'no such route')
  try {
    decodeURIComponent(path)
    return undefined
  } catch {
    return refuse('request.malformed', 'bad escape in path', 'The path is not valid percent-encoded UTF-8.')
  }
}
