import { parseJwks, type VerificationKey } from '#local/gateway/jwks.ts'
import { createJwksCache } from '#local/gateway/jwks-cache.ts'

/** The key set of the token issuer: as it is, or where it is. */
export type KeyOptions =
  | { readonly jwks: { readonly keys: readonly unknown[] }; readonly jwksUri?: never }
  | { readonly jwksUri: string; readonly jwks?: never }

/** Public keys only: with a shared secret everybody who verifies could sign. */
export function createKeySource(
  options: KeyOptions,
  now: () => number,
): () => Promise<readonly VerificationKey[] | undefined> {
  if (options.jwks) {
    const keys = asymmetric(parseJwks(JSON.stringify(options.jwks)))
    return async () => keys
  }
  const cache = createJwksCache(options.jwksUri, now)
  return async () => asymmetric(await cache.keys())
}

function asymmetric(keys: readonly VerificationKey[] | undefined): readonly VerificationKey[] | undefined {
  return keys?.filter(({ material }) => material.type !== 'oct')
}
