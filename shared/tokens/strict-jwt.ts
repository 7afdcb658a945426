import { asRecord, checkJson } from '../json.ts'
import { ok, type Result, refuse } from '../result.ts'

export type JwtParts = {
  readonly header: Readonly<Record<string, unknown>>
  readonly payload: Readonly<Record<string, unknown>>
  /** The payload segment as sent. */
  readonly payloadSegment: string
}

const SHAPE = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/
const MOST_BYTES = 8 * 1024
const HEADER_MEMBERS = new Set(['alg', 'typ', 'kid'])

/**
 * The checks before any cryptography (RFC 8725): size, three canonical base64url parts, a header of
 * only `alg`, `typ` and `kid`, and JSON that is byte for byte what a serializer writes, so that no
 * duplicate member can mean two things to two readers, and without members that reach a prototype.
 */
export function splitOwnJwt(token: string): Result<JwtParts> {
  const parts = splitJwt(token, { maxBytes: MOST_BYTES, parse: parseExact })
  if (!parts.ok) return parts
  const extra = Object.keys(parts.value.header).find((member) => !HEADER_MEMBERS.has(member))
  return extra === undefined ? parts : refuse('token.invalid', `header member ${extra}`)
}

/**
 * The form of every JWT, ours and others': three canonical base64url parts, of which the first two are
 * what `parse` takes for a JSON object. For the two strict readers alone.
 */
export function splitJwt(
  token: string,
  options: {
    readonly maxBytes: number
    readonly parse: (segment: string) => Record<string, unknown> | undefined
  },
): Result<JwtParts> {
  if (token.length > options.maxBytes) {
    return refuse('token.invalid', `longer than ${options.maxBytes / 1024} KiB`)
  }
  const [, headerSegment, payloadSegment, signature] = SHAPE.exec(token) ?? []
  if (!headerSegment || !payloadSegment || !signature) {
    return refuse('token.invalid', 'not three base64url parts')
  }
  if (![headerSegment, payloadSegment, signature].every(isCanonical)) {
    return refuse('token.invalid', 'base64url is not canonical')
  }
  const header = options.parse(headerSegment)
  const payload = options.parse(payloadSegment)
  if (header === undefined || payload === undefined) return refuse('token.invalid', 'not exact JSON objects')
  return ok({ header, payload, payloadSegment })
}

function isCanonical(segment: string): boolean {
  return Buffer.from(segment, 'base64url').toString('base64url') === segment
}

function parseExact(segment: string): Record<string, unknown> | undefined {
  const bytes = Buffer.from(segment, 'base64url')
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    // Compared as bytes, so that invalid UTF-8 does not pass as the character that replaces it.
    const exact = Buffer.from(JSON.stringify(value), 'utf8').equals(bytes)
    return exact && checkJson(value).ok ? asRecord(value) : undefined
  } catch {
    return undefined
  }
}
