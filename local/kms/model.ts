/** The states of a key version that the stand-in knows (CryptoKeyVersionState of Cloud KMS). */
export type VersionState = 'ENABLED' | 'DISABLED' | 'DESTROY_SCHEDULED' | 'DESTROYED'

export type VersionRecord = {
  readonly number: number
  readonly state: VersionState
  /** Base64; empty once it is destroyed. */
  readonly material: string
  readonly createTime: string
  /** When it is to be destroyed, in milliseconds. */
  readonly destroyAtMs?: number
}

export type KeyRecord = {
  readonly name: string
  /** Keys that sign, on P-256 with SHA-256; those without it encrypt. */
  readonly purpose?: 'ASYMMETRIC_SIGN'
  readonly createTime: string
  readonly labels?: Readonly<Record<string, unknown>>
  readonly primary: number
  readonly destroyAfterSeconds: number
  readonly versions: readonly VersionRecord[]
}

type Status = 'INVALID_ARGUMENT' | 'FAILED_PRECONDITION' | 'NOT_FOUND' | 'ALREADY_EXISTS' | 'UNAUTHENTICATED'

const HTTP: Readonly<Record<Status, number>> = {
  INVALID_ARGUMENT: 400,
  FAILED_PRECONDITION: 400,
  UNAUTHENTICATED: 401,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
}

/** An answer that Cloud KMS gives as an error. */
export class KmsError extends Error {
  override readonly name = 'KmsError'
  readonly status: Status
  constructor(status: Status, message: string) {
    super(message)
    this.status = status
  }
  get httpStatus(): number {
    return HTTP[this.status]
  }
}
