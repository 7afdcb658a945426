/** The secrets that client secrets are hashed with, by version; each is a numbered version in Secret Manager. */
export type PepperRing = {
  readonly peppers: readonly {
    readonly version: number
    readonly secretVersion: string
    readonly createdAt: number
  }[]
  readonly generation: number
  /** The message that the last rotation answered; null before the first. */
  readonly lastMessageId: string | null
}

const ROTATIONS_APART_MS = 600_000

/** The secret in Secret Manager whose versions are the peppers. */
export const PEPPER_SECRET = 'auth-pepper'
export const PEPPER_BYTES = 32

export function startPepperRing(secretVersion: string, nowMs: number): PepperRing {
  return { peppers: [{ version: 1, secretVersion, createdAt: nowMs }], generation: 1, lastMessageId: null }
}

/** The version that new secrets are hashed with. Throws on an empty ring, which nothing writes. */
export function currentPepperVersion(ring: PepperRing): number {
  const versions = ring.peppers.map((pepper) => pepper.version)
  if (versions.length === 0) throw new Error('the pepper ring is empty')
  return Math.max(...versions)
}

/** Whether a rotation is due to this message: a repeated delivery and a second one within ten minutes are not. */
export function pepperRotationIsDue(ring: PepperRing, messageId: string, nowMs: number): boolean {
  const newest = Math.max(...ring.peppers.map((pepper) => pepper.createdAt))
  return ring.lastMessageId !== messageId && nowMs - newest >= ROTATIONS_APART_MS
}

/** The ring with a new pepper for new secrets. The old ones stay: what was hashed with them is still compared. */
export function rotatePepperRing(
  ring: PepperRing,
  secretVersion: string,
  messageId: string,
  nowMs: number,
): PepperRing {
  const version = currentPepperVersion(ring) + 1
  return {
    peppers: [...ring.peppers, { version, secretVersion, createdAt: nowMs }],
    generation: ring.generation + 1,
    lastMessageId: messageId,
  }
}
