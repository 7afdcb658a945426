import { timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import type { TenantScope } from '#shared/catalogue/scopes.ts'
import { TIER_LIMITS } from '#shared/catalogue/tiers.ts'
import { type Branded, base62, type Ids, parseTenantId, type TenantId } from '#shared/ids.ts'
import { parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { ACCESS_BY_STATE } from '#shared/tokens/tenant-access.ts'
import { checksumOf, withoutChecksum } from './checksum.ts'
import { hmacOf, type Peppers } from './client-secret.ts'
import { parseScopes, SETTINGS_MEMBERS } from './client-settings.ts'
import { isTenantScope } from './scope.ts'
import type { TenantAuthState } from './tenant-state.ts'

/** `dak_{tenantId}_{keyId}_{43 base64url}{6 checksum}`: whose it is stands in it. Shown once, never stored. */
export type ApiKeyText = Branded<'ApiKeyText'>

/** An API key as stored in `auth_apiKeys/{keyId}`. */
export type ApiKey = {
  readonly keyId: string
  readonly tenantId: TenantId
  readonly name: string
  readonly scopes: readonly TenantScope[]
  /** HMAC-SHA-256(pepper, key), base64url. */
  readonly hmac: string
  readonly pepperVersion: number
  /** Who made it: the subject of their token. */
  readonly createdBy: string
  readonly createdAt: number
  /** Milliseconds; null while it has no end. */
  readonly expiresAt: number | null
}

export type PresentedApiKey = {
  readonly text: ApiKeyText
  readonly tenantId: TenantId
  readonly keyId: string
}

const KEY = /^dak_([a-z][a-z0-9-]{1,38}[a-z0-9])_([0-9A-Za-z]{16})_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}$/
const KEY_ID = /^[0-9A-Za-z]{16}$/
const SECRET_BYTES = 32
/** Compared with when there is no stored key, so that the work is the same. */
const NO_KEY = Buffer.alloc(32, 0x5a)

/** Makes a key of 32 random bytes for a tenant. */
export function newApiKey(ids: Ids, tenantId: TenantId): PresentedApiKey {
  const keyId = base62(ids, 16)
  const body = `dak_${tenantId}_${keyId}_${ids.bytes(SECRET_BYTES).toString('base64url')}`
  return { text: `${body}${checksumOf(body)}` as ApiKeyText, tenantId, keyId }
}

/** Takes apart what may be a key of ours, without a read: what is mistyped or made up ends here. */
export function parseApiKey(value: unknown): Result<PresentedApiKey> {
  const match = typeof value === 'string' ? KEY.exec(value) : null
  const tenantId = parseTenantId(match?.[1])
  const keyId = match?.[2]
  if (match === null || keyId === undefined || !tenantId.ok || withoutChecksum(match[0]) === undefined) {
    return refuse('token.invalid', 'not an API key')
  }
  return ok({ text: match[0] as ApiKeyText, tenantId: tenantId.value, keyId })
}

export function isApiKeyId(value: unknown): value is string {
  return typeof value === 'string' && KEY_ID.test(value)
}

/** What to store of a key. */
export function digestApiKey(pepper: Uint8Array, text: ApiKeyText): string {
  return hmacOf(pepper, text).toString('base64url')
}

/** Whether `text` is the stored key, as much work for one that is not there. Its end is judged apart. */
export function matchesApiKey(text: ApiKeyText, stored: ApiKey | undefined, peppers: Peppers): boolean {
  const pepper = stored === undefined ? undefined : peppers.get(stored.pepperVersion)
  const bytes = Buffer.from(stored?.hmac ?? '', 'base64url')
  const expected = bytes.length === NO_KEY.length ? bytes : NO_KEY
  const equal = timingSafeEqual(hmacOf(pepper ?? NO_KEY, text), expected)
  return equal && pepper !== undefined && expected === bytes
}

/** Reads a stored key. A scope that the catalogue no longer has is gone, not an error. */
export const parseStoredApiKey = parser<ApiKey>(
  z.object({
    keyId: z.string(),
    tenantId: z.string().transform((value) => value as TenantId),
    name: z.string(),
    scopes: z.array(z.string()).transform((scopes) => scopes.filter(isTenantScope)),
    hmac: z.string(),
    pepperVersion: z.number().int(),
    createdBy: z.string(),
    createdAt: z.number().int(),
    expiresAt: z.number().int().nullable(),
  }),
)

/** What a caller wants of a new key. */
export type NewApiKey = {
  readonly name: string | undefined
  readonly scopes: readonly TenantScope[]
  readonly expiresAt: number | null
}

const LONGEST_LIFE_MS = 5 * 366 * 24 * 3_600_000

const parseBody = parser(
  z.strictObject({
    name: SETTINGS_MEMBERS.name.optional(),
    scopes: SETTINGS_MEMBERS.scopes,
    expiresAt: z.iso.datetime({ offset: true }).nullable().default(null),
  }),
)

/** Reads the body of a request for a key. No key holds an operator's scope. */
export function parseNewApiKey(raw: unknown, nowMs: number): Result<NewApiKey> {
  const body = parseBody(raw)
  if (!body.ok) return body
  const scopes = parseScopes(body.value.scopes)
  if (!scopes.ok) return scopes
  if (!scopes.value.every(isTenantScope)) {
    return refuse('scope.invalid', 'platform scope', 'API keys hold no platform scopes.')
  }
  const expiresAt = body.value.expiresAt === null ? null : Date.parse(body.value.expiresAt)
  if (expiresAt !== null && !(expiresAt > nowMs && expiresAt <= nowMs + LONGEST_LIFE_MS)) {
    return refuse('request.malformed', 'expiresAt', 'expiresAt: must be in the next five years')
  }
  return ok({ name: body.value.name, scopes: scopes.value.filter(isTenantScope), expiresAt })
}

/** Whether a tenant in this state may have one key more. */
export function checkRoomForApiKey(state: TenantAuthState | undefined, count: number): Result<void> {
  if (state === undefined) return refuse('resource.not_found', 'auth knows no such tenant')
  if (ACCESS_BY_STATE[state.status].kind === 'none') {
    return refuse('tenant.state_conflict', `tenant is ${state.status}`, 'The tenant is not active.')
  }
  const { maxApiKeys } = TIER_LIMITS[state.tier]
  return count < maxApiKeys
    ? ok(undefined)
    : refuse('api_key.limit_reached', `${count} of ${maxApiKeys}`, `The tier allows ${maxApiKeys} API keys.`)
}

/** A key as it is shown: everything but what it is. */
export type ApiKeyView = ReturnType<typeof viewOfApiKey>

export function viewOfApiKey(key: ApiKey) {
  const { keyId, tenantId, name, scopes, createdBy, createdAt, expiresAt } = key
  return {
    ...{ keyId, tenantId, name, scopes, createdBy },
    createdAt: new Date(createdAt).toISOString(),
    expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString(),
  }
}
