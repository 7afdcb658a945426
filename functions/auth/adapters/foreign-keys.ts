import { DependencyFailed } from '#shared/deadline.ts'
import { parseJson } from '#shared/json.ts'
import type { Logger } from '#shared/log.ts'
import { type AdmittedKey, admitJwks, selectKey } from '../domain/admit-jwk.ts'
import { type ForeignKeys, type GuardedFetch, GuardRefused, type KeyOrigin } from '../ports/outbound.ts'

const MOST_BYTES = 64 * 1024
const MOST_SETS = 1_000
/** How long a set is used without asking again: the longest that a key somebody took back still counts. */
const FRESH_MS = 300_000
/** How often at most a token with an unknown key id makes us ask, per set: forged ids must not become a flood. */
const UNKNOWN_KEY_MS = 30_000
/** After a failure the address is left alone for a moment. */
const FAILED_MS = 10_000
/** How long the last good copy serves while the address does not answer. */
const STALE_MS = 3_600_000

type Cached = {
  keys: readonly AdmittedKey[] | undefined
  fetchedAtMs: number
  failedAtMs: number
  fetching: Promise<void> | undefined
}

/**
 * Public keys of others: given ones are admitted each time, those of a JWKS URI are fetched through the
 * guard and kept per configuration they belong to.
 *
 * One fetch is shared by all who wait for it. An answer that is no
 * sound key set is a failure like none: the last good copy serves on for a while.
 */
export function foreignKeys(deps: { readonly fetch: GuardedFetch; readonly log: Logger }): ForeignKeys {
  const cache = new Map<string, Cached>()
  return {
    find: async (origin, wanted, nowMs) => {
      if ('jwks' in origin) {
        const given = admitJwks(origin.jwks)
        return given.ok ? selectKey(given.value.keys, wanted) : undefined
      }
      const entry = entryOf(cache, `${origin.scope}\0${origin.jwksUri}`)
      const refresh = (): Promise<void> => {
        entry.fetching ??= fetchKeys(deps, origin, entry, nowMs).finally(() => {
          entry.fetching = undefined
        })
        return entry.fetching
      }
      if (isOlder(entry.fetchedAtMs, FRESH_MS, nowMs) && isOlder(entry.failedAtMs, FAILED_MS, nowMs)) {
        await refresh()
      }
      const found = selectKey(usable(entry, nowMs), wanted)
      if (found !== undefined || !isOlder(lastAsked(entry), UNKNOWN_KEY_MS, nowMs)) return found
      await refresh()
      return selectKey(usable(entry, nowMs), wanted)
    },
  }
}

/** The entry of a set, as the one used last; the one used longest ago makes room. */
function entryOf(cache: Map<string, Cached>, id: string): Cached {
  const entry = cache.get(id) ?? {
    keys: undefined,
    fetchedAtMs: Number.NEGATIVE_INFINITY,
    failedAtMs: Number.NEGATIVE_INFINITY,
    fetching: undefined,
  }
  cache.delete(id)
  cache.set(id, entry)
  const oldest = cache.size > MOST_SETS ? cache.keys().next().value : undefined
  if (oldest !== undefined) cache.delete(oldest)
  return entry
}

/** A clock that was set back makes nothing fresh for longer. */
function isOlder(thenMs: number, ageMs: number, nowMs: number): boolean {
  return Math.abs(nowMs - thenMs) >= ageMs
}

function lastAsked({ fetchedAtMs, failedAtMs }: Cached): number {
  return Math.max(fetchedAtMs, failedAtMs)
}

function usable({ keys, fetchedAtMs }: Cached, nowMs: number): readonly AdmittedKey[] {
  if (keys === undefined || isOlder(fetchedAtMs, STALE_MS, nowMs)) {
    throw new DependencyFailed("another issuer's public keys cannot be read")
  }
  return keys
}

async function fetchKeys(
  deps: { readonly fetch: GuardedFetch; readonly log: Logger },
  { jwksUri, scope }: Extract<KeyOrigin, { jwksUri: string }>,
  entry: Cached,
  nowMs: number,
): Promise<void> {
  let reason = 'no usable key set'
  try {
    const reply = await deps.fetch(jwksUri, { maxBytes: MOST_BYTES, headers: { accept: 'application/json' } })
    const keys = reply.status === 200 ? parseKeys(reply.body) : undefined
    if (keys !== undefined) {
      entry.keys = keys
      entry.fetchedAtMs = nowMs
      return
    }
  } catch (error) {
    if (!(error instanceof GuardRefused)) throw error
    reason = error.rule
  }
  deps.log.warn('foreign keys not read', { detail: reason, tenantId: scope })
  entry.failedAtMs = nowMs
}

function parseKeys(body: Uint8Array): readonly AdmittedKey[] | undefined {
  const document = parseJson(body, 8)
  const admitted = document.ok ? admitJwks(document.value) : document
  return admitted.ok ? admitted.value.keys : undefined
}
