import { parseJwt } from './jwt.ts'

/** Signs an ID token of a service account for an audience, as Google's metadata server does. */
export type MintIdToken = (claims: { email: string; audience: string }) => Promise<string>

/** The gateway's own ID token for a backend's audience; `undefined` when there is none to be had. */
export type BackendTokens = (audience: string) => Promise<string | undefined>

// A token is renewed this long before it ends, so that none runs out on its way.
const RENEW_BEFORE_SECONDS = 60

/** Keeps one token per audience until shortly before it expires. Concurrent requests share one minting. */
export function createBackendTokens(mint: MintIdToken, email: string, now: () => number): BackendTokens {
  const kept = new Map<string, { token: string; issuedAt: number; expires: number }>()
  const underWay = new Map<string, Promise<string | undefined>>()
  const renew = async (audience: string) => {
    try {
      const token = await mint({ email, audience })
      kept.set(audience, { token, ...lifeOf(token) })
      return token
    } catch {
      // No token: the caller answers that it has none, or goes on with the one that still holds.
      return undefined
    }
  }
  return async (audience) => {
    const usable = (marginSeconds: number) => {
      const one = kept.get(audience)
      const seconds = now() / 1000
      // A clock moved back would make the kept token one from the future.
      const holds =
        one && one.issuedAt <= seconds + RENEW_BEFORE_SECONDS && seconds + marginSeconds < one.expires
      return holds ? one.token : undefined
    }
    const current = usable(RENEW_BEFORE_SECONDS)
    if (current !== undefined) return current
    const pending = underWay.get(audience) ?? renew(audience).finally(() => underWay.delete(audience))
    underWay.set(audience, pending)
    return (await pending) ?? usable(0)
  }
}

function lifeOf(token: string): { issuedAt: number; expires: number } {
  // A token that is not a JWT has no life to be read: it serves the requests that waited for it.
  const jwt = parseJwt(token)
  return 'refused' in jwt ? { issuedAt: 0, expires: 0 } : { issuedAt: jwt.issued, expires: jwt.expires }
}
