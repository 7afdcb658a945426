import { z } from 'zod'
import { TIERS } from '../catalogue/tiers.ts'
import type { Clock } from '../clock.ts'
import { TENANT_STATES } from '../contracts/events/tenant-fact.ts'
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
}

export const parseAuthState = parser<AuthState>(
  z.object({
    status: z.enum(TENANT_STATES),
    tier: z.enum(TIERS),
    version: z.number().int(),
    notBefore: z.number().int(),
  }),
)

export type AuthStateSource = (tenantId: TenantId) => Promise<AuthState | undefined>

const FRESH_MS = 2_000
const MOST_TENANTS = 10_000

/**
 * Reads tenants' auth state with a cache of two seconds: the bound within which a suspension bites.
 *
 * Callers that ask at once share one read; a read that fails is not kept.
 */
export function authStateSource(database: Database, clock: Clock): AuthStateSource {
  const cache = new Map<TenantId, { readAtMs: number; state: Promise<AuthState | undefined> }>()
  return (tenantId) => {
    const nowMs = clock.now()
    const cached = cache.get(tenantId)
    if (cached !== undefined && Math.abs(nowMs - cached.readAtMs) < FRESH_MS) return cached.state
    const state = readDocument(database, `tenants/${tenantId}/auth_state/current`, parseAuthState).then(
      (doc) => doc?.value,
    )
    cache.delete(tenantId)
    cache.set(tenantId, { readAtMs: nowMs, state })
    state.catch(() => cache.delete(tenantId))
    const oldest = cache.size > MOST_TENANTS ? cache.keys().next().value : undefined
    if (oldest !== undefined) cache.delete(oldest)
    return state
  }
}
