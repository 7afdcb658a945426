import { z } from 'zod'
import { TIERS } from '#shared/catalogue/tiers.ts'
import { TENANT_STATES } from '#shared/contracts/events/tenant-fact.ts'
import { parseTenantId } from '#shared/ids.ts'
import { parseJson } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { type TenantView, tenantView } from '../domain/views.ts'
import type { LifecycleDeps, TenantFilter } from '../ports.ts'

export type ListTenants = {
  readonly filter: TenantFilter
  readonly pageSize: number
  readonly pageToken: string | undefined
}

export type TenantPage = { readonly items: readonly TenantView[]; readonly nextPageToken: string | null }

/**
 * One page of all tenants, in order of their ids: a tenant created meanwhile neither repeats nor
 * hides another. A token belongs to the filter it was given for.
 */
export async function listTenants(
  deps: Pick<LifecycleDeps, 'directory'>,
  request: ListTenants,
): Promise<Result<TenantPage>> {
  const { filter, pageSize, pageToken } = request
  const after = pageToken === undefined ? ok(undefined) : readToken(pageToken, filter)
  if (!after.ok) return after
  const page = await deps.directory.list(filter, pageSize, after.value)
  const nextPageToken = page.next === undefined ? null : writeToken(page.next, filter)
  return ok({ items: page.tenants.map(tenantView), nextPageToken })
}

const tokenSchema = z.strictObject({
  v: z.literal(1),
  after: z.string(),
  state: z.enum(TENANT_STATES).optional(),
  tier: z.enum(TIERS).optional(),
})

function writeToken(after: string, filter: TenantFilter): string {
  return Buffer.from(JSON.stringify({ v: 1, after, ...filter })).toString('base64url')
}

function readToken(token: string, filter: TenantFilter): Result<string> {
  const wrong = refuse('request.malformed', 'page token', 'pageToken: not one that this list gave out')
  if (!/^[A-Za-z0-9_-]{1,400}$/.test(token)) return wrong
  const json = parseJson(Buffer.from(token, 'base64url'))
  const parsed = tokenSchema.safeParse(json.ok ? json.value : undefined)
  if (!parsed.success) return wrong
  const { after, state, tier } = parsed.data
  const same = state === filter.state && tier === filter.tier
  return same && parseTenantId(after).ok ? ok(after) : wrong
}
