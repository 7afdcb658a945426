import { LONGEST_TOKEN_LIFE_SECONDS, type RevocationKind } from '../contracts/revocation.ts'
import type { FeedEntry } from '../firestore/revocation-feed.ts'
import { PLATFORM_TENANT, type TenantId } from '../ids.ts'

/** What a token says of itself, as far as it can be revoked by. */
export type RevocableToken = {
  readonly iat: number
  readonly jti: string
  readonly kid: string
  /** Everyone the token speaks for: `sub`, and the actors of `act`. */
  readonly subjects: readonly string[]
  readonly clientId: string
  readonly sid?: string | undefined
}

/** Whose token is to be minted: the tenant always, the others where there is one. */
export type Grantee = {
  readonly userId?: string | undefined
  readonly clientId?: string | undefined
  readonly sessionId?: string | undefined
}

/** Everything known to be revoked, of all tenants. */
export type RevocationMarks = {
  /** What makes the token bad, or undefined while it is good. */
  findRevoked(tenantId: TenantId, token: RevocableToken): RevocationKind | undefined
  /** The latest second whose tokens of this grantee are refused: a new one must be issued later. 0: none. */
  watermark(tenantId: TenantId, grantee: Grantee): number
  /** Whether a thing itself was revoked within the last hour, whatever its tokens: such as an API key. */
  isRevoked(tenantId: TenantId, kind: RevocationKind, id: string): boolean
  /** Another number whenever the tenant's auth state may have changed: what a cached state is compared by. */
  stateGeneration(tenantId: TenantId): number
  /** The generation that a key ring has at least; 0 while nothing was said of it. */
  keyringGeneration(ring: string): number
  isCompromised(kid: string): boolean
  /** The entries of one tenant that are still worth telling, and our own keys that are bad; in no order. */
  entriesOf(tenantId: TenantId): Iterable<FeedEntry>
  /** How many entries are kept. */
  readonly size: number
}

/** Takes in what the feed says. */
export type MutableMarks = RevocationMarks & {
  /** Adds entries, in any order and as often as one likes; returns how many were new. */
  add(entries: readonly FeedEntry[]): number
  /** Forgets what has nothing to say any more. */
  prune(nowMs: number): void
}

export type MarksLimits = { readonly mostPerTenant: number; readonly mostInAll: number }

const LIMITS: MarksLimits = { mostPerTenant: 10_000, mostInAll: 200_000 }

type Tenant = {
  readonly entries: Map<string, FeedEntry>
  /** The latest watermark by kind and id: they only move forward, in whatever order entries come. */
  readonly marks: Map<string, number>
  stateGeneration: number
}

/**
 * The revocations of all tenants in memory.
 *
 * Bounded: a tenant with too many is folded into one watermark of the whole tenant, so that its own
 * tokens have to be fetched again and nobody else is touched; if all together are too many, that
 * happens to the tenant with the most.
 */
