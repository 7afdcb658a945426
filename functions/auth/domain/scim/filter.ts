import { ok, type Result, refuse } from '#shared/result.ts'

/** An attribute as a filter or a path names it (RFC 7644 §3.10); names are in lower case, for case means nothing. */
export type AttributePath = {
  /** The URN of a schema, in lower case. */
  readonly schema: string | undefined
  readonly name: string
  readonly sub: string | undefined
}

export const COMPARISONS = ['eq', 'ne', 'co', 'sw', 'ew', 'gt', 'ge', 'lt', 'le'] as const
export type Comparison = (typeof COMPARISONS)[number]
export type FilterValue = string | number | boolean | null

/** A filter of RFC 7644 §3.4.2.2. */
export type ScimFilter =
  | {
      readonly kind: 'compare'
      readonly path: AttributePath
      readonly op: Comparison
      readonly value: FilterValue
    }
  | { readonly kind: 'present'; readonly path: AttributePath }
  | { readonly kind: 'and' | 'or'; readonly left: ScimFilter; readonly right: ScimFilter }
  | { readonly kind: 'not'; readonly filter: ScimFilter }
  | { readonly kind: 'values'; readonly path: AttributePath; readonly filter: ScimFilter }

/** What a PATCH operation is about (RFC 7644 §3.5.2): `emails`, `name.familyName`, `emails[type eq "work"].value`. */
export type PatchPath = {
  readonly path: AttributePath
  readonly filter: ScimFilter | undefined
}

export const MOST_FILTER_LENGTH = 1_000
const MOST_TERMS = 40
const MOST_DEPTH = 10

/** Reads a filter; `and` binds before `or`, operators and names are in any case. */
export function parseFilter(text: string): Result<ScimFilter> {
  return reading(text, 'scim.filter_invalid', (reader) => {
    const filter = readOr(reader, 1)
    if (reader.peek() !== undefined) throw new Unreadable(`there is more after its end: ${reader.rest()}`)
    return filter
  })
}

/** Reads the path of a PATCH operation. */
export function parsePatchPath(text: string): Result<PatchPath> {
  return reading(text, 'scim.path_invalid', (reader) => {
    const path = attributePath(reader.take())
    if (reader.peek() === undefined) return { path, filter: undefined }
    if (path.sub !== undefined) throw new Unreadable('a filter stands behind an attribute, not below one')
    reader.expect('[')
    const filter = readOr(reader, 1)
    reader.expect(']')
    const below = reader.peek()
    if (below === undefined) return { path, filter }
    reader.take()
    if (!/^\.[A-Za-z$][\w$-]{0,63}$/.test(below) || reader.peek() !== undefined) {
      throw new Unreadable('after ] only a sub-attribute may stand')
    }
    return { path: { ...path, sub: below.slice(1).toLowerCase() }, filter }
  })
}

/** `userName`, `name.familyName`, or either behind the URN of its schema. */
export function parseAttributePath(text: string): Result<AttributePath> {
  return reading(text, 'scim.path_invalid', (reader) => {
    const path = attributePath(reader.take())
    if (reader.peek() !== undefined) throw new Unreadable('an attribute has one name')
    return path
  })
}

/** What cannot be read, in words for who sent it; it never leaves this file. */
class Unreadable extends Error {}

type Reader = {
  peek(): string | undefined
  take(): string
  expect(token: string): void
  rest(): string
  /** Counts a term: a short text can otherwise cost much. */
  count(): void
}

function reading<T>(
  text: string,
  code: 'scim.filter_invalid' | 'scim.path_invalid',
  read: (reader: Reader) => T,
): Result<T> {
  if (text.length > MOST_FILTER_LENGTH) {
    return refuse(code, 'too long', `It has at most ${MOST_FILTER_LENGTH} characters.`)
  }
  try {
    return ok(read(readerOf(tokensOf(text))))
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    return refuse(code, 'does not parse', `It cannot be read: ${error.message}.`)
  }
}

const TOKEN =
  /\s*(?:([()[\]])|("(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*")|(\.?[A-Za-z$][\w$:.-]*|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?))/uy

