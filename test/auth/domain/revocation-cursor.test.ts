import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type FeedNews,
  formatCursor,
  LATENESS_MS,
  newsSince,
  parseCursor,
  type RevocationCursor,
} from '../../../functions/auth/domain/revocation-cursor.ts'

const START_MS = 1_800_000_000_000

const entry = (n: number, atMs: number): FeedNews => ({
  ...{ entryId: `e${n}`, atMs, kind: 'session', id: `ses_${n}`, before: 1, expMs: atMs + 3_600_000 },
})

describe('a cursor', () => {
  test('survives its journey to the reader and back', () => {
    const { cursor } = newsSince(undefined, [entry(1, START_MS - 5_000), entry(2, START_MS)], START_MS)
    expect(cursor.told).toHaveLength(2)
    expect(parseCursor(formatCursor(cursor))).toEqual(cursor)
  })

  test.each(['', '{}', '[]', '[1]', '["a",[]]', '[1,[["short",1]]]', '[1,[["123456789012","x"]]]', 'null'])(
    '%j is none',
    (text) => {
      expect(parseCursor(text)).toBeUndefined()
    },
  )

  test('tells nothing twice and nothing that is no revocation', () => {
    const known = [entry(1, START_MS), { ...entry(2, START_MS), kind: 'state' }]
    const first = newsSince(undefined, known, START_MS + 1)
    expect(first.entries.map(({ id }) => id)).toEqual(['ses_1'])
    expect(newsSince(first.cursor, known, START_MS + 2).entries).toEqual([])
  })

  test('says so when more happened than it can hold, and repeats rather than forgets', () => {
    const many = Array.from({ length: 150 }, (_, n) => entry(n, START_MS))
    const first = newsSince(undefined, many, START_MS)
    expect(first).toMatchObject({ repeats: true })
    expect(formatCursor(first.cursor).length).toBeLessThan(3_000)
    expect(newsSince(first.cursor, many, START_MS).entries).toHaveLength(50)
    expect(newsSince(first.cursor, many, START_MS + LATENESS_MS).cursor.told).toEqual([])
  })
})

// Instances know the feed as of different moments, entries show up late, and each poll may meet another instance.
test('a reader is told of every entry, whichever instance it asks and however late the entry is seen', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ gapMs: fc.nat(3_000), lateMs: fc.nat(LATENESS_MS - 1) }), {
        minLength: 1,
        maxLength: 30,
      }),
      fc.array(fc.record({ gapMs: fc.nat(4_000), staleMs: fc.nat(2_000) }), { minLength: 1, maxLength: 30 }),
      (stamps, polls) => {
        let atMs = START_MS
        const stored = stamps.map(({ gapMs, lateMs }, n) => {
          atMs += gapMs
          return { entry: entry(n, atMs), visibleAtMs: atMs + lateMs }
        })
        const told = new Map<string, number>()
        let cursor: RevocationCursor | undefined
        let nowMs = START_MS
        const poll = (staleMs: number): void => {
          const readTimeMs = nowMs - staleMs
          const known = stored.filter((one) => one.visibleAtMs <= readTimeMs).map((one) => one.entry)
          const news = newsSince(cursor, known, readTimeMs)
          for (const { entryId } of news.entries) told.set(entryId, (told.get(entryId) ?? 0) + 1)
          const next = parseCursor(formatCursor(news.cursor))
          expect(next).toBeDefined()
          if (cursor !== undefined) expect(next?.safeMs).toBeGreaterThanOrEqual(cursor.safeMs)
          cursor = next
        }
        for (const { gapMs, staleMs } of polls) {
          nowMs += gapMs
          poll(staleMs)
        }
        nowMs = Math.max(nowMs, atMs) + LATENESS_MS
        poll(0)
        expect(told.size).toBe(stored.length)
        // Few enough for the cursor to hold them: then each was told once.
        expect([...told.values()].every((times) => times === 1)).toBe(true)
      },
    ),
  )
})
