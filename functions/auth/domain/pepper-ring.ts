/** The secrets that client secrets are hashed with, by version; each is a numbered version in Secret Manager. */
export type PepperRing = {
  readonly peppers: readonly {
    readonly version: number
    readonly secretVersion: string
    readonly createdAt: number
  }[]
  readonly generation: number
}

export const PEPPER_BYTES = 32

export function startPepperRing(secretVersion: string, nowMs: number): PepperRing {
  return { peppers: [{ version: 1, secretVersion, createdAt: nowMs }], generation: 1 }
}

/** The version that new secrets are hashed with. Throws on an empty ring, which nothing writes. */
export function currentPepperVersion(ring: PepperRing): number {
  const versions = ring.peppers.map((pepper) => pepper.version)
  if (versions.length === 0) throw new Error('the pepper ring is empty')
  return Math.max(...versions)
}
