import { z } from 'zod'
import type { ScopedDb, Write } from '#shared/firestore/scoped.ts'
import { parser } from '#shared/json.ts'

const parseGuard = parser(z.object({ changes: z.number().int().nonnegative() }))

/**
 * Reads the guard of what a `list` is about to answer: how many there are, or whether a name is free.
 * Whoever adds to the list writes the guard with it, so of two at once that saw the same list one decides
 * again. To be read before the list: what is added after it changes the guard, and this commit fails.
 */
export async function listGuard<S>(db: ScopedDb<S>, name: string): Promise<() => Write<S>> {
  const path = ['auth_limits', name]
  const found = await db.find(path, parseGuard)
  const next = { changes: (found?.value.changes ?? 0) + 1 }
  return () => (found === undefined ? db.create(path, next) : db.update(path, found, next))
}
