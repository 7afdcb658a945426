import { z } from 'zod'
import type { Group } from '../catalogue/functions.ts'
import { SUBSCRIPTIONS } from '../contracts/topics.ts'
import type { Doc } from '../firestore/scoped.ts'
import type { SystemFirestore, SystemScope } from '../firestore/system.ts'
import { timestamp } from '../firestore/values.ts'
import { type Ids, sha256Hex } from '../ids.ts'
import { parser } from '../json.ts'
import type { OutgoingMessage } from './publisher.ts'
import { partId, quarantineOf } from './quarantine.ts'

const STATUSES = ['waiting', 'redriven', 'discarded', 'awaiting-tenant'] as const

/** `awaiting-tenant` is usage that billing itself fetches once its tenant is active. */
export type EntryStatus = (typeof STATUSES)[number]

const schema = z.object({
  status: z.enum(STATUSES),
  code: z.string(),
  detail: z.string(),
  subscription: z.string(),
  atMs: z.number(),
  messageId: z.string().optional(),
  attempt: z.number().optional(),
  traceId: z.string().optional(),
  tenantId: z.string().optional(),
  type: z.string().optional(),
  payloadHash: z.string().optional(),
  payloadBytes: z.number().optional(),
  parts: z.number().int().default(1),
  /** How often it came to wait: a redriven message that is refused again waits again. */
  times: z.number().int().default(1),
  evidenceOnly: z.boolean().default(false),
  closedAtMs: z.number().optional(),
})

const parseEntry = parser(schema)
const parsePayload = parser(z.object({ payload: z.instanceof(Uint8Array) }))
const parseOrigin = parser(
  z.object({
    attributes: z.string().optional(),
    orderingKey: z.string().optional(),
    producer: z.string().optional(),
  }),
)

/** One entry of a quarantine, without its payload. */
export type Entry = z.infer<typeof schema> & { readonly id: string }

export type EntryQuery = {
  readonly status: EntryStatus
  readonly tenantId?: string
  readonly code?: string
  readonly limit: number
}

/** An operator's desk: looks at what a group has in quarantine, and closes it. */
export type QuarantineDesk = {
  /** Oldest first among those found. */
  list(query: EntryQuery): Promise<readonly Entry[]>
  find(id: string): Promise<Entry | undefined>
  /** The message as it came, for the topic it came from. Throws when its bytes are not those that came. */
  messageOf(entry: Entry): Promise<OutgoingMessage>
  /** True unless somebody else has closed it in the meantime. */
  close(id: string, status: 'redriven' | 'discarded', nowMs: number): Promise<boolean>
}

/** What was closed is kept so long for whoever asks what became of it. */
const CLOSED_KEPT_MS = 30 * 24 * 3_600_000

export function quarantineDesk(group: Group, system: SystemFirestore, ids: Ids): QuarantineDesk {
  const collection = quarantineOf(group)
  const entryOf = ({ id, value }: Doc<SystemScope, z.infer<typeof schema>>): Entry => ({ id, ...value })
  return {
    // Equalities alone need no index of their own; the order is made here.
    list: async ({ status, tenantId, code, limit }) => {
      const where = Object.entries({ status, tenantId, code }).flatMap(([field, value]) =>
        value === undefined ? [] : [[field, '==', value] as const],
      )
      const found = await system.list(collection, { where, limit }, parseEntry)
      return found.map(entryOf).sort((left, right) => left.atMs - right.atMs)
    },
    find: async (id) => {
      const found = await system.find(collection, id, parseEntry)
      return found === undefined ? undefined : entryOf(found)
    },
    messageOf: async (entry) => {
      const data = await payloadOf(system, collection, entry)
      const origin = await system.find(collection, entry.id, parseOrigin)
      const { attributes, orderingKey = '', producer } = origin?.value ?? {}
      const subscription = SUBSCRIPTIONS.find(({ name }) => name === entry.subscription)
      if (subscription === undefined) throw new Error(`no topic has a subscription ${entry.subscription}`)
      return {
        topic: subscription.topic,
        data,
        attributes:
          attributes === undefined
            ? { ...knownOf(entry), ...(producer === undefined ? {} : { producer }) }
            : (JSON.parse(attributes) as Record<string, string>),
        ...(orderingKey === '' ? {} : { orderingKey }),
      }
    },
    close: async (id, status, nowMs) => {
      const found = await system.find(collection, id, parseEntry)
      if (found === undefined || found.value.status !== 'waiting') return false
      const fields = { status, closedAtMs: nowMs, expireAt: timestamp(nowMs + CLOSED_KEPT_MS) }
      const parts = Array.from({ length: found.value.parts - 1 }, (_, at) => partId(id, at + 1))
      for (const part of parts) await system.merge(collection, part, { expireAt: fields.expireAt })
      const outcome = await system.commit([system.update(collection, found, fields)], ids.uuid(nowMs))
      return outcome.kind === 'committed'
    },
  }
}

/** Of an entry that was kept without its message's attributes: what the edge requires to agree. */
function knownOf({ type, tenantId }: Entry): Record<string, string> {
  return {
    'content-type': 'application/json',
    ...(type === undefined ? {} : { type }),
    ...(tenantId === undefined ? {} : { tenantid: tenantId }),
  }
}

async function payloadOf(system: SystemFirestore, collection: string, entry: Entry): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for (let part = 0; part < entry.parts; part += 1) {
    const found = await system.find(collection, partId(entry.id, part), parsePayload)
    if (found === undefined) throw new Error(`part ${part} of ${entry.id} is missing`)
    parts.push(found.value.payload)
  }
  const payload = Buffer.concat(parts)
  if (entry.payloadHash !== undefined && sha256Hex(payload) !== entry.payloadHash) {
    throw new Error(`the bytes of ${entry.id} are not those that came`)
  }
  return payload
}
