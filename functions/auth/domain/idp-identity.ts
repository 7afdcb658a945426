import { asRecord } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { Connection } from './connection.ts'
import { domainOfEmail } from './email-domain.ts'
import type { SignInFlow } from './sign-in-flow.ts'

/** The claims of an ID token whose signature, issuer, audience, nonce and times have been checked. */
export type IdTokenClaims = Readonly<Record<string, unknown>>

/** Who somebody is, in words of ours. */
export type IdpIdentity = {
  readonly subject: string
  readonly email: string | undefined
  /** Only true when the provider says so and the tenant has proven the address's domain. */
  readonly emailVerified: boolean
  readonly name: string | undefined
  readonly groups: readonly string[]
}

/** How somebody signed in. */
export type SignInFacts = {
  readonly acr: string | null
  readonly amr: readonly string[]
  /** Seconds. */
  readonly authTime: number
  readonly idpSid: string | null
}

const SKEW_SECONDS = 30
/** An ID token comes fresh with its code: an old one was kept by somebody. */
const OLDEST_SECONDS = 600
const MOST_GROUPS = 500

/**
 * The claims that no library knows: whose organisation it is, types and lengths, and when it was made.
 *
 * A provider that does not say when the person signed in may have let in a session of weeks ago. Unless
 * it was told to ask again, that counts as long ago: what wants a fresh sign-in then asks for one.
 */
export function readSignInFacts(
  claims: IdTokenClaims,
  connection: Pick<Connection, 'tid' | 'hd'> & Partial<Pick<SignInFlow, 'promptLogin'>>,
  nowMs: number,
): Result<SignInFacts> {
  if (connection.tid !== null && claims['tid'] !== connection.tid)
    return refuseClaims('tid of another organisation')
  if (connection.hd !== null && claims['hd'] !== connection.hd)
    return refuseClaims('hd of another organisation')
  const nowSeconds = nowMs / 1000
  const { iat, acr, amr, sid } = claims
  const authTime = claims['auth_time'] ?? (connection.promptLogin === true ? iat : 0)
  if (!isInstant(iat) || iat > nowSeconds + SKEW_SECONDS || iat < nowSeconds - OLDEST_SECONDS) {
    return refuseClaims('iat out of range')
  }
  if (!isInstant(authTime) || authTime > nowSeconds + SKEW_SECONDS)
    return refuseClaims('auth_time out of range')
  if (!isText(claims['sub'], 255)) return refuseClaims('sub')
  return ok({
    acr: isText(acr, 256) ? acr : null,
    amr: Array.isArray(amr) ? amr.filter((value): value is string => isText(value, 64)).slice(0, 16) : [],
    authTime: Math.min(authTime, Math.floor(nowSeconds)),
    idpSid: isText(sid, 255) ? sid : null,
  })
}

/** Whether the sign-in was one of those asked for; nothing asked for is always met. */
export function meetsAcr(acrValues: readonly string[], acr: string | null): boolean {
  return acrValues.length === 0 || (acr !== null && acrValues.includes(acr))
}

/**
 * Who it is, by the connection's claim map.
 *
 * An e-mail address proves nothing by itself: any provider may claim any address. So it counts as
 * verified only when its domain was proven by the tenant and belongs to this connection; an
 * invitation is never taken by somebody else's provider.
 */
export function readIdentity(
  claims: IdTokenClaims,
  connection: Pick<Connection, 'claimMap' | 'domains'>,
): IdpIdentity {
  const { claimMap, domains } = connection
  const email = claims[claimMap.email]
  const name = claims[claimMap.name]
  const domain = isText(email, 320) ? domainOfEmail(email) : undefined
  return {
    subject: String(claims['sub']),
    email: isText(email, 320) ? email : undefined,
    emailVerified: claims['email_verified'] === true && domain !== undefined && domains.includes(domain),
    name: isText(name, 256) ? name : undefined,
    groups: readGroups(claims[claimMap.groups]),
  }
}

/** A list of names, one name, or objects with a name: providers differ. */
function readGroups(value: unknown): string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  const names = values.map((entry) => (typeof entry === 'string' ? entry : asRecord(entry)?.['name']))
  return [...new Set(names.filter((name): name is string => isText(name, 255)))].slice(0, MOST_GROUPS)
}

function isInstant(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isText(value: unknown, most: number): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= most && value.isWellFormed()
}

function refuseClaims(detail: string) {
  return refuse('callback.invalid', detail, 'The identity provider’s answer cannot be trusted.')
}
