import { storageError } from './model.ts'

type Multipart = {
  readonly metadata: unknown
  readonly contentType: string | undefined
  readonly data: Buffer
}

/** Splits a `multipart/related` upload (RFC 2387): a JSON part, then the object's bytes. */
export function parseMultipart(contentType: string, body: Buffer): Multipart {
  const boundary = /boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType)
  const marker = boundary?.[1] ?? boundary?.[2]
  if (marker === undefined) throw malformed()
  const parts = splitParts(body, marker)
  const [description, content] = parts
  if (description === undefined || content === undefined || parts.length !== 2) throw malformed()
  try {
    return {
      metadata: JSON.parse(description.content.toString('utf8')),
      contentType: /^content-type:\s*(.+)$/im.exec(content.headers)?.[1]?.trim(),
      data: content.content,
    }
  } catch {
    throw malformed()
  }
}

type Part = { headers: string; content: Buffer }

function splitParts(body: Buffer, marker: string): Part[] {
  // A boundary stands at the start of a line; the first one may stand at the start of the body.
  const whole = Buffer.concat([Buffer.from('\r\n'), body])
  const delimiter = Buffer.from(`\r\n--${marker}`)
  const parts: Part[] = []
  let at = whole.indexOf(delimiter)
  while (at !== -1) {
    const start = at + delimiter.length
    if (whole.subarray(start, start + 2).toString() === '--') return parts
    const next = whole.indexOf(delimiter, start)
    if (next === -1) break
    const part = whole.subarray(whole.indexOf('\r\n', start) + 2, next)
    const blank = part.indexOf('\r\n\r\n')
    if (blank === -1) throw malformed()
    parts.push({ headers: part.subarray(0, blank).toString('latin1'), content: part.subarray(blank + 4) })
    at = next
  }
  throw malformed()
}

const malformed = () => storageError(400, 'parseError', 'Malformed multipart body.')
