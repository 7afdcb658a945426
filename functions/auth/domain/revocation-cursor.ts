import { createHash } from 'node:crypto'
import { z } from 'zod'
import { REVOCATION_KINDS, type RevocationKind } from '#shared/contracts/revocation.ts'
import { parser } from '#shared/json.ts'

/** An entry of the feed, as far as a reader is told of it. */
export type FeedNews = {
  readonly entryId: string
  readonly atMs: number
  readonly kind: RevocationKind
  readonly id: string
  readonly before: number
  readonly expMs: number
  readonly reason?: string | undefined
}

/**
 * How far a reader has come.
 *
 * Entries can be seen a little after the time they are stamped with, so that time alone is no position:
 * everything stamped until `safeMs` was told, and of what is stamped later the entries in `told`.
 */
export type RevocationCursor = {
  readonly safeMs: number
  /** Shortened hashes of entry ids with the time of their stamps. */
  readonly told: readonly (readonly [hash: string, atMs: number])[]
}

export type News = {
  readonly entries: readonly FeedNews[]
  readonly cursor: RevocationCursor
  /** More was told than the cursor can hold: some of it will be told again. */
  readonly repeats: boolean
}

/** How long after its stamp an entry may first be seen: the same as the window of the view. */
export const LATENESS_MS = 10_000
/** A cursor travels in a URL. */
const MOST_TOLD = 100

/**
 * What a reader with this cursor has not been told, and the cursor for the next time. Without a cursor
 * everything that still matters.
 *
 * At least once and without gaps, whichever instance is asked: one that knows less than the one before
 * never moves the cursor beyond what it knows, nor back.
 */
export function newsSince(
  cursor: RevocationCursor | undefined,
  known: Iterable<{ readonly kind: string; readonly atMs: number; readonly entryId: string }>,
  readTimeMs: number,
): News {
  const told = new Map(cursor?.told)
  const entries = [...known]
    .filter(isNews)
    .filter((entry) => cursor === undefined || entry.atMs > cursor.safeMs)
    .filter((entry) => !told.has(shortHash(entry.entryId)))
    .sort((left, right) => left.atMs - right.atMs || (left.entryId < right.entryId ? -1 : 1))
  const safeMs = Math.max(cursor?.safeMs ?? 0, readTimeMs - LATENESS_MS)
  const later = [
    ...(cursor?.told ?? []),
    ...entries.map((entry) => [shortHash(entry.entryId), entry.atMs] as const),
  ].filter(([, atMs]) => atMs > safeMs)
  const kept = later.sort(([, left], [, right]) => right - left).slice(0, MOST_TOLD)
  return { entries, cursor: { safeMs, told: kept }, repeats: later.length > kept.length }
}

function isNews(entry: { readonly kind: string }): entry is FeedNews {
  return (REVOCATION_KINDS as readonly string[]).includes(entry.kind)
}

/** 72 bits: nobody can choose an entry's id, and two of a tenant's never meet. */
function shortHash(entryId: string): string {
  return createHash('sha256').update(entryId, 'utf8').digest('base64url').slice(0, 12)
}

const parseStored = parser(
  z.tuple([z.int(), z.array(z.tuple([z.string().length(12), z.int()])).max(MOST_TOLD)]),
)

/** As short as it can be said: stamps count from the safe time. */
export function formatCursor({ safeMs, told }: RevocationCursor): string {
  return JSON.stringify([safeMs, told.map(([hash, atMs]) => [hash, Math.ceil(atMs - safeMs)])])
}

/** The cursor in a text that `formatCursor` made. */
export function parseCursor(text: string): RevocationCursor | undefined {
  try {
    const parsed = parseStored(JSON.parse(text))
    if (!parsed.ok) return undefined
    const [safeMs, told] = parsed.value
    return { safeMs, told: told.map(([hash, after]) => [hash, safeMs + after]) }
  } catch {
    return undefined
  }
}
