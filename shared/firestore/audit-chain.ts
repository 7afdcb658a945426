import { z } from 'zod'
import type { Group } from '../catalogue/functions.ts'
import type { ChainEnd, ChainLink, ChainOwner } from '../contracts/audit-chain.ts'
import { parseTenantId, type TenantId } from '../ids.ts'
import { type Parse, parser } from '../json.ts'
import { ok } from '../result.ts'
import { commitWrites } from './commit.ts'
import type { Database } from './database.ts'
import { auditCollectionPath, auditDocumentPath, systemDocumentPath } from './paths.ts'
import { type Doc, listDocuments, readDocument, type SystemScope, type Write, writeOf } from './scoped.ts'

/** A segment that no link has taken in yet. */
export type PendingSegment = {
  readonly tenantId: TenantId
  readonly id: string
  readonly root: string
  readonly atMicros: number
  readonly doc: Doc<SystemScope, unknown>
}

/** A segment as it is stored. */
export type StoredSegment = {
  readonly id: string
  readonly entries: readonly Readonly<Record<string, unknown>>[]
  readonly root: string
  readonly atMicros: number
}

export type StoredHead = {
  readonly end: ChainEnd
  /** The signature over the end of the chain: a JWS of the group's key. */
  readonly signature: string
}

/** The audit chains of one group: links beside the segments, which nobody ever changes. */
export type AuditChainStore = {
  readonly group: Group
  /** Segments that wait for a link, of all tenants, the oldest first; of one tenant in no order. */
  pending(limit: number, tenantId?: TenantId): Promise<readonly PendingSegment[]>
  head(tenantId: TenantId): Promise<Doc<SystemScope, StoredHead> | undefined>
  /** Adds a link with the head that follows from it; false when somebody else was faster. */
  seal(sealing: Sealing): Promise<boolean>
  /** Links after or before one, in that direction. */
  links(
    tenantId: TenantId,
    from: { readonly after: number } | { readonly before: number },
    limit: number,
  ): Promise<readonly ChainLink[]>
  /** One segment, or undefined when it is gone. */
  segment(tenantId: TenantId, id: string): Promise<StoredSegment | undefined>
  /** The ids of all segments there are, after one, in the order of ids. */
  segmentIds(tenantId: TenantId, after: string | undefined, limit: number): Promise<readonly string[]>
}

export type Sealing = {
  readonly tenantId: TenantId
  readonly known: Doc<SystemScope, StoredHead> | undefined
  readonly link: ChainLink
  readonly head: StoredHead
  readonly taken: readonly PendingSegment[]
  readonly commitId: string
}

const HEAD = 'head'
const hex = z.string().regex(/^[0-9a-f]{64}$/)

const parsePending = parser(z.object({ tenantId: z.string(), root: hex }))
const parseHead = parser<StoredHead>(
  z.object({
    end: z.object({ seq: z.int().min(1), hash: hex, segments: z.int().min(1), sealedAtMs: z.int() }),
    signature: z.string(),
  }),
)
const parseLink = parser<ChainLink>(
  z.object({
    seq: z.int().min(1),
    prev: hex,
    root: hex,
    segments: z.array(z.object({ id: z.string(), root: hex, atMicros: z.number() })),
    sealedAtMs: z.int(),
    hash: hex,
  }),
)
const parseSegment = parser(
  z.object({ entries: z.array(z.record(z.string(), z.unknown())), root: z.string() }),
)
const parseNothing: Parse<undefined> = () => ok(undefined)

/** Sealing and reading across tenants: for the group's sweep, the operator's check and the tenants' own reading. */
export function auditChainStore(database: Database, group: Group): AuditChainStore {
  const pendingCollection = `${group}_auditPending`
  const chainPath = (tenantId: TenantId, id: string): string =>
    auditDocumentPath(tenantId, group, id, 'chain')
  return {
    group,
    pending: async (limit, tenantId) => {
      const options =
        tenantId === undefined
          ? { orderBy: [['createdAtMs', 'asc']] as const, limit }
          : { where: [['tenantId', '==', tenantId]] as const, limit }
      const found = await listDocuments<SystemScope, { tenantId: string; root: string }>(
        database,
        pendingCollection,
        options,
        parsePending,
      )
      return found.flatMap((doc) => {
        const owner = parseTenantId(doc.value.tenantId)
        const { id, value } = doc
        return owner.ok
          ? [{ tenantId: owner.value, id, root: value.root, atMicros: atMicrosOf(doc), doc }]
          : []
      })
    },
    head: (tenantId) => readDocument(database, chainPath(tenantId, HEAD), parseHead),
    seal: async ({ tenantId, known, link, head, taken, commitId }) => {
      const headPath = chainPath(tenantId, HEAD)
      const create = (path: string, fields: object): Write<SystemScope> =>
        writeOf('create', { path, fields: { ...fields }, once: false, tenantId: undefined })
      const writes: Write<SystemScope>[] = [
        create(chainPath(tenantId, linkId(link.seq)), {
          ...link,
          segments: link.segments.map((segment) => ({ ...segment })),
        }),
        known === undefined
          ? create(headPath, headFields(head))
          : writeOf('update', {
              path: headPath,
              fields: headFields(head),
              version: known.version,
              once: false,
              tenantId: undefined,
            }),
        ...taken.map(({ id, doc }) =>
          writeOf<SystemScope>('delete', {
            path: systemDocumentPath(group, pendingCollection, id),
            fields: {},
            version: doc.version,
            once: false,
            tenantId: undefined,
          }),
        ),
      ]
      return (await commitWrites(database, writes, commitId)).kind === 'committed'
    },
    links: async (tenantId, from, limit) => {
      const ascending = 'after' in from
      const found = await listDocuments<SystemScope, ChainLink>(
        database,
        auditCollectionPath(tenantId, group, 'chain'),
        {
          where: [['seq', ascending ? '>' : '<', ascending ? from.after : from.before]],
          orderBy: [['seq', ascending ? 'asc' : 'desc']],
          limit,
        },
        parseLink,
      )
      return found.map(({ value }) => value)
    },
    segment: async (tenantId, id) => {
      const found = await readDocument(database, auditDocumentPath(tenantId, group, id), parseSegment)
      return found === undefined ? undefined : { id: found.id, ...found.value, atMicros: atMicrosOf(found) }
    },
    segmentIds: async (tenantId, after, limit) => {
      const options = { orderBy: [['__name__', 'asc']] as const, limit }
      const found = await listDocuments(
        database,
        auditCollectionPath(tenantId, group, 'segments'),
        after === undefined ? options : { ...options, startAfter: [after] },
        parseNothing,
      )
      return found.map(({ id }) => id)
    },
  }
}

function headFields({ end, signature }: StoredHead): Record<string, unknown> {
  return { end: { ...end }, signature }
}

/** The owner in the words of the hashes. */
export function ownerOf(tenantId: TenantId, group: Group): ChainOwner {
  return { tenantId, group }
}

/** Sorts as the number does. */
function linkId(seq: number): string {
  return `l${String(seq).padStart(12, '0')}`
}

/** When it was committed, in microseconds of the store's own time: what nobody ever changes was last updated then. */
function atMicrosOf({ version }: { readonly version: string }): number {
  const [seconds = '0', nanos = '0'] = version.split('.')
  return Number(seconds) * 1_000_000 + Math.floor(Number(nanos) / 1000)
}
