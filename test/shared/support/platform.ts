import { randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import type { Group } from '#shared/catalogue/functions.ts'
import { manualClock } from '#shared/clock.ts'
import { type Config, readConfig } from '#shared/config.ts'
import type { AuthState } from '#shared/firestore/auth-state.ts'
import { createLogger } from '#shared/log.ts'
import type { Quarantined } from '#shared/pubsub/quarantine.ts'
import { revocationMarks } from '#shared/tokens/revocation-marks.ts'
import { accessTokenVerifier } from '#shared/tokens/verify-access-token.ts'
import { REMOVED_SIGNATURE } from '#shared/tokens/verify-caller.ts'
import { type Platform, wirePlatform } from '#shared/wiring.ts'

export const START_MS = Date.parse('2026-11-23T09:00:00.000Z')
export const BASE_URL = 'https://api.energent.test'
export const FUNCTION_URI = 'https://function.energent.test'
export const GATEWAY = 'gateway@demo-test.iam.gserviceaccount.com'
export const SCHEDULER = 'scheduler@demo-test.iam.gserviceaccount.com'
export const PUSHER = 'pusher@demo-test.iam.gserviceaccount.com'

export type CallerMode = 'jwks' | 'platform'

const googleKeys = await generateKeyPair('RS256', { extractable: true })
const ownKeys = await generateKeyPair('ES256', { extractable: true })
export const OWN_KID = 'k1'
export const GOOGLE_KID = 'g1'

/** A server on the loopback interface with Google's (our local issuer's) public keys. */
export async function startKeyServer(): Promise<{ url: string; close(): Promise<void> }> {
  const jwk = { ...(await exportJWK(googleKeys.publicKey)), kid: GOOGLE_KID, alg: 'RS256', use: 'sig' }
  const server = createServer((_request, response) => response.end(JSON.stringify({ keys: [jwk] })))
  const url = await listen(server)
  return { url, close: () => closeServer(server) }
}

export async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

export async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}

/** Who signs: Google, for callers' ID tokens. */
export function signGoogle(claims: JWTPayload, header: Record<string, unknown> = {}): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'RS256', kid: GOOGLE_KID, typ: 'JWT', ...header })
    .sign(googleKeys.privateKey)
}

export function idClaims(email: string, over: JWTPayload = {}): JWTPayload {
  const seconds = START_MS / 1000
  return {
    iss: 'https://accounts.google.com',
    aud: FUNCTION_URI,
    sub: '1',
    iat: seconds,
    exp: seconds + 3600,
    email,
    email_verified: true,
    ...over,
  }
}

/** An ID token as the function sees it: with Google's signature, or as Cloud Run leaves it. */
export async function callerToken(mode: CallerMode, claims: JWTPayload): Promise<string> {
  const signed = await signGoogle(claims)
  return mode === 'jwks' ? signed : `${signed.slice(0, signed.lastIndexOf('.'))}.${REMOVED_SIGNATURE}`
}

export function accessClaims(over: Record<string, unknown> = {}): JWTPayload {
  const seconds = START_MS / 1000
  return {
    iss: BASE_URL,
    sub: 'client:cid_acme',
    aud: BASE_URL,
    exp: seconds + 300,
    iat: seconds,
    jti: 'j1',
    client_id: 'cid_acme',
    scope: 'tenant:read usage:read',
    tenant: 'acme',
    tier: 'standard',
    roles: ['admin'],
    ver: 1,
    ...over,
  }
}

/** One of our access tokens. */
export function signAccess(claims: JWTPayload, header: Record<string, unknown> = {}): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'ES256', kid: OWN_KID, typ: 'at+jwt', ...header })
    .sign(ownKeys.privateKey)
}

export const ownPublicKey = ownKeys.publicKey

export type TestPlatform = Platform & {
  readonly clock: ReturnType<typeof manualClock>
  readonly lines: Record<string, unknown>[]
  readonly quarantined: Quarantined[]
  readonly states: Map<string, AuthState>
  /** Ids of tenants that were purged. */
  readonly purged: Set<string>
}

/** A view in which nothing is revoked. */
export const nothingRevoked = { current: async () => revocationMarks() }

export const ACTIVE: AuthState = { status: 'ACTIVE', tier: 'standard', version: 1, notBefore: 0 }

export function testConfig(mode: CallerMode | 'direct', jwksUri = 'http://127.0.0.1:1'): Config {
  return readConfig({
    GOOGLE_CLOUD_PROJECT: 'demo-test',
    FUNCTION_TARGET: 'test',
    FUNCTION_URI,
    PUBLIC_BASE_URL: BASE_URL,
    CALLER_CHECK: mode,
    CALLER_JWKS_URI: jwksUri,
    GATEWAY_ACCOUNT: GATEWAY,
    SCHEDULER_ACCOUNT: SCHEDULER,
    PUSH_ACCOUNT: PUSHER,
    FIRESTORE_EMULATOR_HOST: '127.0.0.1:1',
  })
}

/** A platform whose edges are real and whose stores are in memory. */
export function testPlatform(config: Config, group: Group = 'auth'): TestPlatform {
  const clock = manualClock(START_MS)
  const lines: Record<string, unknown>[] = []
  const write = (line: string): void => void lines.push(JSON.parse(line))
  const log = createLogger({ clock, project: 'demo-test', service: 'test', write })
  const quarantined: Quarantined[] = []
  const states = new Map<string, AuthState>([
    ['acme', ACTIVE],
    ['globex', ACTIVE],
    ['platform', ACTIVE],
  ])
  const purged = new Set<string>()
  const tombstones = { has: async (tenantId: string) => purged.has(tenantId) }
  const platform = wirePlatform(config, group, { clock, log })
  return {
    ...platform,
    clock,
    lines,
    quarantined,
    states,
    purged,
    tombstones,
    quarantine: { put: async (entry) => void quarantined.push(entry) },
    verifyToken: accessTokenVerifier({
      issuer: BASE_URL,
      audience: BASE_URL,
      keys: async (kid) => (kid === OWN_KID ? ownKeys.publicKey : undefined),
      authState: async (tenantId) => states.get(tenantId),
      revocations: nothingRevoked,
      clock,
    }),
  }
}

export function userInfoOf(token: string): string {
  return token.split('.')[1] ?? ''
}

export function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(6).toString('hex')}`
}
