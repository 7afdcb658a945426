import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import type { Scope } from '#shared/catalogue/scopes.ts'
import { type Branded, hashedId } from '#shared/ids.ts'
import { parser } from '#shared/json.ts'
import type { ClientId } from './client-id.ts'
import type { ConnectionId } from './connection.ts'
import { isScope } from './scope.ts'

/** What binds a sign-in to one browser: 32 random bytes in a cookie, known to nobody else. */
export type BrowserKey = Branded<'BrowserKey'>

/**
 * A sign-in under way, as stored in `auth_flows/{h(state)}`.
 *
 * Neither the nonce nor the PKCE verifier towards the provider is stored: both are computed from the
 * browser's key, so what the store holds is of no use to anybody.
 */
export type SignInFlow = {
  readonly flowId: string
  readonly connectionId: ConnectionId
  readonly clientId: ClientId
  /** Exactly as it was asked for, after it was proven. */
  readonly redirectUri: string
  /** The client's own state, given back as it came. */
  readonly clientState: string | null
  readonly codeChallenge: string
  readonly scopes: readonly Scope[]
  readonly openid: boolean
  /** For the client's ID token. */
  readonly nonce: string | null
  readonly maxAge: number | null
  readonly acrValues: readonly string[]
  /** Whether the provider was told to ask for a password whatever session it has. */
  readonly promptLogin: boolean
  readonly dpopJkt: string | null
  readonly browserHash: string
  readonly startedAt: number
  readonly expiresAtMs: number
  /** When the provider's answer was taken; another one comes too late, whatever becomes of the first. */
  readonly usedAtMs: number | null
  readonly endedAtMs: number | null
}

export const FLOW_LIFE_MS = 600_000
const KEY = /^[A-Za-z0-9_-]{43}$/

export function newBrowserKey(random: Uint8Array): BrowserKey {
  if (random.length !== 32) throw new RangeError('a browser key takes 32 random bytes')
  return Buffer.from(random).toString('base64url') as BrowserKey
}

/** The key in a cookie header, or undefined where there is none, two, or one that cannot be ours. */
export function readBrowserKey(cookies: string | undefined, name: string): BrowserKey | undefined {
  const values = (cookies ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1))
  const [value] = values
  return values.length === 1 && value !== undefined && KEY.test(value) ? (value as BrowserKey) : undefined
}

/** The state towards the provider: it names a sign-in and opens nothing without the browser's key. */
export function newFlowState(random: Uint8Array): string {
  if (random.length !== 32) throw new RangeError('a state takes 32 random bytes')
  return Buffer.from(random).toString('base64url')
}

export function isFlowState(value: unknown): value is string {
  return typeof value === 'string' && KEY.test(value)
}

/** Where a flow is stored. */
export function flowIdOf(state: string): string {
  return hashedId('flow', state)
}

/** The secrets of a sign-in towards the provider, for one browser and one state. */
export function flowSecrets(
  key: BrowserKey,
  state: string,
): { readonly verifier: string; readonly nonce: string } {
  return { verifier: derived(key, 'verifier', state), nonce: derived(key, 'nonce', state) }
}

export function browserHashOf(key: BrowserKey): string {
  return createHash('sha256').update(`browser\0${key}`).digest('base64url')
}

export function isSameBrowser(flow: SignInFlow, key: BrowserKey): boolean {
  const [left, right] = [Buffer.from(flow.browserHash), Buffer.from(browserHashOf(key))]
  return left.length === right.length && timingSafeEqual(left, right)
}

/** S256 of a verifier (RFC 7636 §4.2). */
export function challengeOfVerifier(verifier: string): string {
  return createHash('sha256').update(verifier, 'ascii').digest('base64url')
}

function derived(key: BrowserKey, purpose: string, state: string): string {
  return createHmac('sha256', key).update(`energent/sign-in/v1\0${purpose}\0${state}`).digest('base64url')
}

const nullableText = z.string().nullable()

/** Reads a stored flow. */
export const parseSignInFlow = parser<SignInFlow>(
  z.object({
    flowId: z.string(),
    connectionId: z.string().transform((value) => value as ConnectionId),
    clientId: z.string().transform((value) => value as ClientId),
    redirectUri: z.string(),
    clientState: nullableText,
    codeChallenge: z.string(),
    scopes: z.array(z.string()).transform((scopes) => scopes.filter(isScope)),
    openid: z.boolean(),
    nonce: nullableText,
    maxAge: z.number().int().nullable(),
    acrValues: z.array(z.string()),
    promptLogin: z.boolean(),
    dpopJkt: nullableText,
    browserHash: z.string(),
    startedAt: z.number().int(),
    expiresAtMs: z.number().int(),
    usedAtMs: z.number().int().nullable(),
    endedAtMs: z.number().int().nullable(),
  }),
)
