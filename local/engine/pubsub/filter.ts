/** Decides whether a subscription wants a message, from the message's attributes alone. */
export type AttributeFilter = (attributes: Readonly<Record<string, string>>) => boolean

type ParsedFilter =
  | { readonly ok: true; readonly matches: AttributeFilter }
  | { readonly ok: false; readonly problem: string }

/** Pub/Sub's own limit on a filter, in bytes. */
const MAX_FILTER_BYTES = 256

type Token = {
  readonly kind: 'word' | 'string' | 'symbol' | 'end'
  readonly text: string
  readonly at: number
}

/**
 * Parses Pub/Sub's filter language: `attributes:KEY`, `attributes.KEY = "v"`, `!=`,
 * `hasPrefix(attributes.KEY, "v")`, `AND`, `OR`, `NOT` (or `-`) and parentheses.
 *
 * As in Pub/Sub, AND and OR may not be mixed without parentheses, so there is no precedence between
 * them to remember; operators are upper case; a key with other characters than letters, digits, `_`
 * and `-` is a string literal. `!=` is the negation of `=`: it also matches a message without the key.
 */
export function parseFilter(text: string): ParsedFilter {
  if (text.trim() === '') return { ok: true, matches: () => true }
  if (Buffer.byteLength(text) > MAX_FILTER_BYTES) {
    return { ok: false, problem: `a filter is at most ${MAX_FILTER_BYTES} bytes` }
  }
  try {
    const cursor = createCursor(tokenize(text))
    const matches = parseExpression(cursor)
    if (cursor.peek().kind !== 'end') throw unexpected(cursor.peek())
    return { ok: true, matches }
  } catch (error) {
    return { ok: false, problem: error instanceof Error ? error.message : String(error) }
  }
}

type Cursor = {
  peek(): Token
  next(): Token
  /** Takes the next token if it is exactly this word or symbol. */
  accept(text: string): boolean
  expect(text: string): void
}

function createCursor(tokens: readonly Token[]): Cursor {
  const end: Token = { kind: 'end', text: 'the end of the filter', at: tokens.at(-1)?.at ?? 0 }
  let position = 0
  const peek = (): Token => tokens[position] ?? end
  const accept = (text: string): boolean => {
    const token = peek()
    if (token.kind === 'string' || token.kind === 'end' || token.text !== text) return false
    position += 1
    return true
  }
  return {
    peek,
    accept,
    next: () => {
      const token = peek()
      position += 1
      return token
    },
    expect: (text) => {
      if (!accept(text)) throw unexpected(peek(), text)
    },
  }
}

function parseExpression(cursor: Cursor): AttributeFilter {
  const terms = [parseTerm(cursor)]
  const operator = cursor.peek().text
  if (operator !== 'AND' && operator !== 'OR') return only(terms)
  while (cursor.accept(operator)) terms.push(parseTerm(cursor))
  const following = cursor.peek()
  if (following.kind === 'word' && (following.text === 'AND' || following.text === 'OR')) {
    throw new Error(`AND and OR need parentheses to be combined (at ${following.at})`)
  }
  return operator === 'AND'
    ? (attributes) => terms.every((term) => term(attributes))
    : (attributes) => terms.some((term) => term(attributes))
}

function parseTerm(cursor: Cursor): AttributeFilter {
  if (cursor.accept('NOT') || cursor.accept('-')) {
    const negated = parseTerm(cursor)
    return (attributes) => !negated(attributes)
  }
  if (cursor.accept('(')) {
    const inner = parseExpression(cursor)
    cursor.expect(')')
    return inner
  }
  if (cursor.accept('hasPrefix')) return parsePrefix(cursor)
  cursor.expect('attributes')
  if (cursor.accept(':')) {
    const key = parseKey(cursor)
    return (attributes) => Object.hasOwn(attributes, key)
  }
  cursor.expect('.')
  const key = parseKey(cursor)
  const equal = cursor.accept('=')
  if (!equal) cursor.expect('!=')
  const value = parseString(cursor)
  return (attributes) => (Object.hasOwn(attributes, key) && attributes[key] === value) === equal
}

function parsePrefix(cursor: Cursor): AttributeFilter {
  cursor.expect('(')
  cursor.expect('attributes')
  cursor.expect('.')
  const key = parseKey(cursor)
  cursor.expect(',')
  const prefix = parseString(cursor)
  cursor.expect(')')
  return (attributes) => Object.hasOwn(attributes, key) && attributes[key]?.startsWith(prefix) === true
}

function parseKey(cursor: Cursor): string {
  const token = cursor.next()
  if (token.kind !== 'word' && token.kind !== 'string') throw unexpected(token, 'an attribute key')
  return token.text
}

function parseString(cursor: Cursor): string {
  const token = cursor.next()
  if (token.kind !== 'string') throw unexpected(token, 'a string in double quotes')
  return token.text
}

const only = <T>(items: readonly T[]): T => items[0] as T

function unexpected(token: Token, wanted?: string): Error {
  return new Error(
    `unexpected ${token.text} at ${token.at}${wanted === undefined ? '' : `, wanted ${wanted}`}`,
  )
}

const WHITESPACE = /\s+/y
const WORD = /[A-Za-z0-9_][A-Za-z0-9_-]*/y
const SYMBOL = /!=|[=:.,()-]/y

function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    return pattern.exec(text)?.[0]
  }
  while (at < text.length) {
    const space = take(WHITESPACE)
    if (space !== undefined) {
      at += space.length
    } else if (text[at] === '"') {
      const literal = readString(text, at)
      tokens.push({ kind: 'string', text: literal.value, at })
      at = literal.end
    } else {
      const word = take(WORD)
      const symbol = word ?? take(SYMBOL)
      if (symbol === undefined) throw new Error(`unexpected ${text[at]} at ${at}`)
      tokens.push({ kind: word === undefined ? 'symbol' : 'word', text: symbol, at })
      at += symbol.length
    }
  }
  return tokens
}

const SIMPLE_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\\', '\\'],
  ['"', '"'],
  ["'", "'"],
  ['a', '\x07'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['v', '\v'],
])
const CODED_ESCAPE = /u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|([0-7]{3})/y

/** Reads the literal whose opening quote is at `start`; Unicode, hexadecimal and octal escapes count. */
function readString(text: string, start: number): { value: string; end: number } {
  let value = ''
  let at = start + 1
  while (at < text.length) {
    const character = text[at] ?? ''
    if (character === '"') return { value, end: at + 1 }
    if (character !== '\\') {
      value += character
      at += 1
      continue
    }
    const simple = SIMPLE_ESCAPES.get(text[at + 1] ?? '')
    if (simple !== undefined) {
      value += simple
      at += 2
      continue
    }
    CODED_ESCAPE.lastIndex = at + 1
    const coded = CODED_ESCAPE.exec(text)
    if (coded === null) throw new Error(`unknown escape at ${at}`)
    const [whole, short, long, hexadecimal, octal] = coded
    const hex = short ?? long ?? hexadecimal
    value += String.fromCodePoint(
      hex === undefined ? Number.parseInt(octal ?? '', 8) : Number.parseInt(hex, 16),
    )
    at += 1 + whole.length
  }
  throw new Error(`the string at ${start} is not closed`)
}
