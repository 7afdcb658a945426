export type BucketRecord = {
  readonly name: string
  readonly timeCreated: string
  readonly updated: string
  readonly metageneration: number
  readonly versioning: boolean
  readonly location: string
}

export type ObjectRecord = {
  readonly bucket: string
  readonly name: string
  /** Microseconds; larger for every version of every object. */
  readonly generation: number
  readonly metageneration: number
  readonly contentType: string
  readonly size: number
  readonly md5Hash: string
  readonly crc32c: string
  readonly timeCreated: string
  readonly updated: string
  /** Set when it stopped being the live version. */
  readonly timeDeleted?: string
  readonly metadata: Readonly<Record<string, string>>
  readonly cacheControl?: string
  readonly contentDisposition?: string
  readonly contentEncoding?: string
}

/** An answer the API gives as an error; `reason` is the machine-readable word of its JSON. */
type StorageError = Error & { readonly status: number; readonly reason: string }

/** A failure in the terms of the JSON API: status, reason, message. */
export function storageError(status: number, reason: string, message: string): StorageError {
  return Object.assign(new Error(message), { status, reason })
}

/** The error document of Google's JSON APIs. */
export function errorBody(error: StorageError): object {
  const { status, reason, message } = error
  return { error: { code: status, message, errors: [{ message, domain: 'global', reason }] } }
}
