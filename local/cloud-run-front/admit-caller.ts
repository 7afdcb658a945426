import { refuseSignature, type VerificationKey } from '#local/gateway/jwks.ts'
import { parseJwt } from '#local/gateway/jwt.ts'
import { type HeaderList, headerValues, withHeader } from '#local/proxy/header-list.ts'
import { type FrontReply, forbiddenPage, unauthorizedPage } from './pages.ts'

/** Who may call a service, and how that is proven. */
export type CallerRules = {
  readonly audiences: readonly string[]
  readonly invokers: ReadonlySet<string>
  readonly issuer: string
  readonly now: () => number
  readonly keys: () => Promise<readonly VerificationKey[] | undefined>
}

const SKEW_SECONDS = 60
const OVERRIDING = 'X-Serverless-Authorization'

/**
 * Checks the caller's ID token and takes its signature out of what the function sees.
 *
 * With an `X-Serverless-Authorization` that field alone is checked and `Authorization` passes untouched,
 * which is why a function must refuse requests that carry both. 401: there is no valid token for this
 * service; 403: a valid one whose account may not invoke it.
 */
export async function admitCaller(
  rules: CallerRules,
  headers: HeaderList,
  path: string,
): Promise<{ headers: HeaderList } | { reply: FrontReply }> {
  const overriding = headerValues(headers, OVERRIDING)
  const field = overriding.length > 0 ? OVERRIDING : 'Authorization'
  const values = headerValues(headers, field)
  const token = values.length === 1 ? /^bearer +([^\s,]+)$/i.exec(values[0] ?? '')?.[1] : undefined
  const email = token === undefined ? undefined : await verifiedEmail(rules, token)
  if (token === undefined || email === undefined) return { reply: unauthorizedPage(values.length > 0) }
  if (!rules.invokers.has(email)) return { reply: forbiddenPage(path) }
  const unsigned = `Bearer ${token.slice(0, token.lastIndexOf('.'))}.SIGNATURE_REMOVED_BY_GOOGLE`
  return { headers: withHeader(headers, field, unsigned) }
}

/** The account a token was made out for, if the issuer signed it for this service and it holds now. */
async function verifiedEmail(rules: CallerRules, token: string): Promise<string | undefined> {
  const jwt = parseJwt(token)
  if ('refused' in jwt || jwt.issuer !== rules.issuer) return undefined
  const seconds = Math.floor(rules.now() / 1000)
  // An ID token always ends: one without expiry is none.
  if (jwt.expires === 0 || seconds > jwt.expires + SKEW_SECONDS) return undefined
  if (jwt.notBefore > seconds + SKEW_SECONDS || jwt.issued > seconds + SKEW_SECONDS) return undefined
  if (!jwt.audiences.some((audience) => rules.audiences.includes(audience))) return undefined
  const keys = await rules.keys()
  if (!keys || refuseSignature(jwt, keys) !== undefined) return undefined
  const { email, email_verified: verified } = jwt.claims
  return typeof email === 'string' && verified === true ? email : undefined
}
