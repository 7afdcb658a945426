import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto'
import type { Branded, TenantId } from '#shared/ids.ts'

/** Personal data as it is stored: unreadable without the tenant's data key. */
export type Sealed = Branded<'Sealed'>

/** What a sealed text is for. One sealed for another purpose, or another tenant, does not open. */
export type SealPurpose = 'email' | 'name' | 'scim' | 'address' | 'user-agent' | 'client-secret'

/** What is looked up without being readable. Digests of two purposes never equal each other. */
export type HashPurpose = 'email' | 'scim-user-name' | 'scim-external-id'

export const DATA_KEY_BYTES = 32
export const NONCE_BYTES = 12
const TAG_BYTES = 16
const FORM = /^v1\.([A-Za-z0-9_-]+)$/

/**
 * Encrypts with AES-256-GCM; tenant and purpose are authenticated with it.
 *
 * The nonce is 96 bits of chance: one key may seal 2^32 texts before two nonces could meet (NIST SP
 * 800-38D §8.3), more than a tenant has people, sessions and edits.
 */
export function sealText(
  key: Uint8Array,
  nonce: Uint8Array,
  tenantId: TenantId,
  purpose: SealPurpose,
  text: string,
): Sealed {
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(boundTo(tenantId, purpose))
  const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
  return `v1.${sealed.toString('base64url')}` as Sealed
}

/** Decrypts. Throws when it was altered, or sealed for another tenant or purpose: that is our fault or an attack. */
export function openText(key: Uint8Array, tenantId: TenantId, purpose: SealPurpose, sealed: Sealed): string {
  const bytes = Buffer.from(FORM.exec(sealed)?.[1] ?? '', 'base64url')
  if (bytes.length < NONCE_BYTES + TAG_BYTES) throw new Error('not a sealed text')
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(boundTo(tenantId, purpose))
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
  const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES))
  return Buffer.concat([text, decipher.final()]).toString('utf8')
}

/**
 * A digest to find a text by: HMAC-SHA-256 under a key derived from the data key, so that it goes with
 * it, and so that nobody can try addresses against what is stored. Fit for a document id.
 */
export function hashText(key: Uint8Array, tenantId: TenantId, purpose: HashPurpose, text: string): string {
  const searchKey = Buffer.from(hkdfSync('sha256', key, '', 'energent/search/v1', DATA_KEY_BYTES))
  const named = [tenantId, purpose, text].join('\0')
  return `h${createHmac('sha256', searchKey).update(named, 'utf8').digest('base64url')}`
}

function boundTo(tenantId: TenantId, purpose: SealPurpose): Buffer {
  return Buffer.from(['energent/personal/v1', tenantId, purpose].join('\0'), 'utf8')
}
