import { z } from 'zod'
import { DEPLOYMENT_MODELS, TIERS } from '#shared/catalogue/tiers.ts'
import { parseTenantId, type TenantId } from '#shared/ids.ts'
import { type Parse, parseJson, parser } from '#shared/json.ts'
import { ok, type Result } from '#shared/result.ts'
import { EXPORT_SCOPES } from '../domain/command.ts'
import { SUSPENSION_MODES, SUSPENSION_REASONS, type TenantRequestBody } from '../domain/tenant.ts'

/** Characters that turn the direction of what follows: a name could show as another one. */
const BIDI_CONTROLS = /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/u

/** Text people read: no control characters, no half of a surrogate pair, no blank ends. */
const printable = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .refine((text) => text.isWellFormed() && !/[\p{Cc}\u2028\u2029]/u.test(text), 'must be printable text')
    .refine((text) => !BIDI_CONTROLS.test(text), 'must not change the direction of text')
    .refine((text) => text.trim() === text, 'must not begin or end with blanks')

const displayName = printable(100)
const reason = printable(500)

/** A case number or the like, of whoever ordered the hold: no sentence, and nobody's name or address. */
const reference = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._/#:-]{0,99}$/, 'must be a reference such as CASE-2026/17')

const createSchema = z.strictObject({
  tenantId: z.custom<TenantId>(
    (value) => parseTenantId(value).ok,
    'must be 3 to 40 lower-case letters, digits and hyphens, beginning with a letter, not ending with a hyphen',
  ),
  displayName,
  tier: z.enum(TIERS),
  deploymentModel: z.enum(DEPLOYMENT_MODELS),
  region: z.string().regex(/^[a-z]{2,20}-[a-z]{2,20}\d{1,2}$/, 'must be a region such as us-central1'),
  trialEndsAt: z.iso.datetime({ offset: true }).optional(),
})
const parseNewTenant = parser(createSchema)

/** The body of `POST /v1/tenants`. */
export function parseCreate(bytes: Uint8Array): Result<TenantRequestBody> {
  return readBody(bytes, parseCreateBody)
}

/** The same, already read. */
export function parseCreateBody(raw: unknown): Result<TenantRequestBody> {
  const body = parseNewTenant(raw)
  if (!body.ok) return body
  const { trialEndsAt, ...rest } = body.value
  // One spelling for one instant: what is stored and sent on is UTC.
  const trial = trialEndsAt === undefined ? null : new Date(trialEndsAt).toISOString()
  return ok({ ...rest, trialEndsAt: trial })
}

/** What each request says in its body; a member that is not listed is refused. */
export const BODIES = {
  rename: parser(z.strictObject({ displayName })),
  tierChange: parser(
    z.strictObject({
      toTier: z.enum(TIERS),
      effective: z.enum(['now', 'period_end']),
      expectedRevision: z.number().int().nonnegative().optional(),
    }),
  ),
  suspend: parser(z.strictObject({ mode: z.enum(SUSPENSION_MODES), reason: z.enum(SUSPENSION_REASONS) })),
  resume: parser(z.strictObject({ reason: reason.optional() })),
  offboard: parser(
    z.strictObject({
      graceDays: z.number().int().min(0).max(90).default(30),
      // Left out, nothing is lost that somebody might have wanted.
      export: z.boolean().default(true),
    }),
  ),
  export: parser(z.strictObject({ scope: z.enum(EXPORT_SCOPES).default('all') })),
  purge: parser(z.strictObject({ reason })),
  legalHold: parser(z.strictObject({ reference })),
  nothing: parser(z.strictObject({})),
} as const

/** The body of a request; without any bytes the empty object, where the route needs none. */
export function readBody<T>(bytes: Uint8Array, parse: Parse<T>, needed: 'needed' | 'optional' = 'needed') {
  if (bytes.length === 0 && needed === 'optional') return parse({})
  const json = parseJson(bytes, 8)
  return json.ok ? parse(json.value) : json
}
