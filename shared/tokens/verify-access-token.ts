import { type CryptoKey, createRemoteJWKSet, type JWTPayload, jwtVerify } from 'jose'
import { z } from 'zod'
import type { Clock } from '../clock.ts'
import { LONGEST_TOKEN_LIFE_SECONDS, TOKEN_SKEW_SECONDS } from '../contracts/revocation.ts'
import { DependencyFailed } from '../deadline.ts'
import type { AuthStateSource } from '../firestore/auth-state.ts'
import { parseTenantId } from '../ids.ts'
import { asRecord, parser } from '../json.ts'
import { ok, type Result, refuse } from '../result.ts'
import { prove, type SignIn, type VerifiedToken } from '../tenancy/proofs.ts'
import type { RevocableToken } from './revocation-marks.ts'
import type { Revocations } from './revocations.ts'
import { type JwtParts, splitOwnJwt } from './strict-jwt.ts'
import { scopesAllowed } from './tenant-access.ts'

/** Our own public keys, by key id: from the JWKS endpoint, or in auth from its own key ring. */
export type KeySource = (kid: string) => Promise<CryptoKey | undefined>

/**
 * How the token came: on its own; with a checked proof of the key with this thumbprint (RFC 9449); or
 * to be told about, when it opens nothing and its binding is only reported.
 */
export type Possession = 'bearer' | 'told-about' | { readonly jkt: string }

export type TokenVerifier = (
  token: string,
  userInfo: string | undefined,
  possession?: Possession,
) => Promise<Result<VerifiedToken>>

export type TokenVerifierDeps = {
  readonly issuer: string
  readonly audience: string
  readonly keys: KeySource
  readonly authState: AuthStateSource
  readonly revocations: Pick<Revocations, 'current'>
  readonly clock: Clock
}

/** Who acts for the subject, and who for that one (RFC 8693 §4.1); deeper chains are refused. */
const actor = z.looseObject({ sub: z.string().min(1).max(255) })
const deepest = actor.extend({ act: z.never().optional() })
const actors = actor.extend({ act: actor.extend({ act: deepest.optional() }).optional() })
type Actors = z.infer<typeof actors>

/** An id of ours: nothing that a log, a header or a path could read in two ways. */
const id = (most: number) =>
  z
    .string()
    .max(most)
    .regex(/^[\x21-\x7E]+$/)

const parseClaims = parser(
  z.object({
    iss: z.string(),
    sub: id(255),
    aud: z.string(),
    exp: z.number().int(),
    iat: z.number().int(),
    jti: id(256),
    client_id: id(255),
    scope: z.string().max(4096),
    tenant: z.string(),
    tier: z.string(),
    roles: z.array(z.string()),
    ver: z.number().int(),
    sid: z.string().min(1).max(64).optional(),
    auth_time: z.number().int().nonnegative().optional(),
    acr: z.string().max(255).optional(),
    act: actors.optional(),
    own: id(64).optional(),
    cnf: z.strictObject({ jkt: z.string().length(43) }).optional(),
  }),
  'token.invalid',
)

/**
 * Verifies one of our access tokens (RFC 9068): form, signature, claims, and that the tenant's state
 * still allows it. The scopes of the result are those that remain in that state.
 *
 * `userInfo` is the gateway's copy of the payload; when given it must be the same bytes, or somebody
 * stands between the gateway and us. Throws when the state of the tenant cannot be read.
 */
export function accessTokenVerifier(deps: TokenVerifierDeps): TokenVerifier {
  return async (token, userInfo, possession = 'bearer') => {
    const parts = splitOwnJwt(token)
    if (!parts.ok) return parts
    if (userInfo !== undefined && userInfo !== parts.value.payloadSegment) {
      return refuse('token.invalid', "the gateway's userinfo differs from the token")
    }
    const signed = await checkSignature(deps, token, parts.value)
    if (!signed.ok) return signed
    const parsed = parseClaims(signed.value)
    if (!parsed.ok) return parsed
    const claims = parsed.value
    const held = checkPossession(claims.cnf?.jkt, possession)
    if (!held.ok) return held
    const nowSeconds = deps.clock.now() / 1000
    if (claims.iat > nowSeconds + TOKEN_SKEW_SECONDS) return refuse('token.invalid', 'issued in the future')
    const lifeSeconds = claims.exp - claims.iat
    if (lifeSeconds <= 0) return refuse('token.invalid', 'ends before it begins')
    if (lifeSeconds > LONGEST_TOKEN_LIFE_SECONDS) return refuse('token.invalid', 'lives too long')
    const tenant = parseTenantId(claims.tenant)
    if (!tenant.ok) return refuse('token.invalid', 'no tenant')
    const marks = await deps.revocations.current()
    const revoked = marks.findRevoked(tenant.value, revocableOf(claims, parts.value))
    if (revoked !== undefined) return refuse('token.invalid', `revoked by ${revoked}`)
    const state = await deps.authState(tenant.value, marks.stateGeneration(tenant.value))
    if (state === undefined) return refuse('token.invalid', 'unknown tenant')
    if (claims.iat <= state.notBefore) return refuse('token.invalid', 'issued before the watermark')
    if (claims.ver < state.version) return refuse('token.invalid', 'minted under an older policy')
    const scopes = scopesAllowed(
      state.status,
      claims.roles,
      claims.scope === '' ? [] : claims.scope.split(' '),
    )
    if (scopes.length === 0 && claims.scope !== '')
      return refuse('token.invalid', `tenant is ${state.status}`)
    return ok(
      prove.token({
        tenant: tenant.value,
        tier: state.tier,
        subject: claims.sub,
        clientId: claims.client_id,
        scopes: new Set(scopes),
        roles: claims.roles,
        tokenId: claims.jti,
        issuedAt: claims.iat,
        expiresAt: claims.exp,
        signIn: signInOf(claims),
        ...(claims.own === undefined ? {} : { owner: claims.own }),
        ...(claims.cnf === undefined ? {} : { jkt: claims.cnf.jkt }),
      }),
    )
  }
}

