import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { crc32c } from '#shared/crc32c.ts'
import { type KeyBook, requireState, versionName } from './keys.ts'
import { type KeyRecord, KmsError } from './model.ts'

const MOST_BYTES = 64 * 1024
const NONCE_BYTES = 12
const TAG_BYTES = 16
const WRONG = "Decryption failed: verify that 'name' refers to the correct CryptoKey."

type Body = Readonly<Record<string, unknown>>

/** `:encrypt`, with the primary version. The ciphertext names the version, so that a later primary decrypts it too. */
export function encrypt(key: KeyRecord, book: KeyBook, body: Body): object {
  const plaintext = bytesOf(body, 'plaintext')
  const bound = bytesOf(body, 'additionalAuthenticatedData')
  const version = book.versionOf(key, key.primary)
  requireState(key, version, ['ENABLED'])
  const nonce = randomBytes(NONCE_BYTES)
  const head = Buffer.alloc(4)
  head.writeUInt32BE(version.number)
  const cipher = createCipheriv('aes-256-gcm', Buffer.from(version.material, 'base64'), nonce)
  cipher.setAAD(Buffer.concat([head, bound]))
  const sealed = Buffer.concat([cipher.update(plaintext), cipher.final()])
  const ciphertext = Buffer.concat([head, nonce, sealed, cipher.getAuthTag()])
  return {
    name: versionName(key, version.number),
    ciphertext: ciphertext.toString('base64'),
    ciphertextCrc32c: String(crc32c(ciphertext)),
    ...(body['plaintextCrc32c'] === undefined ? {} : { verifiedPlaintextCrc32c: true }),
    ...(body['additionalAuthenticatedDataCrc32c'] === undefined
      ? {}
      : { verifiedAdditionalAuthenticatedDataCrc32c: true }),
    protectionLevel: 'SOFTWARE',
  }
}

/** `:decrypt`, with the version that encrypted. */
export function decrypt(key: KeyRecord, body: Body): object {
  const ciphertext = bytesOf(body, 'ciphertext')
  const bound = bytesOf(body, 'additionalAuthenticatedData')
  const number = ciphertext.length < 4 + NONCE_BYTES + TAG_BYTES ? 0 : ciphertext.readUInt32BE()
  const version = key.versions.find((candidate) => candidate.number === number)
  if (version === undefined) throw new KmsError('INVALID_ARGUMENT', WRONG)
  requireState(key, version, ['ENABLED'])
  const nonce = ciphertext.subarray(4, 4 + NONCE_BYTES)
  const decipher = createDecipheriv('aes-256-gcm', Buffer.from(version.material, 'base64'), nonce)
  decipher.setAAD(Buffer.concat([ciphertext.subarray(0, 4), bound]))
  decipher.setAuthTag(ciphertext.subarray(-TAG_BYTES))
  try {
    const text = decipher.update(ciphertext.subarray(4 + NONCE_BYTES, -TAG_BYTES))
    const plaintext = Buffer.concat([text, decipher.final()])
    return {
      plaintext: plaintext.toString('base64'),
      plaintextCrc32c: String(crc32c(plaintext)),
      usedPrimary: number === key.primary,
      protectionLevel: 'SOFTWARE',
    }
  } catch {
    throw new KmsError('INVALID_ARGUMENT', WRONG)
  }
}

/** Base64 bytes and, when the caller sent it, their checksum. */
export function bytesOf(body: Body, member: string): Buffer {
  const value = body[member] ?? ''
  if (typeof value !== 'string' || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(value)) {
    throw new KmsError('INVALID_ARGUMENT', `Invalid value at '${member}' (TYPE_BYTES).`)
  }
  const bytes = Buffer.from(value, 'base64')
  if (bytes.length > MOST_BYTES) throw new KmsError('INVALID_ARGUMENT', `The ${member} is too large.`)
  const sum = body[`${member}Crc32c`]
  if (sum !== undefined && String(sum) !== String(crc32c(bytes))) {
    throw new KmsError(
      'INVALID_ARGUMENT',
      `The checksum in ${member}Crc32c did not match the data in ${member}.`,
    )
  }
  return bytes
}
