import { parseFieldPath } from './paths.ts'
import type { Store } from './store.ts'
import { stateAt } from './tree.ts'
import { valueAt } from './values.ts'
import type { Write } from './writes.ts'

/** Documents of a collection group expire at the time their field holds. */
export type TtlPolicy = { collectionGroup: string; field: string }

/**
 * Deletes what has expired by `nowMs` and says how many documents that were.
 *
 * As in production, a field that holds anything but a timestamp never expires, and subcollections stay.
 * The deletion is guarded by the update time: a document prolonged in the meantime stays too.
 */
export function sweepTtl(store: Store, policies: readonly TtlPolicy[], nowMs: number): number {
  let deleted = 0
  for (const database of store.databases()) {
    const writes = policies.flatMap((policy) => expired(store, database, policy, nowMs))
    for (const write of writes) store.commit(database, [write])
    deleted += writes.length
  }
  return deleted
}

function expired(store: Store, database: string, policy: TtlPolicy, nowMs: number): Write[] {
  const path = parseFieldPath(policy.field)
  const writes: Write[] = []
  for (const collection of store.tree(database).group(policy.collectionGroup)) {
    for (const node of collection.documents.values()) {
      const state = stateAt(node)
      const value = state === undefined ? undefined : valueAt(state.fields, path)
      if (
        state === undefined ||
        value?.kind !== 'timestamp' ||
        value.value > BigInt(Math.floor(nowMs)) * 1000n
      )
        continue
      const precondition = { kind: 'updateTime', updateTime: state.updateTime } as const
      writes.push({ kind: 'delete', database, path: node.path, precondition })
    }
  }
  return writes
}
