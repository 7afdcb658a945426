import type { Written } from './serialize.ts'
import type { Batch, Time } from './types.ts'

/** A batch with what is needed when it fails. */
export type Sealed = Batch & { readonly written: readonly Written[]; readonly bytes: number }

type Open = { written: Written[]; bytes: number; cancel: () => void }

/** Collects events by tenant and seals a batch when it is full or old enough. */
export function createBatcher(
  limits: { readonly maxEvents: number; readonly maxBytes: number; readonly maxDelayMs: number },
  time: Time,
  onSealed: (batch: Sealed) => void,
): { add(written: Written): void; sealAll(): void } {
  const open = new Map<string, Open>()
  const seal = (tenantId: string): void => {
    const batch = open.get(tenantId)
    if (batch === undefined) return
    open.delete(tenantId)
    batch.cancel()
    onSealed(sealedOf(tenantId, batch.written))
  }
  return {
    add: (written) => {
      const { tenantId } = written
      const known = open.get(tenantId)
      // Each event takes a comma or a bracket besides itself, and the array one more byte.
      if (known !== undefined && known.bytes + written.bytes + 2 > limits.maxBytes) seal(tenantId)
      const batch = open.get(tenantId) ?? begin(tenantId)
      batch.written.push(written)
      batch.bytes += written.bytes + 1
      if (batch.written.length >= limits.maxEvents || batch.bytes + 1 >= limits.maxBytes) seal(tenantId)
    },
    sealAll: () => {
      for (const tenantId of [...open.keys()]) seal(tenantId)
    },
  }

  function begin(tenantId: string): Open {
    const batch: Open = {
      written: [],
      bytes: 0,
      cancel: time.after(limits.maxDelayMs, () => {
        if (open.get(tenantId) === batch) seal(tenantId)
      }),
    }
    open.set(tenantId, batch)
    return batch
  }
}

function sealedOf(tenantId: string, written: readonly Written[]): Sealed {
  const types = new Set(written.map(({ type }) => type))
  const [type] = types
  return {
    tenantId,
    written,
    events: written.length,
    bytes: written.reduce((sum, one) => sum + one.bytes, 0),
    body: Buffer.from(`[${written.map(({ json }) => json).join(',')}]`, 'utf8'),
    type: types.size === 1 ? type : undefined,
  }
}
