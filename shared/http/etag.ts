import { ok, type Result, refuse } from '../result.ts'
import type { ApiRequest } from './types.ts'

/** A strong entity tag (RFC 9110 §8.8.3). */
export type EntityTag = `"${string}"`

type Conditions = Pick<ApiRequest, 'header'>

/** The tag of a resource at a revision: the same revision is the same bytes. */
export function revisionTag(revision: number | bigint): EntityTag {
  return `"${revision}"`
}

/**
 * Whether `If-Match` lets a change go on: 412 unless it names the resource as it stands.
 *
 * Compared strongly (RFC 9110 §13.1.1): a weak tag names no bytes, so it never matches. Without the
 * header everything goes on.
 */
export function checkIfMatch(request: Conditions, current: EntityTag): Result<void> {
  const header = request.header('if-match')
  if (header === undefined) return ok(undefined)
  const tags = parseTags(header)
  if (tags === undefined) {
    return refuse('request.malformed', 'If-Match', 'If-Match is * or a list of entity tags in quotes.')
  }
  if (tags === '*' || tags.some(({ weak, tag }) => !weak && tag === current)) return ok(undefined)
  return refuse('request.precondition_failed', `If-Match is not ${current}`)
}

/**
 * Whether `If-None-Match` says that the caller has these bytes already: answer 304.
 *
 * Compared weakly (RFC 9110 §13.1.2). What cannot be read matches nothing: the caller then gets the
 * whole answer, which is never wrong.
 */
export function isNotModified(request: Conditions, current: EntityTag): boolean {
  const header = request.header('if-none-match')
  const tags = header === undefined ? undefined : parseTags(header)
  return tags === '*' || tags?.some(({ tag }) => tag === current) === true
}

type Tags = '*' | readonly { readonly weak: boolean; readonly tag: string }[]

/** Visible characters but the quote; a comma may stand inside the quotes. */
const ONE_TAG = /[ \t]*(W\/)?("[\x21\x23-\x7E\x80-\xFF]*")[ \t]*(?:,|$)/y

function parseTags(header: string): Tags | undefined {
  if (header.trim() === '*') return '*'
  const tags: { weak: boolean; tag: string }[] = []
  ONE_TAG.lastIndex = 0
  let end = 0
  for (let found = ONE_TAG.exec(header); found !== null; found = ONE_TAG.exec(header)) {
    tags.push({ weak: found[1] !== undefined, tag: found[2] ?? '' })
    end = ONE_TAG.lastIndex
    if (end === header.length) break
  }
  return tags.length > 0 && end === header.length && !header.endsWith(',') ? tags : undefined
}
