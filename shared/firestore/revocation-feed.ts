import type { QueryDocumentSnapshot, QuerySnapshot } from '@google-cloud/firestore'
import { z } from 'zod'
import { latestExpiry, REVOCATION_KINDS, type RevocationKind } from '../contracts/revocation.ts'
import { CALL_DEADLINE_MS, withDeadline } from '../deadline.ts'
import { parseTenantId, type TenantId } from '../ids.ts'
import { asRecord, parser } from '../json.ts'
import { type Database, type Opened, reach } from './database.ts'
import { FEED_SHARDS } from './revocations.ts'
import { decode } from './values.ts'

/**
 * What an entry tells of. Beside revocations: `state` says that a tenant's auth state is another,
 * `keyring` that a ring of ours has the generation `before`.
 */
export const FEED_KINDS = [...REVOCATION_KINDS, 'state', 'keyring'] as const
export type FeedKind = RevocationKind | 'state' | 'keyring'

/** One entry as it was read. */
export type FeedEntry = {
  readonly entryId: string
  /** The store's time of the commit, in milliseconds. */
  readonly atMs: number
  /** Of our own keys the platform's. */
  readonly tenantId: TenantId
  readonly kind: FeedKind
  readonly id: string
  /** Whole seconds; of a key ring its generation. */
  readonly before: number
  /** When it has nothing to say any more, in milliseconds. */
  readonly expMs: number
  readonly reason?: string | undefined
}

export type FeedPage = {
  readonly entries: readonly FeedEntry[]
  /** The store's time of the read, in milliseconds: everything committed by then was seen. */
  readonly readTimeMs: number
  /** Entries that nobody could understand and that name no tenant. */
  readonly unreadable: number
}

export type RevocationFeed = {
  readonly shards: readonly string[]
  /** The store's own time now. */
  now(): Promise<number>
  /** Every entry of a shard stamped later than `afterMs`, the oldest first, however many. */
  since(shard: string, afterMs: number): Promise<FeedPage>
}

const PAGE = 1_000

/** The feed, across all tenants and read only: what every verifier needs and nobody else. */
export function revocationFeed(database: Database): RevocationFeed {
  const query = async (shard: string, afterMs: number, limit: number, after?: QueryDocumentSnapshot) => {
    const { client, sdk } = await reach(database)
    const all = client
      .collection(`authFeed/${shard}/entries`)
      .where('at', '>', sdk.Timestamp.fromMillis(afterMs))
      .orderBy('at', 'asc')
      .orderBy('__name__', 'asc')
    const from = after === undefined ? all : all.startAfter(after.get('at'), after.id)
    const page: QuerySnapshot = await withDeadline(
      'firestore.query',
      CALL_DEADLINE_MS,
      from.limit(limit).get(),
    )
    return { page, sdk }
  }
  return {
    shards: FEED_SHARDS,
    now: async () => (await query(FEED_SHARDS[0], FAR_AHEAD_MS, 1)).page.readTime.toMillis(),
    since: async (shard, afterMs) => {
      const entries: FeedEntry[] = []
      let unreadable = 0
      let readTimeMs: number | undefined
      let last: QueryDocumentSnapshot | undefined
      for (;;) {
        const { page, sdk } = await query(shard, afterMs, PAGE, last)
        // Of the first page: what came after it may be missing from those behind.
        readTimeMs ??= page.readTime.toMillis()
        for (const document of page.docs) {
          const entry = entryOf(sdk, document)
          if (entry === undefined) unreadable += 1
          else entries.push(entry)
        }
        last = page.docs.at(-1)
        if (page.docs.length < PAGE) return { entries, readTimeMs, unreadable }
      }
    },
  }
}

/** The year 2200: nothing is stamped later, and the store answers with its time alone. */
const FAR_AHEAD_MS = 7_258_118_400_000

const parseEntry = parser(
  z.object({
    at: z.number(),
    tenantId: z.string(),
    kind: z.enum(FEED_KINDS),
    id: z.string().min(1).max(256),
    before: z.number().int(),
    exp: z.number(),
    reason: z.string().optional(),
  }),
)

/**
 * An entry that does not parse is taken as the revocation of its whole tenant: a later version may
 * write kinds that this one does not know, and no token may outlive its revocation for that.
 */
function entryOf(sdk: Opened['sdk'], document: QueryDocumentSnapshot): FeedEntry | undefined {
  const raw = asRecord(decode(sdk, document.data())) ?? {}
  const tenantId = parseTenantId(raw['tenantId'])
  if (!tenantId.ok) return undefined
  const parsed = parseEntry(raw)
  if (parsed.ok) {
    const { at, exp, kind, id, before, reason } = parsed.value
    return { entryId: document.id, atMs: at, tenantId: tenantId.value, kind, id, before, expMs: exp, reason }
  }
  if (typeof raw['at'] !== 'number') return undefined
  const before = Math.floor(raw['at'] / 1000)
  return {
    ...{
      entryId: document.id,
      atMs: raw['at'],
      tenantId: tenantId.value,
      kind: 'tenant',
      id: tenantId.value,
    },
    ...{ before, expMs: latestExpiry(before) * 1000 },
  }
}