export function revocationMarks(limits: MarksLimits = LIMITS): MutableMarks {
  const tenants = new Map<TenantId, Tenant>()
  const ours = new Map<string, FeedEntry>()
  let size = 0
  let changes = 0

  const tenantOf = (tenantId: TenantId): Tenant => {
    const known = tenants.get(tenantId)
    if (known !== undefined) return known
    const made: Tenant = { entries: new Map(), marks: new Map(), stateGeneration: 0 }
    tenants.set(tenantId, made)
    return made
  }
  const fold = (tenantId: TenantId, tenant: Tenant): void => {
    const all = [...tenant.entries.values()]
    const whole = all.reduce((one, other) => (other.atMs > one.atMs ? other : one))
    const before = Math.max(...all.map((entry) => (entry.kind === 'state' ? 0 : entry.before)))
    const expMs = Math.max(...all.map((entry) => entry.expMs))
    const folded: FeedEntry = { ...whole, kind: 'tenant', id: tenantId, before, expMs }
    size -= tenant.entries.size
    tenant.entries.clear()
    tenant.marks.clear()
    put(tenant, folded)
  }
  const put = (tenant: Tenant, entry: FeedEntry): void => {
    tenant.entries.set(entry.entryId, entry)
    size += 1
    if (entry.kind === 'tenant' || entry.kind === 'state') {
      changes += 1
      tenant.stateGeneration = changes
    }
    if (entry.kind !== 'state') raise(tenant.marks, entry)
  }
  const addOne = (entry: FeedEntry): boolean => {
    if (entry.kind === 'signingKey' || entry.kind === 'keyring') {
      // Our own keys are the platform's matter: no other tenant's commit can take one away.
      if (entry.tenantId !== PLATFORM_TENANT) return false
      const key = keyOf(entry.kind, entry.id)
      const known = ours.get(key)
      if (known === undefined || known.before < entry.before) ours.set(key, entry)
      return known === undefined || known.before < entry.before
    }
    const tenant = tenantOf(entry.tenantId)
    if (tenant.entries.has(entry.entryId)) return false
    put(tenant, entry)
    if (tenant.entries.size > limits.mostPerTenant) fold(entry.tenantId, tenant)
    return true
  }

  const markOf = (tenant: Tenant | undefined, kind: RevocationKind, id: string): number =>
    tenant?.marks.get(keyOf(kind, id)) ?? 0

  return {
    add: (entries) => {
      const added = entries.filter(addOne).length
      while (size > limits.mostInAll) {
        const [tenantId, tenant] = [...tenants].reduce((one, other) =>
          other[1].entries.size > one[1].entries.size ? other : one,
        )
        if (tenant.entries.size <= 1) break
        fold(tenantId, tenant)
      }
      return added
    },
    prune: (nowMs) => {
      for (const [key, entry] of ours) if (entry.expMs <= nowMs) ours.delete(key)
      for (const [tenantId, tenant] of tenants) {
        const over = [...tenant.entries.values()].filter((entry) => entry.expMs <= nowMs)
        if (over.length === 0) continue
        size -= over.length
        for (const entry of over) tenant.entries.delete(entry.entryId)
        tenant.marks.clear()
        for (const entry of tenant.entries.values()) if (entry.kind !== 'state') raise(tenant.marks, entry)
        if (tenant.entries.size === 0) tenants.delete(tenantId)
      }
    },
    findRevoked: (tenantId, token) => {
      if (ours.has(keyOf('signingKey', token.kid))) return 'signingKey'
      const tenant = tenants.get(tenantId)
      if (tenant === undefined) return undefined
      if (token.iat <= markOf(tenant, 'tenant', tenantId)) return 'tenant'
      if (tenant.marks.has(keyOf('token', token.jti))) return 'token'
      if (token.sid !== undefined && token.iat <= markOf(tenant, 'session', token.sid)) return 'session'
      if (token.iat <= markOf(tenant, 'client', token.clientId)) return 'client'
      for (const subject of token.subjects) {
        if (token.iat <= markOf(tenant, 'user', subject)) return 'user'
        if (token.iat <= markOf(tenant, 'client', subject)) return 'client'
      }
      return undefined
    },
    watermark: (tenantId, { userId, clientId, sessionId }) => {
      const tenant = tenants.get(tenantId)
      return Math.max(
        markOf(tenant, 'tenant', tenantId),
        userId === undefined ? 0 : markOf(tenant, 'user', userId),
        clientId === undefined ? 0 : markOf(tenant, 'client', clientId),
        sessionId === undefined ? 0 : markOf(tenant, 'session', sessionId),
      )
    },
    isRevoked: (tenantId, kind, id) => tenants.get(tenantId)?.marks.has(keyOf(kind, id)) === true,
    stateGeneration: (tenantId) => tenants.get(tenantId)?.stateGeneration ?? 0,
    keyringGeneration: (ring) => ours.get(keyOf('keyring', ring))?.before ?? 0,
    isCompromised: (kid) => ours.has(keyOf('signingKey', kid)),
    entriesOf: function* (tenantId) {
      yield* tenants.get(tenantId)?.entries.values() ?? []
      for (const entry of ours.values()) if (entry.kind === 'signingKey') yield entry
    },
    get size() {
      return size + ours.size
    },
  }
}

function raise(marks: Map<string, number>, { kind, id, before }: FeedEntry): void {
  const key = keyOf(kind, id)
  marks.set(key, Math.max(marks.get(key) ?? 0, before))
}

function keyOf(kind: FeedEntry['kind'], id: string): string {
  return `${kind}:${id}`
}

/** How far back the feed is read at start: no older entry can be about a token that is still accepted. */
export const FEED_REACH_MS = (LONGEST_TOKEN_LIFE_SECONDS + 60) * 1000
