import type { HealthCheck } from '#shared/health.ts'
import { type Kms, NoSuchKey } from '../ports/kms.ts'

/** No tenant has an id with a capital letter, so no key is named like this. */
const NO_KEY = 'Health'
const A_BYTE = Uint8Array.of(0)

/**
 * Whether Cloud KMS answers this function's account: it is asked to use a key that there is not, which
 * touches no tenant's key and costs nothing. That it knows of none is the answer hoped for.
 */
export function kmsCheck(kms: Pick<Kms, 'encrypt'>): HealthCheck {
  return async () => {
    try {
      await kms.encrypt(NO_KEY, A_BYTE, A_BYTE)
    } catch (error) {
      if (!(error instanceof NoSuchKey)) throw error
    }
  }
}
