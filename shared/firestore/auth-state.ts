import { z } from 'zod'
import { type AuthPolicy, STORED_POLICY } from '../catalogue/auth-policy.ts'
import { TIERS } from '../catalogue/tiers.ts'
import type { Clock } from '../clock.ts'
import { TENANT_STATES } from '../contracts/events/tenant-fact.ts'
import { withDeadline } from '../deadline.ts'
import type { TenantId } from '../ids.ts'
import { parser } from '../json.ts'
import type { Database } from './database.ts'
import { readDocument } from './scoped.ts'

/** What a token verifier must know of a tenant: auth writes it, every function reads it (contracts §4). */
export type AuthState = {
  readonly status: (typeof TENANT_STATES)[number]
  readonly tier: (typeof TIERS)[number]
  /** Policy version; rises with breaking changes. */
  readonly version: number
  /** Tokens issued at or before this second are refused. */
  readonly notBefore: number
  /** For auth alone, which mints by it. */
  readonly policy?: AuthPolicy | undefined
}

export const parseAuthState = parser<AuthState>(
  z.object({
    status: z.enum(TENANT_STATES),
    tier: z.enum(TIERS),
    version: z.number().int(),
    notBefore: z.number().int(),
    policy: STORED_POLICY.optional(),
  }),
)

/**
 * A tenant's auth state. `generation` is what the revocation view says of it: as long as it stays the
 * same, nobody has changed the state, and a copy is good for longer than without it.
 */
export type AuthStateSource = (tenantId: TenantId, generation?: number) => Promise<AuthState | undefined>

const FRESH_MS = 2_000
/** A copy that the view vouches for; the bound is for a writer that forgot to tell the feed. */
const VOUCHED_MS = 30_000
/** How long a request waits for a newer copy while it could go on with one that the view vouches for. */
const PATIENCE_MS = 1_000
const MOST_TENANTS = 10_000

type Cached = {
  readonly readAtMs: number
  readonly generation: number | undefined
  readonly reading: Promise<AuthState | undefined>
  /** The newest copy of this generation: what was read, and until then what was read before. */
  last: AuthState | undefined
  pending: boolean
}

/**
 * Reads tenants' auth state with a cache that a change outlives by two seconds at most.
 *
 * A copy belongs to the generation that its read began under: one that a change overtook is never
 * taken for newer than it is. Callers that ask at once share one read; a read that fails is not kept,
 * and while the view still vouches for the copy before it, that one is used.
 */
export function authStateSource(database: Database, clock: Clock): AuthStateSource {
  const cache = new Map<TenantId, Cached>()
  const read = (tenantId: TenantId, generation: number | undefined, last: AuthState | undefined): Cached => {
    const reading = readDocument(database, `tenants/${tenantId}/auth_state/current`, parseAuthState).then(
      (doc) => doc?.value,
    )
    const made: Cached = { readAtMs: clock.now(), generation, reading, last, pending: true }
    reading.then(
      (state) => Object.assign(made, { last: state, pending: false }),
      () => {
        made.pending = false
        if (last === undefined && cache.get(tenantId) === made) cache.delete(tenantId)
      },
    )
    cache.delete(tenantId)
    cache.set(tenantId, made)
    const oldest = cache.size > MOST_TENANTS ? cache.keys().next().value : undefined
    if (oldest !== undefined) cache.delete(oldest)
    return made
  }
  return async (tenantId, generation) => {
    const cached = cache.get(tenantId)
    const same = cached?.generation === generation ? cached : undefined
    const keptMs = generation !== undefined && same?.last !== undefined ? VOUCHED_MS : FRESH_MS
    const isFresh = same !== undefined && Math.abs(clock.now() - same.readAtMs) < keptMs
    const found = isFresh ? same : read(tenantId, generation, same?.last)
    if (generation === undefined || found.last === undefined) return found.reading
    if (!found.pending) return found.last
    try {
      return await withDeadline('auth state', PATIENCE_MS, found.reading)
    } catch {
      return found.last
    }
  }
}
