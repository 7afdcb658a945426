import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { type Kms, NoSuchKey } from '../../../functions/auth/ports/kms.ts'

/** Cloud KMS in memory, for tests that are not about it: keys that can be destroyed, and go down. */
export function memoryKms(): Kms & {
  destroy(keyId: string): void
  has(keyId: string): boolean
  down: boolean
  calls: string[]
} {
  const keys = new Map<string, Buffer | 'destroyed'>()
  const calls: string[] = []
  const kms = {
    down: false,
    calls,
    has: (keyId: string) => keys.has(keyId),
    destroy: (keyId: string) => void keys.set(keyId, 'destroyed'),
    ensureKey: async (keyId: string) => {
      if (!keys.has(keyId)) keys.set(keyId, randomBytes(32))
    },
    encrypt: async (keyId: string, plaintext: Uint8Array, bound: Uint8Array) => {
      calls.push(`encrypt ${keyId}`)
      if (kms.down) throw new Error('KMS is down')
      const key = keys.get(keyId)
      if (key === undefined) throw new NoSuchKey(keyId)
      if (key === 'destroyed') throw new Error('destroyed')
      const nonce = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(bound)
      const ciphertext = Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
      return { ciphertext, keyVersion: `${keyId}/cryptoKeyVersions/1` }
    },
    decrypt: async (keyId: string, ciphertext: Uint8Array, bound: Uint8Array) => {
      calls.push(`decrypt ${keyId}`)
      if (kms.down) throw new Error('KMS is down')
      const key = keys.get(keyId)
      if (key === undefined) throw new NoSuchKey(keyId)
      if (key === 'destroyed') return 'destroyed' as const
      const bytes = Buffer.from(ciphertext)
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12)).setAAD(bound)
      decipher.setAuthTag(bytes.subarray(-16))
      const plaintext = Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()])
      return { plaintext, usedPrimary: true }
    },
  }
  return kms
}