function tokensOf(text: string): string[] {
  const tokens: string[] = []
  const trimmed = text.trim()
  TOKEN.lastIndex = 0
  let end = 0
  for (let found = TOKEN.exec(trimmed); found !== null; found = TOKEN.exec(trimmed)) {
    tokens.push(found[1] ?? found[2] ?? found[3] ?? '')
    end = TOKEN.lastIndex
  }
  if (end < trimmed.length) throw new Unreadable(`at ${JSON.stringify(trimmed.slice(end, end + 20))}`)
  return tokens
}

function readerOf(tokens: readonly string[]): Reader {
  let at = 0
  let terms = 0
  const take = (): string => {
    const token = tokens[at]
    if (token === undefined) throw new Unreadable('it ends too early')
    at += 1
    return token
  }
  return {
    peek: () => tokens[at],
    take,
    expect: (wanted) => {
      const token = take()
      if (token !== wanted) throw new Unreadable(`${JSON.stringify(wanted)} is missing`)
    },
    rest: () => JSON.stringify(tokens[at] ?? ''),
    count: () => {
      terms += 1
      if (terms > MOST_TERMS) throw new Unreadable(`it has more than ${MOST_TERMS} terms`)
    },
  }
}

function readOr(reader: Reader, depth: number): ScimFilter {
  if (depth > MOST_DEPTH) throw new Unreadable(`it is nested deeper than ${MOST_DEPTH} levels`)
  let left = readAnd(reader, depth)
  while (isWord(reader.peek(), 'or')) {
    reader.take()
    left = { kind: 'or', left, right: readAnd(reader, depth) }
  }
  return left
}

function readAnd(reader: Reader, depth: number): ScimFilter {
  let left = readTerm(reader, depth)
  while (isWord(reader.peek(), 'and')) {
    reader.take()
    left = { kind: 'and', left, right: readTerm(reader, depth) }
  }
  return left
}

function readTerm(reader: Reader, depth: number): ScimFilter {
  reader.count()
  const token = reader.take()
  if (token === '(') return readGroup(reader, depth)
  if (isWord(token, 'not') && reader.peek() === '(') {
    reader.take()
    return { kind: 'not', filter: readGroup(reader, depth) }
  }
  const path = attributePath(token)
  if (reader.peek() === '[') {
    reader.take()
    const filter = readOr(reader, depth + 1)
    reader.expect(']')
    return { kind: 'values', path, filter }
  }
  const op = reader.take().toLowerCase()
  if (op === 'pr') return { kind: 'present', path }
  const comparison = COMPARISONS.find((known) => known === op)
  if (comparison === undefined) throw new Unreadable(`${JSON.stringify(op)} is no operator`)
  return { kind: 'compare', path, op: comparison, value: literalOf(reader.take()) }
}

function readGroup(reader: Reader, depth: number): ScimFilter {
  const filter = readOr(reader, depth + 1)
  reader.expect(')')
  return filter
}

function literalOf(token: string): FilterValue {
  if (token.startsWith('"')) {
    const text = JSON.parse(token) as string
    if (!text.isWellFormed()) throw new Unreadable('a text is not valid Unicode')
    return text
  }
  const word = token.toLowerCase()
  if (word === 'true' || word === 'false') return word === 'true'
  if (word === 'null') return null
  if (/^-?\d/.test(token) && Number.isFinite(Number(token))) return Number(token)
  throw new Unreadable(`${JSON.stringify(token)} is no value; texts stand in double quotes`)
}

const NAME = /^([A-Za-z$][\w$-]{0,63})(?:\.([A-Za-z$][\w$-]{0,63}))?$/

/** A URN has dots and colons of its own: the attribute is what follows its last colon. */
function attributePath(token: string): AttributePath {
  const colon = token.lastIndexOf(':')
  const match = NAME.exec(token.slice(colon + 1))
  const schema = colon < 0 ? undefined : token.slice(0, colon).toLowerCase()
  if (match === null || (schema !== undefined && !schema.startsWith('urn:'))) {
    throw new Unreadable(`${JSON.stringify(token.slice(0, 80))} is no attribute`)
  }
  return { schema, name: (match[1] ?? '').toLowerCase(), sub: match[2]?.toLowerCase() }
}

function isWord(token: string | undefined, word: string): boolean {
  return token?.toLowerCase() === word
}
