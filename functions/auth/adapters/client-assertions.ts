import { createPublicKey, type KeyObject } from 'node:crypto'
import { compactVerify } from 'jose'
import { z } from 'zod'
import { parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { splitForeignJwt } from '#shared/tokens/foreign-jwt.ts'
import type { Client } from '../domain/client.ts'
import { ASSERTION_ALGS } from '../domain/client-settings.ts'
import type { ForeignKeys, KeyOrigin } from '../ports/outbound.ts'
import type { ClientAssertions } from '../ports.ts'

type AssertionAlg = (typeof ASSERTION_ALGS)[number]

const LONGEST_LIFE_SECONDS = 300
/** How far a client's clock may be from ours. */
const SKEW_SECONDS = 30
const HEADER_MEMBERS = ['alg', 'typ', 'kid']
const TYPES: readonly unknown[] = [undefined, 'JWT', 'client-authentication+jwt']

const parseClaims = parser(
  z.object({
    iss: z.string(),
    sub: z.string(),
    // One string, the issuer: neither a list nor an endpoint, which another server could have named (RFC 7523bis).
    aud: z.string(),
    exp: z.number().int(),
    iat: z.number().int().optional(),
    nbf: z.number().int().optional(),
    jti: z.string().min(1).max(256),
  }),
  'client.invalid',
)

/** Assertions against the keys that a client registered, or publishes where it registered. */
export function clientAssertions(issuer: string, foreignKeys: ForeignKeys): ClientAssertions {
  return {
    check: async (assertion, clientId, client, nowMs) => {
      const parts = splitForeignJwt(assertion, { members: HEADER_MEMBERS })
      if (!parts.ok) return invalid(parts.detail)
      const { alg, kid, typ, payload } = parts.value
      const known = alg === 'Ed25519' ? 'EdDSA' : ASSERTION_ALGS.find((one) => one === alg)
      if (known === undefined || !TYPES.includes(typ)) return invalid('alg or typ')
      const claims = parseClaims(payload)
      if (!claims.ok) return claims
      const fault = faultOf(claims.value, clientId, issuer, Math.floor(nowMs / 1000))
      if (fault !== undefined) return invalid(fault)
      const origin = originOf(client)
      const key =
        origin === undefined ? undefined : await foreignKeys.find(origin, { kid, alg: known }, nowMs)
      // With somebody's key in any case, so that how long it takes tells of no client and no key.
      const signed = await verify(assertion, key ?? nobodysKey(known), alg)
      if (key === undefined) return invalid('no key')
      return signed ? ok({ jti: claims.value.jti, expSeconds: claims.value.exp }) : invalid('signature')
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

function originOf(client: Client | undefined): KeyOrigin | undefined {
  if (client === undefined) return undefined
  if (client.jwks !== null) return { jwks: client.jwks }
  return client.jwksUri === null ? undefined : { jwksUri: client.jwksUri, scope: client.tenantId }
}

async function verify(assertion: string, key: KeyObject, alg: string): Promise<boolean> {
  try {
    await compactVerify(assertion, key, { algorithms: [alg] })
    return true
  } catch {
    return false
  }
}

function invalid(detail: string): Result<never> {
  return refuse('client.invalid', `assertion: ${detail}`)
}

/** Public keys whose private halves were thrown away. */
const NOBODY: Readonly<Record<AssertionAlg, Record<string, string>>> = {
  ES256: {
    kty: 'EC',
    crv: 'P-256',
    x: 'Wec0KKq3hpj8m-TLKTmIUPAQeXc7Nkie7D8lAZKUdow',
    y: 'a6V7Sxqx_SdPlrl0e9kHEl1o6aNu4cazUeLNGOLPC5E',
  },
  EdDSA: { kty: 'OKP', crv: 'Ed25519', x: '8pwMUoXFrKe3I9-_THHUiXiNCGq1ugpRBtZrgExckWs' },
  PS256: {
    kty: 'RSA',
    e: 'AQAB',
    n:
      'kc4m6m-o4JeJjtGa53yjJzjR3SQEGb2Z_1Rpt0YES7aYcWWqtj24BwDvjlH75li6315QJixtUaBpOcC-1igprm' +
      '2jawQ5zenik1iy335I005H9FxlsYOiFmWhw-kMQuM0eV7r49iNKr63bQ5i_XyCJwvtMzAzvdt8suRUkikekkEa' +
      'RmVjcSTpKTX0FiOnlDulBWgmS0arfCc8f-ucFnCZ1GOyWth0qxby11B35zzJU-eSM0bbOddMwle7RABxbhw4ir' +
      'jRRkFIS5S3gMegLZ2ltP5n_YO0BMLG0fRkjFMTdecEIStjLmU-MboaRxDVxxzXgg-9HJ0E6f4ck74iSKsCCQ',
  },
}

const imported = new Map<AssertionAlg, KeyObject>()

function nobodysKey(alg: AssertionAlg): KeyObject {
  const key = imported.get(alg) ?? createPublicKey({ key: NOBODY[alg], format: 'jwk' })
  imported.set(alg, key)
  return key
}
