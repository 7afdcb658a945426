import { z } from 'zod'
import { DEPLOYMENT_MODELS, TIERS } from '#shared/catalogue/tiers.ts'
import { TENANT_STATES } from '#shared/contracts/events/tenant-fact.ts'
import { type Claim, requestClaim } from '#shared/firestore/claim.ts'
import type { HealthCheck } from '#shared/health.ts'
import type { HandlersOf } from '#shared/http/edge.ts'
import { healthHandler, metricsHandler, sweepHandler } from '#shared/http/standard.ts'
import type { PublicHandler, TenantHandler, TenantRequest } from '#shared/http/types.ts'
import { parseTenantId, type TenantId } from '#shared/ids.ts'
import { digestOf, parseJson, parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { TenantContext } from '#shared/tenancy/context.ts'
import { openAsOperator } from '#shared/tenancy/operator.ts'
import type { Platform } from '#shared/wiring.ts'
import type { TenantRequestBody } from './domain/tenant.ts'
import { createTenant } from './operations/create-tenant.ts'
import { listTenants } from './operations/list-tenants.ts'
import { readOperation, readTenant } from './operations/read-tenant.ts'
import { resumeDueOperations } from './operations/resume-due-operations.ts'
import type { LifecycleDeps } from './ports.ts'

/** Every route of the tenants API. */
export function tenantsApi(
  platform: Pick<Platform, 'clock' | 'log' | 'metrics' | 'outbox'>,
  deps: LifecycleDeps,
  checks: Readonly<Record<string, HealthCheck>>,
): HandlersOf<'tenants-api'> {
  const metrics = metricsHandler(platform.metrics)
  const sweep: PublicHandler = (request) =>
    sweepHandler(platform.outbox, () => resumeDueOperations(deps, request.nowMs, request.log))(request)
  return {
    createTenant: (request) => onCreateTenant(deps, request),
    listTenants: (request) => onListTenants(deps, request),
    getTenant: (request) => onGetTenant(deps, request),
    getOperation: async (request) => {
      const operation = await readOperation(deps, request.ctx, request.params['operationId'])
      return operation.ok ? ok({ status: 200, json: operation.value }) : operation
    },
    getTenantsHealth: healthHandler(checks, platform),
    getTenantsMetrics: (request) => metrics(request),
    runLifecycleSweep: sweep,
  }
}

async function onCreateTenant(deps: LifecycleDeps, request: TenantRequest): ReturnType<TenantHandler> {
  const { nowMs, token, trace } = request
  const body = parseCreate(request.body)
  if (!body.ok) return body
  const claim = claimOf(request, body.value)
  if (!claim.ok) return claim
  const reason = `create tenant ${body.value.tenantId}`
  const ctx = openAsOperator(token, body.value.tenantId, 'platform:tenants', reason, nowMs)
  if (!TenantContext.is(ctx)) return ctx
  const created = await createTenant(deps, { ctx, body: body.value, claim: claim.value, nowMs, trace })
  if (!created.ok) return created
  const { operationId, tenant } = created.value
  const location = `/v1/tenants/${tenant.tenantId}/operations/${operationId}`
  return ok({ status: 202, headers: { location }, json: created.value })
}

async function onListTenants(deps: LifecycleDeps, request: TenantRequest): ReturnType<TenantHandler> {
  const query = parseQuery(request.query)
  if (!query.ok) return query
  const { state, tier, pageSize, pageToken } = query.value
  const filter = { ...(state === undefined ? {} : { state }), ...(tier === undefined ? {} : { tier }) }
  const page = await listTenants(deps, { filter, pageSize, pageToken })
  return page.ok ? ok({ status: 200, json: page.value }) : page
}

async function onGetTenant(deps: LifecycleDeps, request: TenantRequest): ReturnType<TenantHandler> {
  const tenant = await readTenant(deps, request.ctx)
  if (!tenant.ok) return tenant
  return ok({ status: 200, headers: { etag: `"${tenant.value.revision}"` }, json: tenant.value })
}

/** Text people read: no control characters, no half of a surrogate pair, no blank ends. */
const displayName = z
  .string()
  .min(1)
  .max(120)
  .refine((text) => text.isWellFormed() && !/[\p{Cc}\u2028\u2029]/u.test(text), 'must be printable text')
  .refine((text) => text.trim() === text, 'must not begin or end with blanks')

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

const parseBody = parser(createSchema)

function parseCreate(bytes: Uint8Array): Result<TenantRequestBody> {
  const json = parseJson(bytes)
  if (!json.ok) return json
  const body = parseBody(json.value)
  if (!body.ok) return body
  const { trialEndsAt, ...rest } = body.value
  // One spelling for one instant: what is stored and sent on is UTC.
  const trial = trialEndsAt === undefined ? null : new Date(trialEndsAt).toISOString()
  return ok({ ...rest, trialEndsAt: trial })
}

const parseQuery = parser(
  z.strictObject({
    state: z.enum(TENANT_STATES).optional(),
    tier: z.enum(TIERS).optional(),
    pageSize: z
      .string()
      .regex(/^[1-9]\d{0,2}$/, 'must be 1 to 100')
      .transform(Number)
      .refine((size) => size <= 100, 'must be 1 to 100')
      .default(50),
    pageToken: z.string().optional(),
  }),
)

/** The claim of a request that carries `Idempotency-Key`; none without one. */
function claimOf(request: TenantRequest, body: TenantRequestBody): Result<Claim | undefined> {
  const key = request.header('idempotency-key')
  if (key === undefined) return ok(undefined)
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    const hint = 'Idempotency-Key: must be 1 to 255 visible ASCII characters'
    return refuse('request.malformed', 'idempotency key', hint)
  }
  return ok(requestClaim(request.token.claims.subject, request.operationId, key, digestOf(body)))
}
