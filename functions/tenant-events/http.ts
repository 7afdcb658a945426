import { createHash } from 'node:crypto'
import { z } from 'zod'
import { DEPLOYMENT_MODELS, TIERS } from '#shared/catalogue/tiers.ts'
import { isDemoProject, required } from '#shared/config.ts'
import { TENANT_STATES } from '#shared/contracts/events/tenant-fact.ts'
import type { HealthCheck } from '#shared/health.ts'
import type { HandlersOf } from '#shared/http/edge.ts'
import { checkIfMatch, isNotModified, revisionTag } from '#shared/http/etag.ts'
import { claimOf } from '#shared/http/idempotency.ts'
import { type Paging, paging } from '#shared/http/paging.ts'
import { healthHandler, metricsHandler, sweepHandler } from '#shared/http/standard.ts'
import type { PublicHandler, TenantHandler, TenantRequest } from '#shared/http/types.ts'
import { parseTenantId, type TenantId } from '#shared/ids.ts'
import { parseJson, parser } from '#shared/json.ts'
import { ok, type Result } from '#shared/result.ts'
import { TenantContext } from '#shared/tenancy/context.ts'
import { openAsOperator } from '#shared/tenancy/operator.ts'
import type { Platform } from '#shared/wiring.ts'
import type { TenantRequestBody } from './domain/tenant.ts'
import { changeTenant } from './operations/change-tenant.ts'
import { createTenant } from './operations/create-tenant.ts'
import { listTenants } from './operations/list-tenants.ts'
import { readOperation, readTenant } from './operations/read-tenant.ts'
import { resumeDueOperations } from './operations/resume-due-operations.ts'
import type { LifecycleDeps } from './ports.ts'

/** Every route of the tenants API. */
export function tenantsApi(
  platform: Pick<Platform, 'clock' | 'config' | 'ids' | 'log' | 'metrics' | 'outbox'>,
  deps: LifecycleDeps,
  checks: Readonly<Record<string, HealthCheck>>,
): HandlersOf<'tenants-api'> {
  const metrics = metricsHandler(platform.metrics)
  const pages = paging(pageKey(platform.config), platform.ids)
  const sweep: PublicHandler = (request) =>
    sweepHandler(platform.outbox, (signal) => resumeDueOperations(deps, request.nowMs, request.log, signal))(
      request,
    )
  return {
    createTenant: (request) => onCreateTenant(deps, request),
    listTenants: (request) => onListTenants(deps, pages, request),
    getTenant: (request) => onGetTenant(deps, request),
    changeTenant: (request) => onChangeTenant(deps, request),
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

async function onListTenants(
  deps: LifecycleDeps,
  pages: Paging,
  request: TenantRequest,
): ReturnType<TenantHandler> {
  const query = parseQuery(request.query)
  if (!query.ok) return query
  const { state, tier } = query.value
  const page = pages.read(request)
  if (!page.ok) return page
  const filter = { ...(state === undefined ? {} : { state }), ...(tier === undefined ? {} : { tier }) }
  const { items, next } = await listTenants(deps, { filter, ...page.value })
  return ok({ status: 200, json: { items, nextPageToken: pages.next(request, next) } })
}

async function onGetTenant(deps: LifecycleDeps, request: TenantRequest): ReturnType<TenantHandler> {
  const tenant = await readTenant(deps, request.ctx)
  if (!tenant.ok) return tenant
  const { revision, operation } = tenant.value
  const headers = { etag: revisionTag(revision) }
  // While an operation runs its step changes within a revision, and whoever asks wants to see it.
  if (operation === null && isNotModified(request, headers.etag)) return ok({ status: 304, headers })
  return ok({ status: 200, headers, json: tenant.value })
}

async function onChangeTenant(deps: LifecycleDeps, request: TenantRequest): ReturnType<TenantHandler> {
  const json = parseJson(request.body, 8)
  if (!json.ok) return json
  const body = parseChange(json.value)
  if (!body.ok) return body
  const claim = claimOf(request, body.value)
  if (!claim.ok) return claim
  const changed = await changeTenant(deps, {
    ctx: request.ctx,
    displayName: body.value.displayName,
    claim: claim.value,
    hasSeen: (revision) => checkIfMatch(request, revisionTag(revision)),
  })
  if (!changed.ok) return changed
  return ok({ status: 200, headers: { etag: revisionTag(changed.value.revision) }, json: changed.value })
}

/** Characters that turn the direction of what follows: a name could show as another one. */
const BIDI_CONTROLS = /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/u

/** Text people read: no control characters, no half of a surrogate pair, no blank ends. */
const displayName = z
  .string()
  .min(1)
  .max(100)
  .refine((text) => text.isWellFormed() && !/[\p{Cc}\u2028\u2029]/u.test(text), 'must be printable text')
  .refine((text) => !BIDI_CONTROLS.test(text), 'must not change the direction of text')
  .refine((text) => text.trim() === text, 'must not begin or end with blanks')

const parseChange = parser(z.strictObject({ displayName }))

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
  const json = parseJson(bytes, 8)
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
    pageSize: z.string().optional(),
    pageToken: z.string().optional(),
  }),
)

/** Demo projects have nobody to keep a secret from, and no place where it would be kept. */
function pageKey(config: Platform['config']): Uint8Array {
  const { GOOGLE_CLOUD_PROJECT: project, PAGE_TOKEN_KEY: key } = config
  if (key === undefined && isDemoProject(project)) return createHash('sha256').update(project).digest()
  return required('PAGE_TOKEN_KEY', key)
}
