import type { Group } from '../catalogue/functions.ts'
import type { SystemFirestore } from '../firestore/system.ts'
import type { Ids } from '../ids.ts'
import type { RefusalCode } from '../refusals.ts'

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
  /** The bytes as they came; beyond 512 KiB only the beginning. */
  readonly payload: Uint8Array
  readonly atMs: number
}

export type Quarantine = {
  /** Keeps it durably; rejects when that failed, so that the message comes again. */
  put(entry: Quarantined): Promise<void>
}

const MOST_BYTES = 512 * 1024

export function firestoreQuarantine(group: Group, system: SystemFirestore, ids: Ids): Quarantine {
  const collection = `${group}_quarantine`
  return {
    put: async (entry) => {
      const { id, payload, ...fields } = entry
      const write = system.create(collection, id, {
        ...fields,
        payload: payload.subarray(0, MOST_BYTES),
        payloadBytes: payload.length,
        status: 'waiting',
      })
      await system.commit([write], ids.uuid(entry.atMs))
    },
  }
}
