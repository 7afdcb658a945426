import { type KeyMaterial, type Keyring, newKey, type RingKey, retiredAt, signerAt } from './keyring.ts'

/** What a key is at an instant (`auth.md` §8); before it is in the ring, a version in Secret Manager alone. */
export type KeyState = 'PUBLISHED' | 'ACTIVE' | 'RETIRING' | 'RETIRED' | 'DESTROYED' | 'COMPROMISED'

/** How long the private half of a key that signs no more is kept disabled, in case it is needed as evidence. */
export const DISABLED_BEFORE_DESTROYED_MS = 30 * 24 * 3_600_000
/** How long a destroyed key is still shown in the ring. */
const SHOWN_AFTER_DESTROYED_MS = 30 * 24 * 3_600_000

/** The state of a key: it follows from the ring's instants, nobody has to record it. */
export function stateOf(ring: Keyring, key: RingKey, nowMs: number): KeyState {
  if (key.destroyedAt !== null) return 'DESTROYED'
  if (key.compromisedAt !== null) return 'COMPROMISED'
  if (nowMs >= retiredAt(ring, key)) return 'RETIRED'
  if (key === signerAt(ring, nowMs)) return 'ACTIVE'
  return key.activateAt === null || key.activateAt > nowMs ? 'PUBLISHED' : 'RETIRING'
}

/** How many new keys `compromise` takes: one where no standby would be left, one more where no signer would. */
export function keysForCompromise(ring: Keyring, kid: string, nowMs: number): number {
  const { mustReplace, successor } = replacementOf(ring, kid, nowMs)
  const standbyLeft = ring.keys.some(
    (key) => key.kid !== kid && key !== successor && key.activateAt === null && key.compromisedAt === null,
  )
  return (mustReplace && successor === undefined ? 1 : 0) + (standbyLeft ? 0 : 1)
}

/**
 * Takes a key out of use at once: it signs nothing more and nobody verifies with it.
 *
 * If it was the signer, the longest published standby signs from this instant, however young; a cache
 * that does not know it yet refuses its tokens for a while, which is less harm than the thief's
 * tokens. `fresh` takes the free places: a new signer where there was no other key, and a new standby.
 */
export function compromise(
  ring: Keyring,
  kid: string,
  fresh: readonly KeyMaterial[],
  nowMs: number,
): Keyring {
  if (fresh.length !== keysForCompromise(ring, kid, nowMs)) throw new RangeError('wrong number of new keys')
  const { mustReplace, successor } = replacementOf(ring, kid, nowMs)
  const keys = ring.keys.map((key) => {
    if (key.kid === kid) return { ...key, compromisedAt: key.compromisedAt ?? nowMs }
    return key === successor ? { ...key, activateAt: nowMs } : key
  })
  const signsAtOnce = mustReplace && successor === undefined
  const added = fresh.map((material, at) => newKey(material, nowMs, signsAtOnce && at === 0 ? nowMs : null))
  return { ...ring, keys: [...keys, ...added], generation: ring.generation + 1 }
}

/** Something to be done with the private half of a key in Secret Manager. */
export type Upkeep = {
  readonly kid: string
  readonly secretVersion: string
  readonly act: 'disable' | 'destroy'
}

/** What is due: a key that retired or was compromised is disabled at once, and destroyed 30 days later. */
export function upkeepDue(ring: Keyring, nowMs: number): readonly Upkeep[] {
  return ring.keys.flatMap((key): Upkeep[] => {
    const overAt = key.compromisedAt ?? retiredAt(ring, key)
    if (nowMs < overAt || key.destroyedAt !== null) return []
    const { kid, secretVersion } = key
    if (nowMs >= overAt + DISABLED_BEFORE_DESTROYED_MS) return [{ kid, secretVersion, act: 'destroy' }]
    return key.disabledAt === null ? [{ kid, secretVersion, act: 'disable' }] : []
  })
}

/** Whether a ring holds keys that nobody needs to see any more. */
export function hasForgettable(ring: Keyring, nowMs: number): boolean {
  return ring.keys.some((key) => isForgettable(key, nowMs))
}

/** The ring after upkeep: what was done is noted, and keys destroyed long ago are left out. */
export function withUpkeep(ring: Keyring, done: readonly Upkeep[], nowMs: number): Keyring {
  const keys = ring.keys
    .filter((key) => !isForgettable(key, nowMs))
    .map((key) => {
      const acts = done.filter((upkeep) => upkeep.kid === key.kid).map((upkeep) => upkeep.act)
      if (acts.length === 0) return key
      const destroyed = acts.includes('destroy')
      return {
        ...key,
        disabledAt: key.disabledAt ?? nowMs,
        destroyedAt: destroyed ? nowMs : key.destroyedAt,
      }
    })
  return { ...ring, keys, generation: ring.generation + 1 }
}

function isForgettable(key: RingKey, nowMs: number): boolean {
  return key.destroyedAt !== null && nowMs >= key.destroyedAt + SHOWN_AFTER_DESTROYED_MS
}

/** Whether somebody must sign in place of `kid`, and who: the longest published key that has not signed yet. */
function replacementOf(
  ring: Keyring,
  kid: string,
  nowMs: number,
): { readonly mustReplace: boolean; readonly successor: RingKey | undefined } {
  if (signerAt(ring, nowMs)?.kid !== kid) return { mustReplace: false, successor: undefined }
  const [successor] = ring.keys
    .filter(
      (key) =>
        key.kid !== kid && key.compromisedAt === null && (key.activateAt === null || key.activateAt > nowMs),
    )
    .sort((left, right) => left.publishAt - right.publishAt)
  return { mustReplace: true, successor }
}
