import type { PublicJwk } from './access-key.ts'

/**
 * One signing key as the ring knows it; its private half is a numbered version in Secret Manager.
 *
 * Only instants are stored (milliseconds); the state of a key at any moment follows from them, so no
 * process has to act for a key to become active or to retire.
 */
export type RingKey = {
  readonly kid: string
  readonly jwk: PublicJwk
  readonly secretVersion: string
  /** From when it stands in the JWKS. */
  readonly publishAt: number
  /** From when it signs; null for a standby that waits for the next rotation. */
  readonly activateAt: number | null
  /** Since when nothing it signed is believed; null for a key nobody else has. */
  readonly compromisedAt: number | null
  /** When its private half was disabled in Secret Manager, and when it was destroyed there. */
  readonly disabledAt: number | null
  readonly destroyedAt: number | null
}

export type Keyring = {
  readonly keys: readonly RingKey[]
  /** Rises by one with each change. */
  readonly generation: number
  readonly lastRotation: { readonly at: number; readonly messageId: string } | null
}

/** A key before it has its times. */
export type KeyMaterial = Pick<RingKey, 'kid' | 'jwk' | 'secretVersion'>

/** The gateway keeps the JWKS 300 s, HTTP caches another 300 s; 60 s of margin. */
export const PUBLISHED_BEFORE_ACTIVE_MS = 660_000
/** The longest token life, ring caches, the gateway's skew and a margin (`auth.md` §8). */
export const PUBLISHED_AFTER_ACTIVE_MS = 960_000
const ROTATIONS_APART_MS = 600_000

/** A first ring: one key that signs at once, since no cache knows an older set, and a standby beside it. */
export function startRing(first: KeyMaterial, standby: KeyMaterial, nowMs: number): Keyring {
  return {
    keys: [newKey(first, nowMs, nowMs), newKey(standby, nowMs, null)],
    generation: 1,
    lastRotation: null,
  }
}

/** A key as it enters the ring. */
export function newKey(material: KeyMaterial, publishAt: number, activateAt: number | null): RingKey {
  return { ...material, publishAt, activateAt, compromisedAt: null, disabledAt: null, destroyedAt: null }
}

/**
 * The one key that signs at this instant: the newest that is active.
 *
 * Before all of them, the first: a process whose clock is a little behind the one that started the
 * ring must not be without a signer. In place of a compromised key its successor signs, though ahead
 * of its time: the one before may be out of every cache.
 */
export function signerAt(ring: Keyring, nowMs: number): RingKey | undefined {
  const byActivation = ring.keys
    .filter((key) => key.activateAt !== null)
    // A stable sort: of two equals, the one added later stays later.
    .sort((left, right) => (left.activateAt ?? 0) - (right.activateAt ?? 0))
  const newest = byActivation.findLastIndex((key) => (key.activateAt ?? 0) <= nowMs)
  const sound = (key: RingKey): boolean => key.compromisedAt === null
  return (
    byActivation.slice(Math.max(newest, 0)).find(sound) ??
    byActivation.slice(0, Math.max(newest, 0)).findLast(sound)
  )
}

/** The keys that verifiers may use at this instant, the newest first. */
export function publishedAt(ring: Keyring, nowMs: number): readonly RingKey[] {
  return ring.keys
    .filter((key) => key.compromisedAt === null && nowMs < retiredAt(ring, key))
    .sort((left, right) => right.publishAt - left.publishAt)
}

/** Keys whose private half a signer may need soon: the one that signs and those that will. */
export function signersFrom(ring: Keyring, nowMs: number): readonly RingKey[] {
  const signer = signerAt(ring, nowMs)
  return ring.keys.filter(
    (key) =>
      key.compromisedAt === null && (key === signer || key.activateAt === null || key.activateAt > nowMs),
  )
}

/** Whether a rotation is due to this message: a repeated delivery and a second one within ten minutes are not. */
export function rotationIsDue(ring: Keyring, messageId: string, nowMs: number): boolean {
  const last = ring.lastRotation
  return last === null || (last.messageId !== messageId && nowMs - last.at >= ROTATIONS_APART_MS)
}

/**
 * Activates the standby and publishes `next` as the new one.
 *
 * The standby has long been in every cache, so it can sign at once; if it is too young, it waits
 * until the caches know it, and the old key goes on signing.
 */
export function rotateRing(ring: Keyring, next: KeyMaterial, messageId: string, nowMs: number): Keyring {
  const keys = ring.keys.map((key) =>
    key.activateAt === null && key.compromisedAt === null
      ? { ...key, activateAt: Math.max(nowMs, key.publishAt + PUBLISHED_BEFORE_ACTIVE_MS) }
      : key,
  )
  return {
    keys: [...keys, newKey(next, nowMs, null)],
    generation: ring.generation + 1,
    lastRotation: { at: nowMs, messageId },
  }
}

/**
 * When a key leaves the JWKS: a while after another took over; never while it signs or may yet sign.
 * A key that was compromised before its time never took over from anyone.
 */
export function retiredAt(ring: Keyring, key: RingKey): number {
  if (key.activateAt === null) return Number.POSITIVE_INFINITY
  const index = ring.keys.indexOf(key)
  const { activateAt } = key
  const successors = ring.keys.flatMap((other, at) => {
    const later =
      other.activateAt !== null &&
      (other.compromisedAt === null || other.activateAt < other.compromisedAt) &&
      (other.activateAt > activateAt || (other.activateAt === activateAt && at > index))
    return later && other.activateAt !== null ? [other.activateAt] : []
  })
  return successors.length === 0
    ? Number.POSITIVE_INFINITY
    : Math.min(...successors) + PUBLISHED_AFTER_ACTIVE_MS
}
