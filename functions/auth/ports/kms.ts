/** A key that wraps a tenant's data key; its own bytes never leave Cloud KMS. */
export type Kms = {
  /** Encrypts with the key's primary version. Throws when the key cannot be used, or not be reached. */
  encrypt(keyId: string, plaintext: Uint8Array, bound: Uint8Array): Promise<Wrapped>
  /**
   * Decrypts, or tells that the version which wrapped it is destroyed for good. Throws when the version
   * is disabled, `bound` is not what it was, or nobody answers.
   */
  decrypt(keyId: string, ciphertext: Uint8Array, bound: Uint8Array): Promise<Unwrapped | 'destroyed'>
  /** Creates the key unless it is there. */
  ensureKey(keyId: string): Promise<void>
}

export type Wrapped = {
  readonly ciphertext: Uint8Array
  /** The resource name of the version that was used. */
  readonly keyVersion: string
}

export type Unwrapped = {
  readonly plaintext: Uint8Array
  /** False when the key has a newer version by now, and the one that wrapped this may be destroyed some day. */
  readonly usedPrimary: boolean
}

/** There is no key of this id yet. */
export class NoSuchKey extends Error {
  override readonly name = 'NoSuchKey'
}