/** Only of the person themselves: who acts for somebody has not signed in as them. */
function signInOf(claims: {
  readonly sid?: string | undefined
  readonly auth_time?: number | undefined
  readonly acr?: string | undefined
  readonly act?: Actors | undefined
}): SignIn | undefined {
  const { sid, auth_time: authTime, acr, act } = claims
  if (sid === undefined || authTime === undefined || act !== undefined) return undefined
  return { sessionId: sid, authTime, acr }
}

/**
 * A token bound to a key is no bearer token: whoever stole it must not use it as one. And a bearer token
 * must not look as if its holder had proven anything (RFC 9449 §7.1).
 */
function checkPossession(boundTo: string | undefined, possession: Possession): Result<void> {
  if (possession === 'told-about') return ok(undefined)
  const proven = possession === 'bearer' ? undefined : possession.jkt
  if (boundTo === proven) return ok(undefined)
  if (boundTo === undefined) return refuse('token.invalid', 'a bearer token sent as a bound one')
  return refuse(
    'token.invalid',
    proven === undefined ? 'a bound token without proof' : 'bound to another key',
  )
}

function revocableOf(
  claims: Pick<RevocableToken, 'iat' | 'jti' | 'sid'> & {
    readonly sub: string
    readonly client_id: string
    readonly act?: Actors | undefined
  },
  parts: JwtParts,
): RevocableToken {
  const { act } = claims
  const chain = [claims.sub, act?.sub, act?.act?.sub, act?.act?.act?.sub]
  return {
    ...{ iat: claims.iat, jti: claims.jti, sid: claims.sid, clientId: claims.client_id },
    kid: String(parts.header['kid']),
    subjects: chain.filter((subject) => subject !== undefined),
  }
}

/** What the published keys of our facts say they are for: those that sign no access token. */
export const PURPOSE_OF_FACTS = 'facts'

/**
 * Keys from our JWKS endpoint, kept for five minutes and fetched again for an unknown key id.
 *
 * The keys of our facts stand in the same set: who gets hold of one of those makes no token with it.
 */
export function remoteKeys(jwksUri: string): KeySource {
  const jwks = createRemoteJWKSet(new URL(jwksUri), {
    timeoutDuration: 2_500,
    cooldownDuration: 2_000,
    cacheMaxAge: 300_000,
  })
  return async (kid) => {
    try {
      const key = await jwks({ alg: 'ES256', kid })
      const published = jwks.jwks()?.keys.find((jwk) => jwk.kid === kid)
      return asRecord(published)?.['purpose'] === PURPOSE_OF_FACTS ? undefined : key
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ERR_JWKS_NO_MATCHING_KEY')
        return undefined
      throw new DependencyFailed('our own public keys cannot be read', { cause: error })
    }
  }
}

async function checkSignature(
  deps: TokenVerifierDeps,
  token: string,
  parts: JwtParts,
): Promise<Result<JWTPayload>> {
  const kid = parts.header['kid']
  if (typeof kid !== 'string') return refuse('token.invalid', 'no kid')
  const key = await deps.keys(kid)
  if (key === undefined) return refuse('token.invalid', 'unknown key')
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: ['ES256'],
      typ: 'at+jwt',
      issuer: deps.issuer,
      audience: deps.audience,
      clockTolerance: TOKEN_SKEW_SECONDS,
      currentDate: new Date(deps.clock.now()),
      requiredClaims: ['iss', 'sub', 'aud', 'exp', 'iat', 'jti'],
    })
    return ok(payload)
  } catch (error) {
    // Every error of jose here is about the token itself: the key is already in hand.
    return refuse('token.invalid', error instanceof Error ? error.message : 'not verified')
  }
}
