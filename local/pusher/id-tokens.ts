export type MintIdToken = (request: { email: string; audience: string }) => Promise<string>

/** A token is used until this long before it expires, as Google's libraries do. */
const REFRESH_BEFORE_MS = 300_000

/** Keeps minted identity tokens until shortly before they expire; many who need one wait for one minting. */
export function cacheIdTokens(mint: MintIdToken, now: () => number): MintIdToken {
  const cached = new Map<string, { token: string; expiresMs: number }>()
  const minting = new Map<string, Promise<string>>()
  return async ({ email, audience }) => {
    const key = JSON.stringify([email, audience])
    const known = cached.get(key)
    if (known !== undefined && known.expiresMs - REFRESH_BEFORE_MS > now()) return known.token
    const started = minting.get(key)
    if (started !== undefined) return started
    const fresh = mint({ email, audience })
      .then((token) => {
        cached.set(key, { token, expiresMs: expiryMs(token) })
        return token
      })
      .finally(() => minting.delete(key))
    minting.set(key, fresh)
    return fresh
  }
}

/** When a JWT expires, or 0 for what is none: that is minted afresh each time. */
function expiryMs(token: string): number {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    const expires = typeof claims === 'object' && claims !== null && 'exp' in claims ? claims.exp : 0
    return typeof expires === 'number' ? expires * 1000 : 0
  } catch {
    return 0
  }
}
