import { invalid } from '../rpc-error.ts'

/** A database and a path below its documents: `''` is the root, `a/b` a document, `a` a collection. */
type ResourceName = { database: string; path: string }

const NAME = /^(projects\/[^/]+\/databases\/[^/]+)\/documents(?:\/(.+))?$/s
const DATABASE = /^projects\/[^/]+\/databases\/[^/]+$/
const MAX_ID_BYTES = 1500
const MAX_NAME_BYTES = 6 * 1024
const MAX_SUBCOLLECTIONS = 100

/** Splits a full resource name; INVALID_ARGUMENT when it is none. Ids are not checked here. */
export function parseName(name: string): ResourceName {
  const match = NAME.exec(name)
  const database = match?.[1]
  if (database === undefined) throw invalid(`Invalid resource name: "${name}".`)
  return { database, path: match?.[2] ?? '' }
}

/** Checks the name of a database, `projects/P/databases/D`, and returns it. */
export function parseDatabase(name: string): string {
  if (!DATABASE.test(name)) throw invalid(`Invalid database name: "${name}".`)
  return name
}

/** Splits the name of a document and holds every id in it to the service's rules. */
export function parseDocumentName(name: string): ResourceName {
  const parsed = parseName(name)
  const segments = parsed.path.split('/')
  if (parsed.path === '' || segments.length % 2 !== 0) {
    throw invalid(`Document name "${name}" lacks a document id or has a collection's shape.`)
  }
  for (const segment of segments) checkId(segment, name)
  if (segments.length > 2 * MAX_SUBCOLLECTIONS) throw invalid(`Document name "${name}" is too deep.`)
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) throw invalid('The document name is longer than 6 KiB.')
  return parsed
}

/** Holds a collection id or a document id to the rules: not empty, `.`, `..`, `__x__`, over 1500 bytes. */
export function checkId(id: string, name: string): void {
  if (id === '') throw invalid(`Resource name "${name}" contains an empty id.`)
  if (id === '.' || id === '..') throw invalid(`Resource id "${id}" in "${name}" is not allowed.`)
  if (/^__.*__$/s.test(id) && !/^__id-?\d+__$/.test(id)) {
    throw invalid(`Resource id "${id}" is invalid because it is reserved.`)
  }
  if (id.length > MAX_ID_BYTES / 3 && Buffer.byteLength(id) > MAX_ID_BYTES) {
    throw invalid(`Resource id "${id.slice(0, 40)}…" is longer than 1500 bytes.`)
  }
}

const MAX_PATH_DEPTH = 20
const SIMPLE_SEGMENT = /^[a-zA-Z_][a-zA-Z_0-9]*$/

/**
 * Splits a field path at its dots: a segment is a plain identifier or stands in backticks, within which
 * a backtick and a backslash are escaped by a backslash.
 */
export function parseFieldPath(text: string): string[] {
  const segments: string[] = []
  let at = 0
  while (at <= text.length) {
    const quoted = text[at] === '`' ? readQuoted(text, at) : undefined
    const end = quoted?.end ?? endOfPlain(text, at)
    const segment = quoted?.segment ?? text.slice(at, end)
    if (segment === '' || (quoted === undefined && !SIMPLE_SEGMENT.test(segment))) {
      throw invalid(`Invalid property path "${text}".`)
    }
    segments.push(segment)
    if (end === text.length) return checkFieldPath(segments, text)
    if (text[end] !== '.') throw invalid(`Invalid property path "${text}".`)
    at = end + 1
  }
  throw invalid(`Invalid property path "${text}".`)
}

/** Writes a field path in its canonical form: only segments that need backticks get them. */
export function formatFieldPath(path: readonly string[]): string {
  return path
    .map((segment) =>
      SIMPLE_SEGMENT.test(segment)
        ? segment
        : `\`${segment.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``,
    )
    .join('.')
}

/** Whether a path is the document's own name and not one of its fields. */
export function isNamePath(path: readonly string[]): boolean {
  return path.length === 1 && path[0] === '__name__'
}

function readQuoted(text: string, start: number): { segment: string; end: number } {
  let segment = ''
  for (let at = start + 1; at < text.length; at++) {
    const char = text[at]
    if (char === '`') return { segment, end: at + 1 }
    if (char === '\\') at++
    segment += text[at] ?? ''
  }
  throw invalid(`Invalid property path "${text}": a backtick is not closed.`)
}

function endOfPlain(text: string, start: number): number {
  const dot = text.indexOf('.', start)
  return dot === -1 ? text.length : dot
}

function checkFieldPath(segments: string[], text: string): string[] {
  if (Buffer.byteLength(text) > MAX_ID_BYTES) throw invalid('The property path is longer than 1500 bytes.')
  if (segments.length > MAX_PATH_DEPTH)
    throw invalid(`A property path has at most ${MAX_PATH_DEPTH} elements.`)
  if (!isNamePath(segments) && segments.some((segment) => /^__.*__$/s.test(segment))) {
    throw invalid(`Invalid reserved name in field path ${text}`)
  }
  return segments
}
