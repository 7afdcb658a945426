import { type CryptoKey, importJWK, jwtVerify } from 'jose'
import { z } from 'zod'
import { parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { splitOwnJwt } from '#shared/tokens/strict-jwt.ts'
import type { Client } from '../domain/client.ts'
import type { ClientAssertions } from '../ports.ts'

/** No HMAC, and of RSA only PSS (RFC 8725 §3.2; FAPI 2.0 §5.4). `Ed25519` is the new name of `EdDSA` (RFC 9864). */
export const ASSERTION_ALGS = ['ES256', 'EdDSA', 'Ed25519', 'PS256'] as const

const LONGEST_LIFE_SECONDS = 300
/** How far a client's clock may be from ours. */
const SKEW_SECONDS = 30

const parseClaims = parser(
  z.object({
    iss: z.string(),
    sub: z.string(),
    // One string, the issuer: not an array, not an endpoint (RFC 7523bis §4; the audience injection of 2025).
    aud: z.string(),
    exp: z.number().int(),
    iat: z.number().int().optional(),
    nbf: z.number().int().optional(),
    jti: z.string().min(1).max(256),
  }),
  'client.invalid',
)

/** Assertions against the keys that a client registered. */
export function clientAssertions(issuer: string): ClientAssertions {
  return {
    check: async (assertion, clientId, client, nowMs) => {
      const parts = splitOwnJwt(assertion)
      if (!parts.ok) return refuse('client.invalid', `assertion: ${parts.detail}`)
      const { alg, kid } = parts.value.header
      const claims = parseClaims(parts.value.payload)
      if (!claims.ok) return claims
      const fault = faultOf(claims.value, clientId, issuer, Math.floor(nowMs / 1000))
      if (fault !== undefined) return refuse('client.invalid', `assertion: ${fault}`)
      const key = await keyOf(client, alg, kid)
      if (key === undefined) return refuse('client.invalid', 'assertion: no key')
      const signed = await verify(assertion, key, nowMs)
      return signed.ok ? ok({ jti: claims.value.jti, expSeconds: claims.value.exp }) : signed
    },
  }
}

type Claims = {
  readonly iss: string
  readonly sub: string
  readonly aud: string
  readonly exp: number
  readonly iat?: number | undefined
  readonly nbf?: number | undefined
}

function faultOf(claims: Claims, clientId: string, issuer: string, nowSeconds: number): string | undefined {
  if (claims.iss !== clientId || claims.sub !== clientId) return 'iss and sub are not the client'
  if (claims.aud !== issuer) return 'aud is not the issuer'
  if (claims.exp <= nowSeconds - SKEW_SECONDS) return 'expired'
  if (claims.exp > nowSeconds + LONGEST_LIFE_SECONDS + SKEW_SECONDS) return 'lives too long'
  if ((claims.iat ?? 0) > nowSeconds + SKEW_SECONDS) return 'issued in the future'
  if ((claims.nbf ?? 0) > nowSeconds + SKEW_SECONDS) return 'not yet valid'
  return undefined
}

async function keyOf(client: Client | undefined, alg: unknown, kid: unknown): Promise<CryptoKey | undefined> {
  if (typeof alg !== 'string' || !(ASSERTION_ALGS as readonly string[]).includes(alg)) return undefined
  const keys = client?.jwks?.keys ?? []
  const jwk = kid === undefined && keys.length === 1 ? keys[0] : keys.find((key) => key['kid'] === kid)
  if (jwk === undefined) return undefined
  const key = await importJWK({ ...jwk }, alg)
  return key instanceof Uint8Array ? undefined : key
}

async function verify(assertion: string, key: CryptoKey, nowMs: number): Promise<Result<void>> {
  try {
    await jwtVerify(assertion, key, {
      algorithms: [...ASSERTION_ALGS],
      clockTolerance: SKEW_SECONDS,
      currentDate: new Date(nowMs),
    })
    return ok(undefined)
  } catch {
    return refuse('client.invalid', 'assertion: signature')
  }
}
