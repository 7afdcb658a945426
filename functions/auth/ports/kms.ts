/** A key that wraps a tenant's data key; its own bytes never leave Cloud KMS. */
export type Kms = {
  /** Encrypts with the key's primary version. Throws when the key cannot be used, or not be reached. */
  encrypt(keyId: string, plaintext: Uint8Array, bound: Uint8Array): Promise<Wrapped>
  /**
   * Decrypts, or tells that the version which wrapped it is destroyed for good. Throws when the version
   * is disabled, `bound` is not what it was, or nobody answers.
   */
  decrypt(keyId: string, ciphertext: Uint8Array, bound: Uint8Array): Promise<Uint8Array | 'destroyed'>
  /** Creates the key unless it is there. */
  ensureKey(keyId: string): Promise<void>
}

export type Wrapped = {
  readonly ciphertext: Uint8Array
  /** The resource name of the version that was used. */
  readonly keyVersion: string
}

/** There is no key of this id yet. */
export class NoSuchKey extends Error {
  override readonly name = 'NoSuchKey'
}
