import { z } from 'zod'
import type { Group } from '../catalogue/functions.ts'
import type { SystemFirestore } from '../firestore/system.ts'
import type { Tombstones } from '../firestore/tombstones.ts'
import { removed } from '../firestore/values.ts'
import { type Ids, parseTenantId, sha256Hex, type TenantId } from '../ids.ts'
import { parser } from '../json.ts'
import type { RefusalCode } from '../refusals.ts'

/** How a message came: what finds it in the logs, and what it is sent again with. */
export type MessageOrigin = {
  readonly messageId: string
  /** Which delivery it was; absent where the transport does not count. */
  readonly attempt?: number
  readonly traceId: string
  readonly attributes: Readonly<Record<string, string>>
  readonly orderingKey: string
}

/** A message or event that can never be applied as it is, kept for an operator to look at and redrive. */
export type Quarantined = {
  /** Deterministic, so that a redelivery finds what is already there. */
  readonly id: string
  readonly code: RefusalCode
  readonly detail: string
  readonly subscription: string
  readonly messageId: string
  readonly type?: string
  readonly tenantId?: string
  /** What the message said of its publisher: a redrive must not give it more trust than it came with. */
  readonly producer?: string
  readonly origin?: MessageOrigin
  /** The payload only tells that something came; there is nothing to send again. */
  readonly evidenceOnly?: boolean
  /** The bytes as they came, all of them: up to the 10 MB of a message. */
  readonly payload: Uint8Array
  readonly atMs: number
}

export type Quarantine = {
  /** Keeps it durably; rejects when that failed, so that the message comes again. */
  put(entry: Quarantined): Promise<void>
}

/** A document takes 1 MiB; what is longer goes on in documents beside it. */
const PART_BYTES = 512 * 1024

export function quarantineOf(group: Group): string {
  return `${group}_quarantine`
}

/** What is in quarantine about a tenant: what proved to be its own, and what nobody could prove and names it. */
export function quarantinedOf(tenantId: TenantId) {
  return [[['tenantId', '==', tenantId]], [['claims', 'array-contains', tenantId]]] as const
}

/** As many tenants as one message may be about; whoever names more means none of them. */
const MOST_CLAIMS = 20
const NAMED = /"tenant_?id"\s*:\s*"([^"]{1,64})"|tenants\/([a-z0-9-]{1,64})/gi

/**
 * The tenants that a message names and that nobody could prove: with their data it has to go. It may be no
 * JSON, so its text is looked through. What proved whose it is has no claims; no other tenant's end erases it.
 */
function claimsOf({ tenantId, origin, payload }: Quarantined): readonly TenantId[] {
  if (tenantId !== undefined) return []
  const text = new TextDecoder().decode(payload.subarray(0, PART_BYTES))
  const named = [...text.matchAll(NAMED)].map(([, member, path]) => member ?? path)
  const parsed = [origin?.attributes['tenantid'], ...named].map(parseTenantId)
  return [...new Set(parsed.flatMap((one) => (one.ok ? [one.value] : [])))].slice(0, MOST_CLAIMS)
}

/** Where the payload of an entry goes on; part 0 is in the entry itself. */
export function partId(id: string, part: number): string {
  return part === 0 ? id : `${id}_${part}`
}

/** Of a purged tenant nothing is kept: whoever asks for it is told that it is done. */
export function firestoreQuarantine(
  group: Group,
  system: SystemFirestore,
  ids: Ids,
  purged: Tombstones,
): Quarantine {
  const collection = quarantineOf(group)
  const create = async (id: string, fields: Record<string, unknown>, atMs: number) => {
    const outcome = await system.commit([system.create(collection, id, fields)], ids.uuid(atMs))
    // Neither ours nor there: to acknowledge now would lose the message.
    if (outcome.kind === 'conflict') throw new Error('an entry could not be put into quarantine')
    return outcome
  }
  return {
    put: async (entry) => {
      const { id, payload, atMs, tenantId } = entry
      const claims = claimsOf(entry)
      const named = parseTenantId(tenantId ?? entry.origin?.attributes['tenantid'])
      const about = named.ok ? [named.value] : claims
      const gone = await Promise.all(about.map((one) => purged.has(one)))
      if (gone.length > 0 && gone.every(Boolean)) return
      const parts = Math.max(1, Math.ceil(payload.length / PART_BYTES))
      // The entry comes last: whoever finds it finds all of it.
      for (let part = 1; part < parts; part += 1) {
        const bytes = payload.subarray(part * PART_BYTES, (part + 1) * PART_BYTES)
        const fields = {
          status: 'part',
          atMs,
          payload: bytes,
          ...(tenantId === undefined ? {} : { tenantId }),
          ...(claims.length === 0 ? {} : { claims }),
        }
        await create(partId(id, part), fields, atMs)
      }
      const outcome = await create(id, { ...fieldsOf(entry), parts, times: 1 }, atMs)
      if (outcome.kind === 'duplicate') await reopen(system, collection, entry, ids)
    },
  }
}

function fieldsOf(quarantined: Quarantined): Record<string, unknown> {
  const { id: _id, payload, origin, ...entry } = quarantined
  const claims = claimsOf(quarantined)
  return {
    ...entry,
    ...(claims.length === 0 ? {} : { claims }),
    ...originFields(origin),
    payload: payload.subarray(0, PART_BYTES),
    payloadBytes: payload.length,
    payloadHash: sha256Hex(payload),
    status: 'waiting',
  }
}

/** Attributes as text: their names come from outside, and the store takes not every name for a field. */
function originFields(origin: MessageOrigin | undefined): Record<string, unknown> {
  return origin === undefined ? {} : { ...origin, attributes: JSON.stringify(origin.attributes) }
}

const parseState = parser(z.object({ status: z.string(), times: z.number().int().optional() }))

/** What was redriven and is refused again waits again; a copy of what still waits changes nothing. */
async function reopen(
  system: SystemFirestore,
  collection: string,
  entry: Quarantined,
  ids: Ids,
): Promise<void> {
  const found = await system.find(collection, entry.id, parseState)
  if (found === undefined) throw new Error('an entry left the quarantine while it came again')
  if (found.value.status !== 'redriven') return
  const again = {
    ...fieldsOf(entry),
    times: (found.value.times ?? 1) + 1,
    expireAt: removed(),
    closedAtMs: removed(),
  }
  const outcome = await system.commit([system.update(collection, found, again)], ids.uuid(entry.atMs))
  if (outcome.kind !== 'committed') throw new Error('an entry changed while it came again')
}
