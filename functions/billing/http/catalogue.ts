import { METER_IDS } from '#shared/catalogue/meters.ts'
import type { HandlersOf } from '#shared/http/edge.ts'
import type { Paging } from '#shared/http/paging.ts'
import type { ApiReply, TenantRequest } from '#shared/http/types.ts'
import { asRecord, parseJson } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { formatInstant } from '../domain/calendar.ts'
import type { MeterVersion } from '../domain/meter.ts'
import type { PlanVersion } from '../domain/plan.ts'
import { addMeterVersion, addPlanVersion } from '../operations/keep-catalogue.ts'
import type { Kept, PlanEntry } from '../ports/contracts.ts'
import type { BillingDeps } from '../ports.ts'

type Handlers = Pick<
  HandlersOf<'billing-api'>,
  | 'listPlans'
  | 'createPlan'
  | 'getPlan'
  | 'putPlan'
  | 'retirePlan'
  | 'listPlanVersions'
  | 'getPlanVersion'
  | 'listMeters'
  | 'createMeter'
  | 'getMeter'
  | 'putMeter'
  | 'listMeterVersions'
  | 'getMeterVersion'
>

/** The routes of plans and meters: every change is a version that is added. */
export function catalogueHandlers(deps: BillingDeps, pages: Paging): Handlers {
  return {
    listPlans: async (request) => {
      const page = pages.read(request)
      if (!page.ok) return page
      const { after, pageSize } = page.value
      const entries = await deps.plans.list(after, pageSize + 1)
      const shown = entries.slice(0, pageSize)
      const items = await Promise.all(shown.map((entry) => viewOfEntry(deps, entry)))
      const last = entries.length > pageSize ? shown.at(-1)?.planId : undefined
      return ok({ status: 200, json: { items, nextPageToken: pages.next(request, last) } })
    },
    createPlan: (request) => onAddPlan(deps, request, undefined),
    putPlan: (request) => onAddPlan(deps, request, request.params['planId']),
    getPlan: async ({ params, query, nowMs }) => {
      const entry = await deps.plans.findEntry(params['planId'] ?? '')
      if (entry === undefined) return refuse('resource.not_found', 'no such plan')
      if (Object.keys(query).length > 0)
        return refuse('request.malformed', 'query', 'There are no parameters.')
      const current = await deps.plans.at(entry.planId, nowMs)
      const view = await viewOfEntry(deps, entry)
      return ok({ status: 200, json: { ...view, current: current === undefined ? null : current.version } })
    },
    retirePlan: async ({ params, nowMs }) => {
      const retired = await deps.plans.retire(params['planId'] ?? '', nowMs)
      return retired.ok ? ok({ status: 200, json: await viewOfEntry(deps, retired.value) }) : retired
    },
    listPlanVersions: async ({ params }) => {
      const versions = await deps.plans.versions(params['planId'] ?? '')
      if (versions.length === 0) return refuse('resource.not_found', 'no such plan')
      return ok({ status: 200, json: { items: versions.map(viewOfPlan), nextPageToken: null } })
    },
    getPlanVersion: async ({ params }) => {
      const plan = await deps.plans.find(params['planId'] ?? '', numberOf(params['version']))
      return plan === undefined
        ? refuse('resource.not_found', 'no such version')
        : ok({ status: 200, json: viewOfPlan(plan) })
    },
    ...meterHandlers(deps),
  }
}

function meterHandlers(deps: BillingDeps) {
  return {
    listMeters: async ({ nowMs }: TenantRequest): Promise<Result<ApiReply>> => {
      const now = await Promise.all(METER_IDS.map((meterId) => deps.meters.at(meterId, nowMs)))
      return ok({ status: 200, json: { items: now.map(viewOfMeter), nextPageToken: null } })
    },
    createMeter: (request: TenantRequest) => onAddMeter(deps, request, undefined),
    putMeter: async (request: TenantRequest): Promise<Result<ApiReply>> => {
      const meterId = METER_IDS.find((id) => id === request.params['meterId'])
      return meterId === undefined
        ? refuse('resource.not_found', 'no such meter')
        : onAddMeter(deps, request, meterId)
    },
    getMeter: async ({ params, nowMs }: TenantRequest): Promise<Result<ApiReply>> => {
      const meterId = METER_IDS.find((id) => id === params['meterId'])
      if (meterId === undefined) return refuse('resource.not_found', 'no such meter')
      return ok({ status: 200, json: viewOfMeter(await deps.meters.at(meterId, nowMs)) })
    },
    listMeterVersions: async ({ params }: TenantRequest): Promise<Result<ApiReply>> => {
      const versions = await deps.meters.versions(params['meterId'] ?? '')
      if (versions.length === 0) return refuse('resource.not_found', 'no such meter')
      return ok({ status: 200, json: { items: versions.map(viewOfMeter), nextPageToken: null } })
    },
    getMeterVersion: async ({ params }: TenantRequest): Promise<Result<ApiReply>> => {
      const meter = await deps.meters.find(params['meterId'] ?? '', numberOf(params['version']))
      return meter === undefined
        ? refuse('resource.not_found', 'no such version')
        : ok({ status: 200, json: viewOfMeter(meter) })
    },
  }
}

async function onAddPlan(
  deps: BillingDeps,
  request: TenantRequest,
  planId: string | undefined,
): Promise<Result<ApiReply>> {
  const body = parseJson(request.body, 12)
  if (!body.ok) return body
  const said = planId === undefined ? body.value : withName(body.value, 'planId', planId)
  const added = await addPlanVersion(deps, said, { isNew: planId === undefined, nowMs: request.nowMs })
  return added.ok ? ok(replyOf(added.value, viewOfPlan(added.value.value))) : added
}

async function onAddMeter(
  deps: BillingDeps,
  request: TenantRequest,
  meterId: string | undefined,
): Promise<Result<ApiReply>> {
  const body = parseJson(request.body, 8)
  if (!body.ok) return body
  const said = meterId === undefined ? body.value : withName(body.value, 'meterId', meterId)
  const added = await addMeterVersion(deps, said, request.nowMs)
  return added.ok ? ok(replyOf(added.value, viewOfMeter(added.value.value))) : added
}

/** The path says which one; a body that says another is refused by its schema. */
function withName(body: unknown, name: 'planId' | 'meterId', value: string): unknown {
  const record = asRecord(body)
  if (record === undefined || (Object.hasOwn(record, name) && record[name] !== value)) return undefined
  return { ...record, [name]: value }
}

function replyOf(kept: Kept<unknown>, json: unknown): ApiReply {
  return { status: kept.outcome === 'created' ? 201 : 200, json }
}

async function viewOfEntry(deps: BillingDeps, entry: PlanEntry): Promise<Record<string, unknown>> {
  const { planId, tier, latest, retiredAtMs } = entry
  const newest = await deps.plans.find(planId, latest)
  return {
    planId,
    tier,
    latest,
    retiredAt: retiredAtMs === null ? null : formatInstant(retiredAtMs),
    newest: newest === undefined ? null : viewOfPlan(newest),
  }
}

function viewOfPlan({ validFromMs, ...plan }: PlanVersion): Record<string, unknown> {
  return { ...plan, validFrom: formatInstant(validFromMs) }
}

function viewOfMeter({ validFromMs, ...meter }: MeterVersion): Record<string, unknown> {
  return { ...meter, validFrom: formatInstant(validFromMs) }
}

function numberOf(text: string | undefined): number {
  return text !== undefined && /^[1-9]\d{0,6}$/.test(text) ? Number(text) : 0
}
