import { TIERS } from '#shared/catalogue/tiers.ts'
import { TENANT_STATES } from '#shared/contracts/events/tenant-fact.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { OperatorTenantView, TenantView } from '../../functions/tenant-events/domain/views.ts'
import { listTenants } from '../../functions/tenant-events/operations/list-tenants.ts'
import {
  readCertificate,
  readOperations,
  readTimeline,
} from '../../functions/tenant-events/operations/read-history.ts'
import { readOperation, readTenant } from '../../functions/tenant-events/operations/read-tenant.ts'
import type { HistoryPage } from '../../functions/tenant-events/ports/history.ts'
import { type Answer, type Run, tableLines } from './command.ts'
import { operationLines, watched } from './tenant-operation.ts'
import { openTenant } from './tenant-orders.ts'

const PAGE_SIZE = 100
const MOST_LISTED = 10_000

export async function list(run: Run): Promise<Result<Answer>> {
  const state = TENANT_STATES.find((known) => known === run.given.text('state'))
  const tier = TIERS.find((known) => known === run.given.text('tier'))
  if (state === undefined && run.given.text('state') !== undefined) {
    return refuse('request.malformed', 'state', `--state is one of ${TENANT_STATES.join(', ')}.`)
  }
  if (tier === undefined && run.given.text('tier') !== undefined) {
    return refuse('request.malformed', 'tier', `--tier is one of ${TIERS.join(', ')}.`)
  }
  const filter = { ...(state === undefined ? {} : { state }), ...(tier === undefined ? {} : { tier }) }
  const tenants: TenantView[] = []
  let after: string | undefined
  do {
    const page = await listTenants(run.lifecycle(), { filter, pageSize: PAGE_SIZE, after })
    tenants.push(...page.items)
    after = page.next
  } while (after !== undefined && tenants.length < MOST_LISTED)
  const rows = tenants.map((tenant) => [
    tenant.tenantId,
    tenant.state,
    tenant.tier,
    tenant.operation === null ? '' : `${tenant.operation.kind}, ${tenant.operation.step}`,
    tenant.displayName,
  ])
  const lines =
    rows.length === 0 ? ['No tenant.'] : tableLines(['tenant', 'state', 'tier', 'running', 'name'], rows)
  return ok({ json: tenants, lines })
}

export async function show(run: Run): Promise<Result<Answer>> {
  const ctx = await openTenant(run)
  if (!ctx.ok) return ctx
  const tenant = await readTenant(run.lifecycle(), ctx.value, 'operator')
  return tenant.ok ? ok({ json: tenant.value, lines: tenantLines(tenant.value) }) : tenant
}

function tenantLines(tenant: TenantView | OperatorTenantView): string[] {
  const named = Object.entries(tenant).filter(([, value]) => value !== null)
  const width = Math.max(...named.map(([name]) => name.length)) + 2
  return named.flatMap(([name, value]) => {
    if (Array.isArray(value) && value.length === 0) return []
    return [`${name.padEnd(width)}${typeof value === 'object' ? JSON.stringify(value) : String(value)}`]
  })
}

export async function operation(run: Run): Promise<Result<Answer>> {
  const ctx = await openTenant(run)
  if (!ctx.ok) return ctx
  const id = run.given.text('operation') ?? ''
  const read = run.given.flag('wait')
    ? await watched(run, ctx.value, id)
    : await readOperation(run.lifecycle(), ctx.value, id, 'operator')
  return read.ok ? ok({ json: read.value, lines: operationLines(read.value) }) : read
}

export function operations(run: Run): Promise<Result<Answer>> {
  return paged(run, readOperations, (items) =>
    tableLines(
      ['operation', 'kind', 'status', 'steps', 'begun'],
      items.map(({ operationId, kind, status, stuck, progress, startedAt }) => [
        operationId,
        kind,
        stuck ? `${status}, STUCK` : status,
        `${progress.done}/${progress.total}`,
        startedAt,
      ]),
    ),
  )
}

export function timeline(run: Run): Promise<Result<Answer>> {
  return paged(run, readTimeline, (items) =>
    tableLines(
      ['at', 'what', 'of', 'outcome', 'by'],
      items.map(({ at, kind, name, operationId, step, revision, outcome, actor }) => [
        at,
        kind === 'fact' ? `FACT ${name}` : name,
        [operationId ?? (revision === null ? '' : `revision ${revision}`), step].filter(Boolean).join(' '),
        outcome ?? '',
        actor,
      ]),
    ),
  )
}

/** Reads page after page until there are as many as were asked for. */
async function paged<T>(
  run: Run,
  read: (
    deps: ReturnType<Run['lifecycle']>,
    asked: { ctx: TenantContext; audience: 'operator'; pageSize: number; after: string | undefined },
  ) => Promise<Result<HistoryPage<T>>>,
  lines: (items: readonly T[]) => readonly string[],
): Promise<Result<Answer>> {
  const limit = Number(run.given.text('limit') ?? '50')
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > MOST_LISTED) {
    return refuse('request.malformed', 'limit', `--limit is a number from 1 to ${MOST_LISTED}.`)
  }
  const ctx = await openTenant(run)
  if (!ctx.ok) return ctx
  const items: T[] = []
  let after: string | undefined
  do {
    const pageSize = Math.min(PAGE_SIZE, limit - items.length)
    const page = await read(run.lifecycle(), { ctx: ctx.value, audience: 'operator', pageSize, after })
    if (!page.ok) return page
    items.push(...page.value.items)
    after = page.value.next
  } while (after !== undefined && items.length < limit)
  const more = after === undefined ? [] : ['There is more: see --limit.']
  return ok({ json: items, lines: items.length === 0 ? ['Nothing.'] : [...lines(items), ...more] })
}

export async function certificate(run: Run): Promise<Result<Answer>> {
  const ctx = await openTenant(run)
  if (!ctx.ok) return ctx
  const found = await readCertificate(run.lifecycle(), ctx.value)
  if (!found.ok) return found
  return ok({ json: found.value, lines: [JSON.stringify(found.value, undefined, 2)] })
}
