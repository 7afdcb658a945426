import { createHash } from 'node:crypto'
import type { z } from 'zod'
import { findRepeatedMember } from './json-members.ts'
import type { RefusalCode } from './refusals.ts'
import { ok, type Result, refuse } from './result.ts'

/** Takes something unknown and returns it typed, or says what is wrong with it. */
export type Parse<T> = (raw: unknown) => Result<T>

const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype'])

/**
 * Parses JSON bytes from outside: UTF-8 only, at most `maxDepth` levels, no key that reaches a prototype,
 * no text that is not Unicode and no number beyond all numbers.
 */
export function parseJson(bytes: Uint8Array, maxDepth = 16): Result<unknown> {
  const value = parseJsonText(bytes)
  return value.ok ? checkJson(value.value, maxDepth) : value
}

/** Only what the bytes spell, where no member stands twice. For whoever checks the parts one by one with `checkJson`. */
export function parseJsonText(bytes: Uint8Array): Result<unknown> {
  try {
    // The decoder would take a byte order mark away; other readers refuse it (RFC 8259 §8.1).
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    const value: unknown = JSON.parse(text)
    const repeated = findRepeatedMember(text)
    if (repeated === undefined) return ok(value)
    const name = JSON.stringify(repeated.slice(0, 100))
    return refuse('request.malformed', 'repeated member', `The member ${name} stands twice in one object.`)
  } catch (error) {
    return error instanceof SyntaxError
      ? refuse('request.malformed', 'not JSON', 'The body must be one JSON value.')
      : refuse('request.malformed', 'not UTF-8', 'The body must be UTF-8.')
  }
}

/** A value that `JSON.parse` made, unless it holds what no store, digest or reader should meet. */
export function checkJson(value: unknown, maxDepth = 16): Result<unknown> {
  const fault = findFault(value, maxDepth)
  return fault === undefined ? ok(value) : refuse('request.malformed', fault, fault)
}

/**
 * Turns a zod schema into a parser that refuses with `code` and names each fault by its path.
 *
 * `whole` is what a fault of no single member is said of. The sender is told which members of theirs are not known; the log is not, for they are their words.
 */
export function parser<T>(
  schema: z.ZodType<T>,
  code: RefusalCode = 'request.malformed',
  whole: 'body' | 'query' = 'body',
): Parse<T> {
  const faultOf = (path: readonly PropertyKey[], message: string): string =>
    shortened(`${path.length === 0 ? whole : path.join('.')}: ${message}`)
  return (raw) => {
    const parsed = schema.safeParse(raw)
    if (parsed.success) return ok(parsed.data)
    const issues = parsed.error.issues.slice(0, 8)
    const hint = issues.map((issue) => faultOf(issue.path, issue.message)).join('; ')
    const detail = issues.map((issue) => faultOf(issue.path.slice(0, 2), ownWords(issue))).join('; ')
    return refuse(code, detail, hint)
  }
}

/** Names of members come from outside and can be as long as the body. */
function shortened(fault: string): string {
  return fault.length <= 200 ? fault : `${fault.slice(0, 200)}…`
}

/** What is wrong, without a name that was sent. */
function ownWords({ code, message }: z.core.$ZodIssue): string {
  return code === 'unrecognized_keys' ? 'unknown members' : message
}

/**
 * JSON in the one canonical form of RFC 8785: keys sorted by UTF-16 code units, no white space.
 *
 * Throws on what JSON cannot say: undefined, functions, bigint, non-finite numbers, lone surrogates, and
 * objects that are more than their members, such as a Date, which would all look like `{}`.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean') return JSON.stringify(value)
  if (typeof value === 'string') return canonicalString(value)
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError('canonical JSON has no infinities')
    return JSON.stringify(value)
  }
  // `Array.from` turns holes into undefined, which throws; `map` would skip them.
  if (Array.isArray(value)) return `[${Array.from(value, (item) => canonicalJson(item)).join(',')}]`
  if (isPlainObject(value)) {
    let members = ''
    for (const [key, member] of Object.entries(value).sort(byKey)) {
      if (member === undefined) continue
      members += `${members === '' ? '' : ','}${canonicalString(key)}:${canonicalJson(member)}`
    }
    return `{${members}}`
  }
  throw new TypeError(`canonical JSON has no ${Object.prototype.toString.call(value)}`)
}

function byKey([left]: readonly [string, unknown], [right]: readonly [string, unknown]): number {
  return left < right ? -1 : 1
}

function canonicalString(text: string): string {
  if (!text.isWellFormed()) throw new TypeError('canonical JSON has no lone surrogates')
  return JSON.stringify(text)
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** Lower-case hex SHA-256 of the canonical JSON of a value. */
export function digestOf(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value), 'utf8').digest('hex')
}

/** The members of an object, or undefined when the value is none. Only own members are ever looked at. */
export function asRecord(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined
}

/** Walks without recursion, and keeps only containers waiting: the input may hold millions of numbers. */
function findFault(root: unknown, maxDepth: number): string | undefined {
  const pending: { value: unknown; depth: number }[] = [{ value: root, depth: 1 }]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { value, depth } = next
    if (typeof value !== 'object' || value === null) continue
    if (depth > maxDepth) return `The body is nested deeper than ${maxDepth} levels.`
    const isArray = Array.isArray(value)
    const keys = isArray ? [] : Object.keys(value)
    const forbidden = keys.find((key) => FORBIDDEN_KEYS.has(key))
    if (forbidden !== undefined) return `The member name '${forbidden}' is not accepted.`
    if (!keys.every((key) => key.isWellFormed())) return NOT_UNICODE
    for (const member of isArray ? value : Object.values(value)) {
      const fault = findLeafFault(member)
      if (fault !== undefined) return fault
      if (typeof member === 'object' && member !== null) pending.push({ value: member, depth: depth + 1 })
    }
  }
  return findLeafFault(root)
}

/** JSON can spell a lone surrogate and `1e400`; no store and no digest takes either. */
function findLeafFault(value: unknown): string | undefined {
  if (typeof value === 'string' && !value.isWellFormed()) return NOT_UNICODE
  if (typeof value === 'number' && !Number.isFinite(value)) return 'A number is too large.'
  return undefined
}

const NOT_UNICODE = 'A text is not valid Unicode.'
