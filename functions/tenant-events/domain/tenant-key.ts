/** `other` is a state in which a version is on its way, such as being generated: look again later. */
export type KeyVersionState = 'enabled' | 'disabled' | 'destroy-scheduled' | 'destroyed' | 'other'

export type KeyVersion = {
  /** `projects/…/cryptoKeys/tenant-{t}/cryptoKeyVersions/1`. */
  readonly name: string
  readonly state: KeyVersionState
  /** When it will be destroyed; null unless that is scheduled. */
  readonly destroyAtMs: number | null
}

/** A tenant's key as Cloud KMS has it. Versions are destroyed, after a while; what has none left can be deleted. */
export type TenantKey = {
  /** `projects/…/locations/…/keyRings/…/cryptoKeys/tenant-{t}`. */
  readonly keyName: string
  /** The version that encrypts; null when there is none. */
  readonly primary: string | null
  readonly versions: readonly KeyVersion[]
}

/** The next thing to do to a tenant's key; `wait` when only time helps. */
export type KeyMove =
  | { readonly move: 'ready' }
  | { readonly move: 'wait' }
  | { readonly move: 'create' }
  | { readonly move: 'add-primary' }
  | { readonly move: 'restore'; readonly version: string }
  | { readonly move: 'enable'; readonly version: string }
  | { readonly move: 'disable'; readonly version: string }
  | { readonly move: 'destroy'; readonly version: string }

/**
 * Towards a key that can encrypt: a missing one is made, an existing one adopted as it is.
 *
 * What an undone provisioning scheduled for destruction is taken back as long as it can be; a primary
 * version that is destroyed gets a successor.
 */
export function towardsUse(key: TenantKey | undefined): KeyMove {
  if (key === undefined) return { move: 'create' }
  const primary = key.versions.find(({ name }) => name === key.primary)
  if (primary === undefined || primary.state === 'destroyed') return { move: 'add-primary' }
  const version = primary.name
  if (primary.state === 'enabled') return { move: 'ready' }
  if (primary.state === 'disabled') return { move: 'enable', version }
  return primary.state === 'destroy-scheduled' ? { move: 'restore', version } : { move: 'wait' }
}

/**
 * Towards the end of every version: first out of use, which is what takes effect at once, then scheduled.
 * `ready` once all of them are on their way or gone; a key that there never was is.
 */
export function towardsEnd(key: TenantKey | undefined): KeyMove {
  const versions = key?.versions ?? []
  const enabled = versions.find(({ state }) => state === 'enabled')
  if (enabled !== undefined) return { move: 'disable', version: enabled.name }
  const disabled = versions.find(({ state }) => state === 'disabled')
  if (disabled !== undefined) return { move: 'destroy', version: disabled.name }
  return versions.some(({ state }) => state === 'other') ? { move: 'wait' } : { move: 'ready' }
}

/** When the last version will be gone; undefined when all are. */
export function lastDestructionMs(versions: readonly KeyVersion[]): number | undefined {
  const waiting = versions.filter(({ state }) => state !== 'destroyed')
  if (waiting.length === 0) return undefined
  return Math.max(...waiting.map(({ destroyAtMs }) => destroyAtMs ?? 0))
}
