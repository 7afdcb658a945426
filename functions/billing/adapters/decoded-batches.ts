import type { TenantId } from '#shared/ids.ts'
import type { CountedEvent } from '../domain/usage-event.ts'

/** Batches of the ledger, decoded: documents that never change, so what was read once stays true. */
export type DecodedBatches = {
  /** The batch of this tenant and name, decoded by `decode` unless it was before; `events` is its size. */
  of(
    tenantId: TenantId,
    name: string,
    events: number,
    decode: () => Promise<readonly CountedEvent[]>,
  ): Promise<readonly CountedEvent[]>
}

type Kept = { readonly events: number; readonly decoded: Promise<readonly CountedEvent[]> }
type Shelf = { readonly batches: Map<string, Kept>; events: number }

/**
 * Keeps decoded batches in memory, what was used last for longest, so many events of one tenant and so
 * many in all. A tenant that reads much drives out its own first; one event takes about half a kilobyte.
 */
export function decodedBatches(mostOfTenant = 75_000, mostInAll = 150_000): DecodedBatches {
  const shelves = new Map<TenantId, Shelf>()
  let inAll = 0
  const drop = (shelf: Shelf, name: string): void => {
    const kept = shelf.batches.get(name)
    if (kept === undefined || !shelf.batches.delete(name)) return
    shelf.events -= kept.events
    inAll -= kept.events
  }
  const shelfOf = (tenantId: TenantId): Shelf => {
    const shelf = shelves.get(tenantId) ?? { batches: new Map<string, Kept>(), events: 0 }
    shelves.delete(tenantId)
    shelves.set(tenantId, shelf)
    return shelf
  }
  const makeRoom = (shelf: Shelf): void => {
    for (const name of shelf.batches.keys()) {
      if (shelf.events <= mostOfTenant) break
      drop(shelf, name)
    }
    for (const [tenantId, oldest] of shelves) {
      if (inAll <= mostInAll) break
      inAll -= oldest.events
      // Whoever still fills this shelf fills one that nobody sees any more.
      oldest.events = 0
      oldest.batches.clear()
      shelves.delete(tenantId)
    }
  }
  return {
    of: (tenantId, name, events, decode) => {
      const shelf = shelfOf(tenantId)
      const known = shelf.batches.get(name)
      if (known !== undefined) {
        shelf.batches.delete(name)
        shelf.batches.set(name, known)
        return known.decoded
      }
      // The promise is kept, so that two reads at the same time decode it once.
      const kept = { events, decoded: decode() }
      shelf.batches.set(name, kept)
      shelf.events += events
      inAll += events
      kept.decoded.catch(() => {
        if (shelf.batches.get(name) === kept) drop(shelf, name)
      })
      makeRoom(shelf)
      return kept.decoded
    },
  }
}
