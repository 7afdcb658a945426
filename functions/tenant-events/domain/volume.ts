import { TIER_LIMITS, type Tier } from '#shared/catalogue/tiers.ts'
import { asRecord } from '#shared/json.ts'
import { quantityOf } from './quantity.ts'

/**
 * How many bytes the volume holds, on its claim: written by whoever meters the storage. Tenants may not
 * write claims.
 */
export const USED_BYTES = 'energent.ai/used-bytes'

/** A tenant's volume, as its claim tells. */
export type Volume = {
  /** Nothing has used the claim yet: there is no volume, and the claim holds nothing. */
  readonly pending: boolean
  readonly requestedBytes: number
  /** What is on it; undefined where nobody has measured. */
  readonly usedBytes: number | undefined
  /** As it was read. */
  readonly version: string | undefined
}

/** What becomes of a volume when the tenant's tier changes. */
export type VolumeMove =
  /** It has the size already. */
  | 'stays'
  /** It is asked to be larger. */
  | 'grows'
  /** The claim holds nothing and cannot be changed: it is made anew. */
  | 'replaced'
  /** A volume never shrinks: it keeps its size, and as far as anybody knows the tier stores what is on it. */
  | 'kept'
  /** It holds more than the tier stores. */
  | 'too-full'

export function volumeOf(claim: Readonly<Record<string, unknown>>): Volume {
  const spec = asRecord(claim['spec'])
  const status = asRecord(claim['status'])
  const metadata = asRecord(claim['metadata'])
  const requested = asRecord(asRecord(spec?.['resources'])?.['requests'])?.['storage']
  const requestedBytes = quantityOf(requested) ?? Number.POSITIVE_INFINITY
  const used = quantityOf(asRecord(metadata?.['annotations'])?.[USED_BYTES])
  const version = metadata?.['resourceVersion']
  const bound = status?.['phase'] === 'Bound' || typeof spec?.['volumeName'] === 'string'
  return {
    pending: !bound,
    requestedBytes,
    usedBytes: bound ? used : 0,
    version: typeof version === 'string' ? version : undefined,
  }
}

/**
 * What a volume does when the tenant has another tier. One that nobody has measured is kept: nothing is lost
 * by it, what is stored is paid for by use, and a cluster without a meter would let nobody go down a tier.
 */
export function moveVolume(volume: Volume, tier: Tier): VolumeMove {
  const wanted = TIER_LIMITS[tier].storageGib * 2 ** 30
  if (volume.requestedBytes === wanted) return 'stays'
  if (volume.pending) return 'replaced'
  if (volume.requestedBytes < wanted) return 'grows'
  return (volume.usedBytes ?? 0) > wanted ? 'too-full' : 'kept'
}
