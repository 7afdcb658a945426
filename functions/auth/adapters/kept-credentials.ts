import type { Credentials, FoundCredentials } from '../ports.ts'

const MOST_KEPT = 10_000

/**
 * Remembers clients for those who allow it: a fleet that asks for tokens reads its client once in a
 * while, not each time. The ones unused for longest are forgotten first.
 *
 * Callers that ask for one client at once share one read; a read that fails is not kept.
 */
export function keptCredentials(store: Credentials): Credentials {
  const known = new Map<string, { readonly atMs: number; readonly found: Promise<FoundCredentials> }>()
  return {
    find: async (tenantId, clientId, kept) => {
      if (kept === undefined) return store.find(tenantId, clientId)
      const key = `${tenantId} ${clientId}`
      const entry = known.get(key)
      if (entry !== undefined) {
        const found = await entry.found
        const allowedMs = found.client === undefined ? kept.missingMs : kept.clientMs
        // A clock that was set back makes nothing fresh for longer.
        if (Math.abs(kept.nowMs - entry.atMs) < allowedMs) return { ...found, kept: true, asOfMs: entry.atMs }
      }
      const reading = store.find(tenantId, clientId)
      known.delete(key)
      known.set(key, { atMs: kept.nowMs, found: reading })
      const oldest = known.size > MOST_KEPT ? known.keys().next().value : undefined
      if (oldest !== undefined) known.delete(oldest)
      reading.catch(() => {
        if (known.get(key)?.found === reading) known.delete(key)
      })
      return reading
    },
  }
}
