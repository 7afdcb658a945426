import { decodeJwt } from 'jose'

/** Signs an ID token of a service account for an audience, as Google's metadata server does. */
export type MintIdToken = (claims: { email: string; audience: string }) => Promise<string>

type KeptToken = { readonly token: string; readonly issued: number; readonly expires: number }

/**
 * Keeps minted ID tokens until `renewBeforeSeconds` before they expire, so that none runs out on its way.
 *
 * Many who need one wait for one minting. When it fails, a token that still holds goes on serving; only
 * without one does the failure reach the caller.
 */
export function keepIdTokens(mint: MintIdToken, now: () => number, renewBeforeSeconds: number): MintIdToken {
  const kept = new Map<string, KeptToken>()
  const underWay = new Map<string, Promise<string>>()
  return async ({ email, audience }) => {
    const key = JSON.stringify([email, audience])
    const holds = (marginSeconds: number): string | undefined => {
      const one = kept.get(key)
      const seconds = now() / 1000
      // A clock moved back would make the kept token one from the future.
      if (one === undefined || one.issued > seconds + renewBeforeSeconds) return undefined
      return seconds + marginSeconds < one.expires ? one.token : undefined
    }
    const renew = async (): Promise<string> => {
      const token = await mint({ email, audience })
      kept.set(key, { token, ...lifeOf(token) })
      return token
    }
    const current = holds(renewBeforeSeconds)
    if (current !== undefined) return current
    const pending = underWay.get(key) ?? renew().finally(() => underWay.delete(key))
    underWay.set(key, pending)
    try {
      return await pending
    } catch (error) {
      const old = holds(0)
      if (old === undefined) throw error
      return old
    }
  }
}

/** What is no JWT has no life to be read: it serves the callers that waited for it, and no other. */
function lifeOf(token: string): { issued: number; expires: number } {
  try {
    const { iat = 0, exp = 0 } = decodeJwt(token)
    return { issued: iat, expires: exp }
  } catch {
    return { issued: 0, expires: 0 }
  }
}
