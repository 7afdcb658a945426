import type { Duration, Timestamp } from '../pubsub/wire.ts'

/** A secret as it crosses the wire; fields the engine only stores are left untyped. */
export type SecretConfig = {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly topics: readonly { readonly name: string }[]
  readonly replication: unknown
  readonly createTime: Timestamp
  readonly expireTime?: Timestamp | null
  readonly ttl?: Duration | null
  readonly etag: string
  readonly rotation: {
    readonly nextRotationTime: Timestamp | null
    readonly rotationPeriod: Duration | null
  } | null
  readonly versionAliases: Readonly<Record<string, string>>
  readonly [field: string]: unknown
}

export type VersionState = 'ENABLED' | 'DISABLED' | 'DESTROYED'

export type Version = {
  readonly number: number
  readonly state: VersionState
  readonly createTime: Timestamp
  readonly destroyTime: Timestamp | null
  readonly etag: string
  readonly checksumGiven: boolean
  /** Absent once destroyed. */
  readonly data: Buffer | null
}

export type PolicyBinding = {
  readonly role: string
  readonly members: readonly string[]
  readonly condition?: unknown
}

/** An IAM policy as it was written; the etag in base64. */
export type Policy = {
  readonly version: number
  readonly bindings: readonly PolicyBinding[]
  readonly etag: string
}

export type Secret = {
  readonly config: SecretConfig
  readonly versions: readonly Version[]
  /** Absent until one is written. */
  readonly policy?: Policy
}
